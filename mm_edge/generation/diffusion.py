"""A sentence from masked diffusion: the whole block at once, the sure tokens kept, the rest asked again.

Confidence-ordered parallel decoding (Chang et al. 2022, MaskGIT, section 3.2; Wu et al. 2025, Fast-dLLM, section 3.3).
Every pass yields a complete draft, so that the caller may stop at any time. Knows nothing about clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import torch

from mm_edge.engine.base import Context, Engine
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer

KEEP = 0.9
"""A token at least this probable is kept at once."""


@dataclass(frozen=True)
class Draft:
    """A complete sentence after some passes. ids, confidences: one per token of the block; `done`: no pass is left that
    could change it."""

    ids: tuple[int, ...]
    confidences: tuple[float, ...]
    passes: int
    done: bool
    tokenizer: Tokenizer

    @property
    def topic(self) -> str:
        return self.tokenizer.topic(self.ids)

    @property
    def text(self) -> str:
        return self.tokenizer.text(self.ids)

    @property
    def is_sentence(self) -> bool:
        """Whether the language has such a sentence."""
        return self.tokenizer.is_sentence(self.ids)

    @property
    def confidence(self) -> float:
        """That of its least sure token, up to and with the end of the sentence."""
        end = self.ids.index(EOS) + 1 if EOS in self.ids else len(self.ids)
        return min(self.confidences[:end])


def drafts(engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = ()) -> Iterator[Draft]:
    """A better draft after every pass, at most `max_passes` of them. `forbidden`: tokens that must not occur."""
    ids = torch.full((engine.answer_length,), MASK)
    confidences = torch.zeros(engine.answer_length)
    for passes in range(1, max_passes + 1):
        logits = engine.decode(ids, context)
        logits[:, EOS + 1 : engine.tokenizer.first_spoken] = -torch.inf
        logits[:, list(forbidden)] = -torch.inf
        probable, best = logits.softmax(-1).max(-1)
        open_ = ids == MASK
        chosen = torch.where(open_, best, ids)
        confidences = torch.where(open_, probable, confidences)
        kept = open_ & (probable >= KEEP)
        share = ceil(int(open_.sum()) / (max_passes - passes + 1))
        surest = torch.where(open_, probable, -1.0).argsort(descending=True)[:share]
        kept[surest] |= open_[surest]
        ids = torch.where(kept, chosen, ids)
        done = not bool((ids == MASK).any())
        yield Draft(tuple(chosen.tolist()), tuple(confidences.tolist()), passes, done, engine.tokenizer)
        if done:
            return
