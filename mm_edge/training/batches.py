"""Drives cut into batches: moments of a drive in a row, questions about some of them, and their right answers.

A batch follows from its seeds alone, so that training can resume anywhere. Knows nothing about losses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mm_edge.model.encoders import SEEN_FACTS
from mm_edge.model.events import LANDMARKS, MARKS
from mm_edge.model.features import Features, features
from mm_edge.model.network import CLAIMS, HIDDEN, STYLES, WINDOW, NetworkConfig
from mm_edge.model.policy import actions
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.recipe import TRAINING_SEEDS
from mm_edge.world.crowd import REFUSED, crowd
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import draw, tokens, write
from mm_edge.world.journey import Journey
from mm_edge.world.questions import ASKED, WATCH, Question, answer, ask
from mm_edge.world.recall import HISTORY_FAMILIES, answer_history, ask_history

DURATION_S, SPACING_S = 14.0, 0.5
HEIGHTS = (96, 96, 96, 96, 96, 144, 192, 240)
"""Of the pictures of a drive: one of these."""
SHAKEN_PX = 2, 4
"""How far a drive's pictures are moved on a visit, at most: rows, columns."""
IGNORE = -100
CROWD, RECALL = 0.2, 0.2
"""Shares of the turns that are in people's own words, and that are about the past of the drive."""
CROWD_REFUSED = 0.4
"""Share of the crowd's turns that are refused."""
SHORT_LOGS = 0.2
"""Share of the drives whose log is of any length up to the longest."""
FRAGMENTS = 0.2
"""Share of the refused ones that are cut short or make no sense."""
FOLLOWING = 0.3
"""Share of the questions about logs alone that ask what followed a name or a landmark."""
BARE, WORDED = 0.45, 0.15
"""Shares of the questions about logs alone that name their topic instead of asking, and whose answer is worded."""
HARD = ("when", "after", "task_state", "stops_since", "call_before", "call_length", "charged")
"""Families that need more than the latest event of a kind: asked about logs alone twice as often as the others."""
WORDS_PER_QUESTION = 6
"""Of logs that nothing else is about."""
ABOUT = MARKS.union(LANDMARKS)
WHOLE = frozenset(wording for wordings in ASKED.values() for wording in wordings)
MOTIONS = SCENE_FACTS["lead_motion"]


@dataclass(frozen=True)
class BatchShape:
    moments: int = 10
    worded: int = 8
    """Questions per drive whose answer is worded."""
    asked: int = 20
    """Questions per drive of which only the claims are learnt: at a fraction of the cost."""
    log: int = 256
    """Words of the longest log; 0: there are no questions."""


@dataclass(frozen=True)
class Seen:
    """The moments of drives, N in a row. facts: name -> [N], IGNORE where the sensor is lost; gap: [N] log metres, NaN
    without a lead; recalled: [N] how many summaries before it are remembered; motion: [N] what the lead vehicle does,
    IGNORE where that cannot be known; actions: [N, STEPS, 2], NaN where the speed is unknown."""

    observations: Features
    facts: dict[str, Tensor]
    gap: Tensor
    recalled: Tensor
    motion: Tensor
    actions: Tensor


@dataclass(frozen=True)
class Turns:
    """of: [Q] index of what is asked about, Q / drives in a row of one drive; request [Q, t] and hidden [Q, t], True
    where it is only filling; claims [Q, CLAIMS]; style [Q]; answer [Q, L], without columns where only claims count."""

    of: Tensor
    request: Tensor
    hidden: Tensor
    claims: Tensor
    style: Tensor
    answer: Tensor


@dataclass(frozen=True)
class Batch:
    """log: [drives, WINDOW + n], filled up in front; log_bias [drives, n]; turns about them and what is seen, none
    while only what looks learns."""

    seen: Seen
    log: Tensor
    log_bias: Tensor
    turns: tuple[Turns, ...]


@dataclass(frozen=True)
class Recall:
    """Logs [rows, WINDOW + n], all full, and turns about nothing else; `of` is the row."""

    log: Tensor
    turns: tuple[Turns, ...]


@dataclass(frozen=True)
class Wording:
    """Claims [Q, CLAIMS], a style [Q] and the answer that words them in it [Q, L]: nothing else is needed for that."""

    claims: Tensor
    style: Tensor
    answer: Tensor


@dataclass(frozen=True)
class Turn:
    """request: names marked; claims: what the answer states, as words; answer: "" where it does not matter."""

    of: int
    request: str
    claims: str
    style: int = 1
    answer: str = ""


