"""Sentences out of noise by a flow map, in as few steps as one.

FMLM (2026, third version, section 4): each step goes from one time to any later one. `FlowMap` goes all the way in
equal steps of the clock. `Refinement` (posterior refinement, FMLM+ 2026, its published code) goes all the way in every
round, keeps the words that are sure, and a share of the others, and draws fresh noise for the rest. Knows nothing about
clocks on the wall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from mm_edge.engine.base import Context, Engine
from mm_edge.generation.draft import Draft, drafted, likeliest
from mm_edge.model.tokenizer import EOS


@dataclass(frozen=True)
class FlowMap:
    """A Decoder. steps: at most so many passes, and at most as many as the caller allows."""

    steps: int = 1

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        noisy, clean = _noise(engine, seed)
        steps = min(self.steps, max_passes)
        for step in range(steps):
            now, then = (torch.full(clean.shape, each / steps) for each in (step, step + 1))
            logits, noisy = engine.flow(noisy, clean, now, then, context)
            confidences, ids = likeliest(engine, logits, forbidden)
            done = step + 1 == steps
            yield drafted(ids, confidences, step + 1, done, engine.tokenizer, len(ids) if done else 0)


@dataclass(frozen=True)
class Refinement:
    """A Decoder. rounds: at most so many passes; sure: a word this probable is kept."""

    rounds: int = 4
    sure: float = 0.99

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        noisy, ids = _noise(engine, seed)
        kept, confidences = torch.zeros(ids.shape, dtype=torch.bool), torch.zeros(ids.shape)
        rounds = min(self.rounds, max_passes)
        for passes in range(1, rounds + 1):
            now = kept.float()
            logits, _ = engine.flow(noisy, ids, now, torch.ones(ids.shape), context)
            probability, best = map(torch.from_numpy, likeliest(engine, logits, forbidden))
            ids, confidences = torch.where(kept, ids, best), torch.where(kept, confidences, probability)
            kept = kept | (probability >= self.sure)
            share = ceil(int((~kept).sum()) / (rounds - passes + 1))
            kept[torch.where(kept, -1.0, probability).argsort(descending=True)[:share]] = True
            done = bool(kept.all())
            yield drafted(ids, confidences, passes, done, engine.tokenizer, int(kept.long().cumprod(0).sum()))
            if done:
                return
            noisy, _ = _noise(engine, seed + passes)


def _noise(engine: Engine, seed: int) -> tuple[Tensor, Tensor]:
    """Noise [L, width], and words [L] that nobody looks at."""
    generator = torch.Generator().manual_seed(seed)
    length = engine.answer_length
    return torch.randn((length, engine.width), generator=generator), torch.full((length,), EOS)
