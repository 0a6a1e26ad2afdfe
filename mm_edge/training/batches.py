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
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import write
from mm_edge.world.questions import ASKED, WATCH, Question, ask

SPACING_S = 0.5
IGNORE = -100
MOTIONS = SCENE_FACTS["lead_motion"]


@dataclass(frozen=True)
class BatchShape:
    drives: int = 10
    moments: int = 10
    turns: int = 12
    """Questions per drive."""


@dataclass(frozen=True)
class Batch:
    """observations: drives * moments in a row; facts: name -> [N], IGNORE where the sensor is lost; gap: [N] log
    metres, NaN without a lead; turn_of: [Q] index of the observation asked about; recalled: [Q] how many summaries
    before it count; request [Q, t] and hidden [Q, t], True where it is only filling; style [Q]; answer [Q, L];
    motion: [Q].
    """

    observations: Features
    facts: dict[str, Tensor]
    gap: Tensor
    turn_of: Tensor
    recalled: Tensor
    request: Tensor
    hidden: Tensor
    style: Tensor
    answer: Tensor
    motion: Tensor


def batch(first_seed: int, shape: BatchShape, config: NetworkConfig, tokenizer: Tokenizer) -> Batch:
    """The batch of the drives from `first_seed` on."""
    seen, targets, gaps, turns = [], [], [], []
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
        turns += [_turn(drive, moments, row * shape.moments, rng) for _ in range(shape.turns)]
    return Batch(
        observations=features(seen),
        facts={name: torch.tensor([target[name] for target in targets]) for name in SEEN_FACTS},
        gap=torch.tensor(gaps, dtype=torch.float32),
        **_asked(turns, config, tokenizer),
    )


@dataclass(frozen=True)
class Turn:
    question: Question
    observation: int
    recalled: int
    style: int
    motion: int


def _turn(drive: Drive, moments: list[float], first: int, rng: np.random.Generator) -> Turn:
    moment = int(rng.integers(len(moments)))
    t_s = moments[moment]
    family = _family(drive, t_s, rng)
    recalled = moment if rng.random() < 0.75 else int(rng.integers(moment + 1))
    motion = MOTIONS.index(drive.truth(t_s)["lead_motion"]) if drive.sees(t_s) and recalled >= 2 else IGNORE
    return Turn(ask(drive, t_s, rng, family), first + moment, recalled, int(rng.integers(1, STYLES + 1)), motion)


def _family(drive: Drive, t_s: float, rng: np.random.Generator) -> str:
    """All families, with more watch turns, and more questions about what is there than about what is not."""
    truth, chance = drive.truth(t_s), rng.random()
    present = [name for name in ("light", "limit", "lead", "pedestrian") if truth[name] != "none"]
    if chance < 0.12:
        return WATCH
    return str(rng.choice(present if present and chance < 0.35 else list(ASKED)))


def _facts(drive: Drive, t_s: float) -> dict[str, int]:
    truth = drive.truth(t_s) | {"limit": drive.sensed_limit(t_s)}
    sees, hears = drive.sees(t_s), drive.hears(t_s)
    sensed = {name: hears if name == "siren" else sees or name == "limit" for name in SEEN_FACTS}
    return {name: values.index(truth[name]) if sensed[name] else IGNORE for name, values in SEEN_FACTS.items()}


def _gap(drive: Drive, t_s: float) -> float:
    lead = drive.sees(t_s) and drive.truth(t_s)["lead"] != "none"
    return float(np.log(drive.gap_m(t_s))) if lead else np.nan


def _asked(turns: list[Turn], config: NetworkConfig, tokenizer: Tokenizer) -> dict[str, Tensor]:
    requests = [tokenizer.request(turn.question.text, config.request_length) for turn in turns]
    longest = max(1, *map(len, requests))
    answers = [write(turn.question.topic, turn.question.facts, turn.style) for turn in turns]
    return {
        "turn_of": torch.tensor([turn.observation for turn in turns]),
        "recalled": torch.tensor([min(turn.recalled, config.history_slots) for turn in turns]),
        "request": torch.tensor([ids + [EOS] * (longest - len(ids)) for ids in requests]),
        "hidden": torch.tensor([[place >= len(ids) for place in range(longest)] for ids in requests]),
        "style": torch.tensor([turn.style for turn in turns]),
        "answer": torch.tensor([tokenizer.sentence(text, config.answer_length) for text in answers]),
        "motion": torch.tensor([turn.motion for turn in turns]),
    }