def look(seed: int, moments: int, history_slots: int) -> Seen:
    """What is seen on one drive."""
    rng = np.random.default_rng([seed, 7])
    drive, times_s = Drive(seed, DURATION_S), _times_s(seed, moments)
    height = int(rng.choice(HEIGHTS))
    observations = [drive.observation(t_s, height) for t_s in times_s]
    targets = [_facts(drive, t_s) for t_s in times_s]
    known = [past if rng.random() < 0.75 else int(rng.integers(past + 1)) for past in range(moments)]
    paths = torch.from_numpy(np.stack([drive.path(t_s) for t_s in times_s]))
    return Seen(
        observations=features(observations),
        facts={name: torch.tensor([target[name] for target in targets]) for name in SEEN_FACTS},
        gap=torch.tensor([_gap(drive, t_s) for t_s in times_s], dtype=torch.float32),
        recalled=torch.tensor([min(past, history_slots) for past in known]),
        motion=torch.tensor([_motion(drive, t_s, past) for t_s, past in zip(times_s, known, strict=True)]),
        actions=actions(paths, torch.tensor([o.state.speed_mps for o in observations])),
    )


def _moved(seen: Seen, rng: np.random.Generator) -> Seen:
    """Its pictures a few pixels aside, as if the camera were mounted a little differently."""
    aside = tuple(int(rng.integers(-most, most + 1)) for most in SHAKEN_PX)
    image = seen.observations.image.roll(aside, (2, 3))
    return replace(seen, observations=replace(seen.observations, image=image))


def _joined(parts: Sequence[Seen]) -> Seen:
    """Several drives, one after the other."""
    names = ("gap", "recalled", "motion", "actions")
    return Seen(
        observations=Features(*map(torch.cat, zip(*(vars(part.observations).values() for part in parts), strict=True))),
        facts={name: torch.cat([part.facts[name] for part in parts]) for name in SEEN_FACTS},
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in names},
    )


def batch(
    seen: Callable[[int], Seen],
    seeds: Sequence[int],
    visit: int,
    shape: BatchShape,
    config: NetworkConfig,
    tokenizer: Tokenizer,
) -> Batch:
    """The drives of `seeds` with other logs and questions on every visit. `seen`: `look` of a seed."""
    parts, logs = [], []
    worded: list[list[Turn]] = []
    asked: list[list[Turn]] = []
    for row, seed in enumerate(seeds):
        rng = np.random.default_rng([seed, visit, 8])
        parts.append(_moved(seen(seed), rng))
        if shape.log:
            words = int(rng.integers(shape.log)) if rng.random() < SHORT_LOGS else shape.log
            journey = Journey(int(rng.integers(TRAINING_SEEDS)), words)
            logs.append(tokenizer.log(journey.words))
            turn = _turn_maker(seed, row, journey, shape, rng)
            worded.append([turn(True) for _ in range(shape.worded)])
            asked.append([turn(False) for _ in range(shape.asked)])
    ids, bias = _logs(logs, shape.log)
    turns = (*_turns(worded, config, tokenizer), *_turns(asked, config, tokenizer))
    return Batch(_joined(parts), ids, bias, turns)


def _turn_maker(
    seed: int, row: int, journey: Journey, shape: BatchShape, rng: np.random.Generator
) -> Callable[[bool], Turn]:
    """What makes a turn about a drive, whose answer is worded or not."""
    drive, times_s = Drive(seed, DURATION_S), _times_s(seed, shape.moments)

    def turn(wording: bool) -> Turn:
        moment = int(rng.integers(len(times_s)))
        question = _question(drive, journey, times_s[moment], rng)
        return _turn(row * shape.moments + moment, question, journey, rng, wording)

    return turn


