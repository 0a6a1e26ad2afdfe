"""Sentences from masked diffusion with editing: whole blocks at once, the sure words kept, wrong ones replaced.

Draft and edit after LLaDA2.1 (2026, equations 1 to 3): a masked word is filled in where the best one is probable
enough, a word that is there is replaced where another one is, both at once after every pass; the best masked word is
always filled in. It departs from it in two things. A draft that is sure of every word needs no further pass to confirm
it. And words at the beginning that have been sure are final: they may be spoken already, and a spoken word is never
edited. Without editing this is the confidence-parallel decoding of Fast-dLLM (Wu et al. 2025, section 3.3). Knows
nothing about clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.engine.base import Context, Engine
from mm_edge.generation.draft import Draft, Ids, drafted, likeliest
from mm_edge.model.tokenizer import EOS, MASK

FINAL = 0.95
"""A word at the beginning that is at least this probable, twice, is not edited any more."""


@dataclass(frozen=True)
class Thresholds:
    """mask: a masked word is filled in from this probability on; edit: a word is replaced by another one from this
    probability on; sure: a draft whose words are all at least this probable is not looked at again; posts: passes over
    a draft without masks, at most; penalty: taken off the logit of the word that stands before, against stuttering."""

    mask: float
    edit: float = inf
    sure: float = 0.0
    posts: int = 0
    penalty: float = 0.0


FAST = Thresholds(0.9)
SPEEDY = Thresholds(0.5, 0.0, sure=0.7, posts=1)
QUALITY = Thresholds(0.7, 0.5, sure=0.97, posts=4)
"""LLaDA2.1's two modes have its thresholds (its model cards), and Fast-dLLM its own."""


@dataclass(frozen=True)
class DraftAndEdit:
    """A Decoder."""

    thresholds: Thresholds

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        return (drafts[0] for drafts in side_by_side(engine, [context], self.thresholds, max_passes, forbidden))


def side_by_side(
    engine: Engine,
    contexts: Sequence[Context],
    thresholds: Thresholds,
    max_passes: int,
    forbidden: Sequence[int] = (),
) -> Iterator[list[Draft]]:
    """Several sentences in the same passes, one for each context; every one complete after every pass."""
    ids = np.full((len(contexts), engine.answer_length), MASK)
    confidences, final = np.zeros(ids.shape, np.float32), np.zeros(len(contexts), int)
    going, posts = np.ones(len(contexts), bool), np.zeros(len(contexts), int)
    for passes in range(1, max_passes + 1):
        logits = engine.decode(torch.from_numpy(ids), contexts)
        probability, best = likeliest(engine, _penalised(engine, logits, ids, thresholds.penalty), forbidden)
        if passes == 1 and _settled(probability, best, thresholds):  # as most are
            rows = zip(best, probability, strict=True)
            yield [drafted(*row, passes, True, engine.tokenizer, ids.shape[1]) for row in rows]
            return
        masked = ids == MASK
        posts += ~masked.any(1)
        filled = masked & going[:, None] & ((probability > thresholds.mask) | (passes == max_passes))
        filled |= masked & going[:, None] & _best_of(probability, masked & ~filled.any(1, keepdims=True))
        open_ = going[:, None] & (np.arange(ids.shape[1]) >= final[:, None])
        edited = ~masked & open_ & (best != ids) & (probability > thresholds.edit)
        confidences = np.where(masked | edited, probability, confidences)
        ids, whole = np.where(filled | edited, best, ids), np.where(masked | edited, best, ids)
        kept = ~masked & ~edited & (probability >= FINAL)
        final = np.maximum(final, np.logical_and.accumulate(kept, 1).sum(1))
        sure = _least(whole, confidences) >= thresholds.sure
        still = (ids == MASK).any(1) | (edited.any(1) | masked.any(1)) & ~sure & (posts < thresholds.posts)
        going &= still
        ended = not going.any() or passes == max_passes
        final = np.where(going & (not ended), final, ids.shape[1])
        yield [
            drafted(words_, sure_, passes, ended, engine.tokenizer, int(first))
            for words_, sure_, first in zip(whole, confidences, final, strict=True)
        ]
        if ended:
            return


def _settled(probability: NDArray[np.float32], best: Ids, thresholds: Thresholds) -> bool:
    """Whether a first pass over nothing but masks leaves nothing to do."""
    filled = (probability > thresholds.mask).all()
    return bool(filled and (_least(best, probability) >= thresholds.sure).all())


def _penalised(engine: Engine, logits: Tensor, ids: Ids, penalty: float) -> Tensor:
    """logits [n, L, S], each less likely to say the word before it."""
    if penalty:
        same = ids[:, :-1, None] == engine.tokenizer.sayable
        logits[:, 1:] -= penalty * torch.from_numpy(same)
    return logits


def _best_of(probability: NDArray[np.float32], among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of each row [n, L] is the most probable one among some; none where there are none."""
    best = np.where(among, probability, -1.0).argmax(1)
    return among & (np.arange(among.shape[1]) == best[:, None])


def _least(ids: Ids, confidences: NDArray[np.float32]) -> NDArray[np.float32]:
    """The confidence of the least sure word of each row [n], up to and with its end."""
    ends = ids == EOS
    after = ends.cumsum(1) - ends > 0
    return np.where(after, np.float32(1), confidences).min(1)
