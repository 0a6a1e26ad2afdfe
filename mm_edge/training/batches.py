"""Drives cut into batches: moments of a drive in a row, questions about some of them, and their right answers.

A batch follows from its step number alone, so that training can resume anywhere. Knows nothing about losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_edge.model.encoders import SEEN_FACTS
from mm_edge.model.features import Features, features
from mm_edge.model.network import STYLES, NetworkConfig
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.world.crowd import REFUSED, crowd
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import write
from mm_edge.world.questions import ASKED, WATCH, Question, answer, ask

SPACING_S = 0.5
IGNORE = -100
CROWD = 0.15
"""Share of the turns that are in people's own words, and share of these that are refused."""
CROWD_REFUSED = 0.6
FRAGMENTS = 0.2
"""Share of the refused ones that are cut short or make no sense."""
WHOLE = frozenset(wording for wordings in ASKED.values() for wording in wordings)
MOTIONS = SCENE_FACTS["lead_motion"]


@dataclass(frozen=True)
class BatchShape:
    drives: int = 4
    moments: int = 10
    turns: int = 40
    """Questions per drive."""


@dataclass(frozen=True)
class Batch:
    """observations: drives * moments in a row; facts: name -> [N], IGNORE where the sensor is lost; gap: [N] log
    metres, NaN without a lead; recalled: [N] how many summaries before it are remembered; motion: [N] what the lead
    vehicle does, IGNORE where that cannot be known; turn_of: [Q] index of the observation asked about; request [Q, t]
    and hidden [Q, t], True where it is only filling; style [Q]; answer [Q, L].
    """

    observations: Features
    facts: dict[str, Tensor]
    gap: Tensor
    recalled: Tensor
    motion: Tensor
    turn_of: Tensor
    request: Tensor
    hidden: Tensor
    style: Tensor
    answer: Tensor


def batch(first_seed: int, shape: BatchShape, config: NetworkConfig, tokenizer: Tokenizer) -> Batch:
    """The batch of the drives from `first_seed` on."""
    seen, targets, gaps, recalled, motions, turns = [], [], [], [], [], []
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
        turns += [_turn(drive, moments, row * shape.moments, rng) for _ in range(shape.turns)]
    return Batch(
        observations=features(seen),
        facts={name: torch.tensor([target[name] for target in targets]) for name in SEEN_FACTS},
        gap=torch.tensor(gaps, dtype=torch.float32),
        recalled=torch.tensor(recalled),
        motion=torch.tensor(motions),
        **_asked(turns, config, tokenizer),
    )


@dataclass(frozen=True)
class Turn:
    question: Question
    observation: int
    style: int


def _turn(drive: Drive, moments: list[float], first: int, rng: np.random.Generator) -> Turn:
    moment = int(rng.integers(len(moments)))
    t_s = moments[moment]
    question = _crowd(drive, t_s, rng) if rng.random() < CROWD else ask(drive, t_s, rng, _family(drive, t_s, rng))
    return Turn(question, first + moment, int(rng.integers(1, STYLES + 1)))


def _crowd(drive: Drive, t_s: float, rng: np.random.Generator) -> Question:
    requests = crowd("train")
    family = REFUSED if rng.random() < CROWD_REFUSED else str(rng.choice(sorted(requests.keys() - {REFUSED})))
    text = requests[family][rng.integers(len(requests[family]))]
    if family == REFUSED and rng.random() < FRAGMENTS:
        text = _fragment(text, rng)
    return Question(family, text, family, answer(drive, t_s, family))


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


def _asked(turns: list[Turn], config: NetworkConfig, tokenizer: Tokenizer) -> dict[str, Tensor]:
    requests = [tokenizer.request(turn.question.text, config.request_length) for turn in turns]
    longest = max([1, *map(len, requests)])
    answers = [write(turn.question.topic, turn.question.facts, turn.style) for turn in turns]
    return {
        "turn_of": torch.tensor([turn.observation for turn in turns], dtype=torch.long),
        "request": torch.tensor([ids + [EOS] * (longest - len(ids)) for ids in requests], dtype=torch.long),
        "hidden": torch.tensor([[place >= len(ids) for place in range(longest)] for ids in requests]),
        "style": torch.tensor([turn.style for turn in turns], dtype=torch.long),
        "answer": torch.tensor([tokenizer.sentence(text, config.answer_length) for text in answers], dtype=torch.long),
    }
