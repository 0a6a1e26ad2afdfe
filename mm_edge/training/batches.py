"""Drives cut into batches: moments of a drive in a row, questions about some of them, and their right answers.

A batch follows from its step number alone, so that training can resume anywhere. Knows nothing about losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_edge.model.encoders import SEEN_FACTS
from mm_edge.model.events import LANDMARKS, MARKS, Names
from mm_edge.model.features import Features, features
from mm_edge.model.network import BARE, HIDDEN, STYLES, WINDOW, NetworkConfig
from mm_edge.model.policy import actions
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.recipe import TRAINING_SEEDS
from mm_edge.world.crowd import REFUSED, crowd
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import tokens, write
from mm_edge.world.journey import Journey
from mm_edge.world.questions import ASKED, WATCH, Question, answer, ask
from mm_edge.world.recall import HISTORY_FAMILIES, answer_history, ask_history

SPACING_S = 0.5
IGNORE = -100
CROWD, RECALL = 0.2, 0.4
"""Shares of the turns that are in people's own words, and that are about the past of the drive."""
CROWD_REFUSED = 0.4
"""Share of the crowd's turns that are refused."""
SHORT_LOGS = 0.2
"""Share of the drives whose log is of any length up to the longest."""
FRAGMENTS = 0.2
"""Share of the refused ones that are cut short or make no sense."""
BARE_REQUEST, BARE_ANSWER = 3, 7
"""Tokens of a bare question, and of its answer with its end."""
BARE_FAMILIES = tuple(family for family in ASKED if family != REFUSED)
FOLLOWING = 0.35
"""Share of those about logs alone that ask what followed a name or a landmark."""
WORDS_PER_QUESTION = 16 / 3
"""Of logs that nothing but bare questions is about."""
ABOUT = MARKS.union(LANDMARKS)
WHOLE = frozenset(wording for wordings in ASKED.values() for wording in wordings)
MOTIONS = SCENE_FACTS["lead_motion"]


@dataclass(frozen=True)
class BatchShape:
    drives: int = 4
    moments: int = 10
    turns: int = 24
    """Questions per drive."""
    bare: int = 16
    """Bare questions per drive."""
    log: int = 256
    """Words of the longest log."""


@dataclass(frozen=True)
class Turns:
    """of: [Q] index of the observation asked about, Q / drives in a row of one drive; request [Q, t] and hidden [Q, t],
    True where it is only filling; style [Q]; answer [Q, L]."""

    of: Tensor
    request: Tensor
    hidden: Tensor
    style: Tensor
    answer: Tensor


@dataclass(frozen=True)
class Batch:
    """observations: drives * moments in a row; facts: name -> [N], IGNORE where the sensor is lost; gap: [N] log
    metres, NaN without a lead; recalled: [N] how many summaries before it are remembered; motion: [N] what the lead
    vehicle does, IGNORE where that cannot be known; actions: [N, STEPS, 2], NaN where the speed is unknown; log:
    [drives, WINDOW + n], filled up in front, and log_bias [drives, n].

    turns: as people ask and as they are answered; bare: what is asked about, and an answer of a topic, which is given,
    and the facts alone, which teaches where to look at a fraction of the cost.
    """

    observations: Features
    facts: dict[str, Tensor]
    gap: Tensor
    recalled: Tensor
    motion: Tensor
    actions: Tensor
    log: Tensor
    log_bias: Tensor
    turns: Turns
    bare: Turns


@dataclass(frozen=True)
class Recall:
    """Logs [rows, WINDOW + n] and their bias [rows, n], as in Batch, and bare questions about nothing else; `of` is the
    row."""

    log: Tensor
    log_bias: Tensor
    turns: Turns


