"""How often the model's sentences state the right facts, on drives that it was not trained on.

Goes the way of a session (summaries every half second, one turn at a time) without its clocks and thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mm_edge.engine.base import Engine
from mm_edge.generation.diffusion import Draft, drafts
from mm_edge.model.network import STYLES
from mm_edge.training.batches import SPACING_S
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import parse
from mm_edge.world.questions import FAMILIES, Question, ask, right

DURATION_S = 14.0
TURNS = 6
"""Questions per drive."""


@dataclass(frozen=True)
class Outcome:
    """One turn. pooled: the novelty feature of its frame, None without a camera."""

    question: Question
    sentence: str
    right: bool
    grammatical: bool
    confidence: float
    passes: int
    pooled: NDArray[np.float32] | None


def outcomes(engine: Engine, first_seed: int, drives: int, passes: Sequence[int]) -> Iterator[tuple[Outcome, ...]]:
    """TURNS questions on each of `drives` drives from `first_seed` on, families in turn.

    One outcome per entry of `passes`, which is the most passes that the answer may take.
    """
    for seed in range(first_seed, first_seed + drives):
        rng = np.random.default_rng([seed, 11])
        drive = Drive(seed, DURATION_S)
        for turn in range(TURNS):
            family = FAMILIES[(seed * TURNS + turn) % len(FAMILIES)]
            t_s = rng.uniform(4.6, DURATION_S - 0.5)
            yield evaluate(engine, drive, t_s, ask(drive, t_s, rng, family), int(rng.integers(1, 9)), passes)


def evaluate(
    engine: Engine, drive: Drive, t_s: float, question: Question, style: int, passes: Sequence[int]
) -> tuple[Outcome, ...]:
    """One turn, drafted anew for every entry of `passes`."""
    past = [
        engine.encode(drive.observation(t_s - age * SPACING_S)).summary for age in range(engine.history_slots, 0, -1)
    ]
    percept = engine.encode(drive.observation(t_s))
    cache = engine.prefill(torch.stack(past), percept, question.text, style)
    pooled = percept.pooled if drive.sees(t_s) else None
    forbidden = engine.tokenizer.unasked if question.text else ()
    last = [[*drafts(engine, cache, most, forbidden)][-1] for most in passes]
    return tuple(_outcome(question, draft, pooled) for draft in last)


def routed(engine: Engine, first_seed: int, requests: Sequence[str]) -> list[str]:
    """The topics of the answers to requests in people's own words, each asked on a drive of its own."""
    topics = []
    for seed, text in enumerate(requests, first_seed):
        percept = engine.encode(Drive(seed, DURATION_S).observation(DURATION_S / 2))
        cache = engine.prefill(None, percept, text, 1 + seed % STYLES)
        topics.append([*drafts(engine, cache, 1, engine.tokenizer.unasked)][-1].topic)
    return topics


def _outcome(question: Question, draft: Draft, pooled: NDArray[np.float32] | None) -> Outcome:
    sentence = said(draft)
    grammatical = parse(sentence) is not None
    return Outcome(question, sentence, right(sentence, question), grammatical, draft.confidence, draft.passes, pooled)


def said(draft: Draft) -> str:
    """The draft as the grammar writes it."""
    return f"<{draft.topic}> {draft.text}".strip()