def recall(seed: int, words: int, log: int, config: NetworkConfig, tokenizer: Tokenizer) -> Recall:
    """About `words` words in logs of up to `log`, of journeys that follow from `seed`."""
    rng = np.random.default_rng([seed, 41])
    rows = max(2, words // log)
    worded, asked, bare = (
        max(1, round(share * words / WORDS_PER_QUESTION / rows)) for share in (WORDED, 1 - WORDED - BARE, BARE)
    )
    journeys = [Journey(int(each), log) for each in rng.integers(TRAINING_SEEDS, size=rows)]
    logs = [tokenizer.log(journey.words) for journey in journeys]
    shortest = min(map(len, logs))
    ids, _ = _logs([each[-shortest:] for each in logs], shortest)
    rows_of = [
        [[_past_turn(row, journey, rng, kind) for _ in range(count)] for row, journey in enumerate(journeys)]
        for kind, count in (("worded", worded), ("asked", asked), ("bare", bare))
    ]
    return Recall(ids, tuple(turns for each in rows_of for turns in _turns(each, config, tokenizer)))


def wording(seed: int, count: int, config: NetworkConfig, tokenizer: Tokenizer) -> Wording:
    """Of all that there is to say, every kind as often as the others."""
    rng = np.random.default_rng([seed, 47])
    drawn = [(*draw(rng), int(rng.integers(1, STYLES + 1))) for _ in range(count)]
    return Wording(
        claims=_rows(tokenizer.claims(_claims(topic, facts), CLAIMS) for topic, facts, _ in drawn),
        style=torch.tensor([style for *_, style in drawn]),
        answer=_rows(tokenizer.sentence(write(*each), config.answer_length) for each in drawn),
    )


def claimed(question: Question) -> str:
    """What a right answer states, as words."""
    return _claims(question.topic, question.facts)


def _claims(topic: str, facts: dict[str, str]) -> str:
    return " ".join([f"<{topic}>", *(value for _, value in sorted(facts.items()))])


def _times_s(seed: int, moments: int) -> list[float]:
    rng = np.random.default_rng([seed, 9])
    start_s = rng.uniform(0.5, DURATION_S - 1.0 - moments * SPACING_S)
    return [start_s + SPACING_S * step + rng.uniform(-0.06, 0.06) for step in range(moments)]


def _turn(of: int, question: Question, journey: Journey, rng: np.random.Generator, wording: bool) -> Turn:
    request, style = journey.names.marked(question.text), int(rng.integers(1, STYLES + 1))
    answered = write(question.topic, question.facts, style) if wording else ""
    return Turn(of, request, claimed(question), style, answered)


def _past_turn(row: int, journey: Journey, rng: np.random.Generator, kind: str) -> Turn:
    """About a log alone; kind: "worded", "asked" or "bare". A bare one names the topic, and what the question is about,
    instead of asking."""
    if kind == "bare" and rng.random() < FOLLOWING:
        return _following(row, journey, rng)
    question = ask_history(journey, rng, str(rng.choice((*HISTORY_FAMILIES, *HARD))))
    if kind != "bare":
        return _turn(row, question, journey, rng, kind == "worded")
    about = [word for word in tokens(journey.names.marked(question.text)) if word in ABOUT]
    return Turn(row, " ".join([f"<{question.topic}>", *about]), claimed(question))


def _following(row: int, journey: Journey, rng: np.random.Generator) -> Turn:
    """What came after the latest mention of a name or a landmark: the simplest question that finds its place by one."""
    latest = {word: place for place, word in enumerate(journey.words) if word.startswith("@") or word in LANDMARKS}
    if not latest:
        return Turn(row, "", "unknown")
    word = str(rng.choice([*latest]))
    return Turn(row, word, " ".join(journey.words[latest[word] + 1 :][:CLAIMS]))


def _question(drive: Drive, journey: Journey, t_s: float, rng: np.random.Generator) -> Question:
    chance = rng.random()
    if chance < CROWD:
        return _crowd(drive, journey, t_s, rng)
    if chance < CROWD + RECALL:
        return ask_history(journey, rng)
    return ask(drive, t_s, rng, _family(drive, t_s, rng))


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


def _logs(logs: list[list[int]], length: int) -> tuple[Tensor, Tensor]:
    """Filled up in front, and what hides that."""
    ids = torch.full((len(logs), WINDOW + length), EOS)
    bias = torch.full((len(logs), length), HIDDEN)
    for row, log in enumerate(logs):
        if log:
            ids[row, -len(log) :] = torch.tensor(log)
            bias[row, -len(log) :] = 0.0
    return ids, bias


def _turns(rows: Sequence[Sequence[Turn]], config: NetworkConfig, tokenizer: Tokenizer) -> list[Turns]:
    """Rows of equally many turns, cut in two: the shorter requests of each and the longer ones, since filling costs as
    much as words."""
    half = len(rows[0]) // 2 if rows else 0
    parts: tuple[list[tuple[Turn, list[int]]], ...] = ([], [])
    for row in rows:
        requests = ((turn, tokenizer.request(turn.request, config.request_length)) for turn in row)
        ordered = sorted(requests, key=lambda pair: len(pair[1]))
        parts[0].extend(ordered[:half])
        parts[1].extend(ordered[half:])
    return [_stacked(part, config, tokenizer) for part in parts if part]


def _stacked(pairs: list[tuple[Turn, list[int]]], config: NetworkConfig, tokenizer: Tokenizer) -> Turns:
    """Turns with the ids of their requests."""
    turns, requests = zip(*pairs, strict=True)
    longest = max([1, *map(len, requests)])
    length = config.answer_length if turns[0].answer else 0
    return Turns(
        of=torch.tensor([turn.of for turn in turns]),
        request=_rows(ids + [EOS] * (longest - len(ids)) for ids in requests),
        hidden=torch.tensor([[place >= len(ids) for place in range(longest)] for ids in requests]),
        claims=_rows(tokenizer.claims(turn.claims, CLAIMS) for turn in turns),
        style=torch.tensor([turn.style for turn in turns]),
        answer=_rows(tokenizer.sentence(turn.answer, length) if length else [] for turn in turns),
    )


def _rows(rows: Iterable[list[int]]) -> Tensor:
    return torch.tensor([*rows], dtype=torch.long)