def batch(first_seed: int, shape: BatchShape, config: NetworkConfig, tokenizer: Tokenizer) -> Batch:
    """The batch of the drives from `first_seed` on."""
    seen, targets, gaps, recalled, motions, paths, turns, bare, logs = [], [], [], [], [], [], [], [], []
    for row in range(shape.drives):
        seed = first_seed + row
        rng = np.random.default_rng([seed, 7])
        drive = Drive(seed, duration_s=14.0)
        start_s = rng.uniform(0.5, 13.0 - shape.moments * SPACING_S)
        moments = [start_s + SPACING_S * step + rng.uniform(-0.06, 0.06) for step in range(shape.moments)]
        height = int(rng.choice([96, 96, 96, 144, 192, 240]))
        seen += [drive.observation(t_s, height) for t_s in moments]
        targets += [_facts(drive, t_s) for t_s in moments]
        gaps += [_gap(drive, t_s) for t_s in moments]
        known = [past if rng.random() < 0.75 else int(rng.integers(past + 1)) for past in range(shape.moments)]
        recalled += [min(past, config.history_slots) for past in known]
        motions += [_motion(drive, t_s, past) for t_s, past in zip(moments, known, strict=True)]
        paths += [drive.path(t_s) for t_s in moments]
        if shape.turns:
            short = rng.random() < SHORT_LOGS
            journey = Journey(seed, int(rng.integers(shape.log)) if short else shape.log)
            logs.append(tokenizer.log(journey.words))
            first = row * shape.moments
            turns += [_turn(drive, journey, moments, first, rng) for _ in range(shape.turns)]
            bare += [_bare(drive, moments, first, rng) for _ in range(shape.bare)]
    return Batch(
        observations=features(seen),
        facts={name: torch.tensor([target[name] for target in targets]) for name in SEEN_FACTS},
        gap=torch.tensor(gaps, dtype=torch.float32),
        recalled=torch.tensor(recalled),
        motion=torch.tensor(motions),
        actions=actions(torch.from_numpy(np.stack(paths)), torch.tensor([o.state.speed_mps for o in seen])),
        **_logs(logs, shape.log),
        turns=_asked(turns, config.request_length, config.answer_length, tokenizer),
        bare=_asked(bare, BARE_REQUEST, BARE_ANSWER, tokenizer),
    )


