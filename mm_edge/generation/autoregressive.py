"""Sentences one word after the other, and how to have the very same ones in fewer passes.

Greedy or sampled, from cached keys and values. Speculative decoding (Leviathan et al. 2023) with a draft that the
diffusion of the same weights makes, or the language's own n-grams: one pass checks a whole draft, its right beginning
is kept with the word that belongs behind it, and the rest is drafted again. Knows nothing about clocks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from mm_edge.engine.base import Context, Engine
from mm_edge.generation.draft import Draft, Ids, drafted, drawn, likeliest, words
from mm_edge.model.network import BEGIN
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer


@dataclass(frozen=True)
class Autoregressive:
    """A Decoder whose drafts are complete only when they are done. temperature: 0 is greedy."""

    temperature: float = 0.0

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        return (drafts[0] for drafts in in_turn(engine, [context], max_passes, forbidden, self.temperature, seed))


def in_turn(
    engine: Engine,
    contexts: Sequence[Context],
    max_passes: int,
    forbidden: Sequence[int] = (),
    temperature: float = 0.0,
    seed: int = 0,
) -> Iterator[list[Draft]]:
    """Several sentences in the same passes, one for each context."""
    generator = torch.Generator().manual_seed(seed)
    rows, length = len(contexts), engine.answer_length
    ids, confidences = np.full((rows, length), EOS), np.ones((rows, length), np.float32)
    last, said, going = np.full(rows, BEGIN), None, np.ones(rows, bool)
    for place in range(min(max_passes, length)):
        logits, said = engine.follow(torch.from_numpy(last), contexts, said)
        if temperature:
            probability = words(engine, logits, forbidden)
            chosen = drawn(probability, temperature, generator)
            confidence = probability.gather(-1, chosen[:, None])[:, 0].numpy()
            best = engine.tokenizer.sayable[chosen.numpy()]
        else:
            confidence, best = likeliest(engine, logits, forbidden)
        last = np.where(going, best, EOS)
        ids[:, place], confidences[:, place] = last, np.where(going, confidence, 1.0)
        going &= last != EOS
        done = not going.any() or place + 1 == min(max_passes, length)
        yield [
            drafted(*row, place + 1, done, engine.tokenizer, place + 1) for row in zip(ids, confidences, strict=True)
        ]
        if done:
            return


Guess = tuple[Ids, NDArray[np.float32], int]
"""A draft [L], how sure its words are [L], and how many passes it took."""


@dataclass(frozen=True)
class DraftAndVerify:
    """A Decoder: the sentences of greedy Autoregressive, token by token, drafted by masked diffusion."""

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        def guess(right: Ids) -> Guess:
            logits = engine.decode(torch.from_numpy(right[None]), [context])[0]
            probability, best = likeliest(engine, logits, forbidden)
            return np.where(right == MASK, best, right), probability, 1

        return _verified(engine, context, max_passes, forbidden, guess)


@dataclass(frozen=True)
class Speculative:
    """A Decoder: the sentences of greedy Autoregressive, drafted by what mostly follows two words in the language."""

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        table = _trigrams(engine.tokenizer)

        def guess(right: Ids) -> Guess:
            ids = [BEGIN, BEGIN, *right.tolist()]
            for place in range(2, len(ids)):
                if ids[place] == MASK:
                    following = table.get((ids[place - 2], ids[place - 1]), EOS)
                    ids[place] = EOS if following in forbidden else following
            return np.array(ids[2:]), np.zeros(len(right), np.float32), 0

        return _verified(engine, context, max_passes, forbidden, guess)


def _verified(
    engine: Engine,
    context: Context,
    max_passes: int,
    forbidden: Sequence[int],
    guess: Callable[[Ids], Guess],
) -> Iterator[Draft]:
    """guess: what is right so far, MASK behind it -> a draft."""
    length = engine.answer_length
    right, confidences, passes = np.full(length, MASK), np.zeros(length, np.float32), 0
    while True:
        draft, guessed, took = guess(right)
        confidences = np.where(right == MASK, guessed, confidences)
        if took:
            passes += took
            yield drafted(
                draft, confidences, passes, passes >= max_passes, engine.tokenizer, int((right != MASK).sum())
            )
            if passes >= max_passes:
                return
        probability, best = likeliest(engine, engine.verify(torch.from_numpy(draft), context), forbidden)
        passes += 1
        same = np.logical_and.accumulate(best == draft)
        known = min(length, int(same.sum()) + 1)  # the word behind the right ones is that of the check
        confidences = np.where(np.arange(length) < known, probability, confidences)
        right = np.where(np.arange(length) < known, best, MASK)
        ended = np.logical_or.accumulate(right == EOS)
        done = known == length or bool(ended.any())
        right = np.where(ended, EOS, right)
        shown = right if done else np.where(right == MASK, draft, right)
        last = done or passes >= max_passes
        yield drafted(shown, confidences, passes, last, engine.tokenizer, length if last else known)
        if last:
            return


@lru_cache(maxsize=2)
def _trigrams(tokenizer: Tokenizer) -> dict[tuple[int, int], int]:
    """What mostly follows two words."""
    counts: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for sentence in tokenizer.language:
        ids = [BEGIN, BEGIN, *sentence, EOS]
        for first, second, third in zip(ids, ids[1:], ids[2:], strict=False):
            counts[first, second][third] += 1
    return {pair: following.most_common(1)[0][0] for pair, following in counts.items()}