def recall(first_seed: int, words: int, log: int, tokenizer: Tokenizer) -> Recall:
    """About `words` words in logs of up to `log`, of journeys that follow from `first_seed`."""
    rng = np.random.default_rng([first_seed, 41])
    rows = max(2, words // log)
    turns, logs = [], []
    for row, seed in enumerate(rng.integers(TRAINING_SEEDS, size=rows)):
        journey = Journey(int(seed), int(rng.integers(log)) if rng.random() < SHORT_LOGS else log)
        logs.append(tokenizer.log(journey.words))
        for _ in range(int(words / WORDS_PER_QUESTION) // rows):
            if rng.random() < FOLLOWING:
                turns.append(_following(row, journey, rng))
            else:
                turns.append(Turn(row, *_alone(ask_history(journey, rng), journey.names)))
    return Recall(**_logs(logs, log), turns=_asked(turns, BARE_REQUEST, BARE_ANSWER, tokenizer))


def _following(row: int, journey: Journey, rng: np.random.Generator) -> Turn:
    """What came after the latest mention of a name or a landmark: the simplest question that finds its place by one."""
    latest = {word: place for place, word in enumerate(journey.words) if word.startswith("@") or word in LANDMARKS}
    if not latest:
        return Turn(row, "", BARE, "unknown")
    word = str(rng.choice([*latest]))
    return Turn(row, word, BARE, " ".join(journey.words[latest[word] + 1 :][: BARE_ANSWER - 1]))


@dataclass(frozen=True)
class Turn:
    """request: names marked."""

    observation: int
    request: str
    style: int
    answer: str


def _turn(drive: Drive, journey: Journey, moments: list[float], first: int, rng: np.random.Generator) -> Turn:
    moment, chance = int(rng.integers(len(moments))), rng.random()
    t_s = moments[moment]
    if chance < CROWD:
        question = _crowd(drive, journey, t_s, rng)
    elif chance < CROWD + RECALL:
        question = ask_history(journey, rng)
    else:
        question = ask(drive, t_s, rng, _family(drive, t_s, rng))
    style = int(rng.integers(1, STYLES + 1))
    return Turn(
        first + moment, journey.names.marked(question.text), style, write(question.topic, question.facts, style)
    )


def _bare(drive: Drive, moments: list[float], first: int, rng: np.random.Generator) -> Turn:
    moment = int(rng.integers(len(moments)))
    question = ask(drive, moments[moment], rng, str(rng.choice(BARE_FAMILIES)))
    return Turn(first + moment, *_alone(question))


def _alone(question: Question, names: Names | None = None) -> tuple[str, int, str]:
    """Request, style and answer without words around them."""
    about = [word for word in tokens(names.marked(question.text)) if word in ABOUT] if names else []
    facts = " ".join(value for _, value in sorted(question.facts.items()))
    return " ".join(about), BARE, f"<{question.topic}> {facts}"


def _crowd(drive: Drive, journey: Journey, t_s: float, rng: np.random.Generator) -> Question:
    requests = crowd("train")
    family = REFUSED if rng.random() < CROWD_REFUSED else str(rng.choice(sorted(requests.keys() - {REFUSED})))
    text = requests[family][rng.integers(len(requests[family]))]
    if family == REFUSED and rng.random() < FRAGMENTS:
        text = _fragment(text, rng)
    history = family in HISTORY_FAMILIES
    return Question(family, text, family, answer_history(journey, family) if history else answer(drive, t_s, family))


def _fragment(text: str, rng: np.random.Generator) -> str:
    """The beginning of a request, or letters that mean nothing."""
    if rng.random() < 0.5:
        begun = " ".join(text.split()[: rng.integers(1, 4)])
        return "?" if begun in WHOLE else begun
    return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz?"), rng.integers(1, 10)))


def _family(drive: Drive, t_s: float, rng: np.random.Generator) -> str:
    """All families, with more watch turns, and more questions about what is there than about what is not."""
    truth, chance = drive.truth(t_s), rng.random()
    present = [name for name in ("light", "limit", "lead", "pedestrian") if truth[name] != "none"]
    if chance < 0.12:
        return WATCH
    return str(rng.choice(present if present and chance < 0.35 else list(ASKED)))


def _facts(drive: Drive, t_s: float) -> dict[str, int]:
    truth = drive.truth(t_s) | {"limit": drive.sensed_limit(t_s), "alert": drive.alert(t_s)}
    hidden = hidden_facts(drive.sees(t_s), drive.hears(t_s))
    known = {name: truth.get(name) or answer(drive, t_s, name)[name] for name in SEEN_FACTS if name not in hidden}
    return {name: values.index(known[name]) if name in known else IGNORE for name, values in SEEN_FACTS.items()}


def _motion(drive: Drive, t_s: float, recalled: int) -> int:
    return MOTIONS.index(drive.truth(t_s)["lead_motion"]) if drive.sees(t_s) and recalled >= 2 else IGNORE


def _gap(drive: Drive, t_s: float) -> float:
    lead = drive.sees(t_s) and drive.truth(t_s)["lead"] != "none"
    return float(np.log(drive.gap_m(t_s))) if lead else np.nan


def _logs(logs: list[list[int]], length: int) -> dict[str, Tensor]:
    ids = torch.full((len(logs), WINDOW + length), EOS)
    bias = torch.full((len(logs), length), HIDDEN)
    for row, log in enumerate(logs):
        if log:
            ids[row, -len(log) :] = torch.tensor(log)
            bias[row, -len(log) :] = 0.0
    return {"log": ids, "log_bias": bias}


def _asked(turns: list[Turn], most: int, length: int, tokenizer: Tokenizer) -> Turns:
    """Requests of at most `most` tokens, answers of `length`."""
    requests = [tokenizer.request(turn.request, most) for turn in turns]
    longest = max([1, *map(len, requests)])
    return Turns(
        of=torch.tensor([turn.observation for turn in turns], dtype=torch.long),
        request=torch.tensor([ids + [EOS] * (longest - len(ids)) for ids in requests], dtype=torch.long),
        hidden=torch.tensor([[place >= len(ids) for place in range(longest)] for ids in requests]),
        style=torch.tensor([turn.style for turn in turns], dtype=torch.long),
        answer=torch.tensor([tokenizer.sentence(turn.answer, length) for turn in turns], dtype=torch.long),
    )
