"""An engine with functions for a network: what they give is all that a decoder knows.

`block` stands for a pass over a whole block, of its ids and the style; `after` for what follows the words before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from math import log

import torch
from hypothesis import settings
from torch import Tensor

from mm_edge.engine.base import Context
from mm_edge.generation.draft import Decoder, Draft
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer

WORDS = ["the", "light", "is", "red", "green", "."]
SENTENCES = ("the light is red .", "the light is green .")
TOKENIZER = Tokenizer(WORDS, ["hello"], SENTENCES)
THE, LIGHT, IS, RED, GREEN, STOP = range(TOKENIZER.first_spoken, len(TOKENIZER))
RED_LIGHT, GREEN_LIGHT = ((THE, LIGHT, IS, colour, STOP, EOS, EOS, EOS) for colour in (RED, GREEN))
LENGTH = len(RED_LIGHT)
WIDTH = 3
unhurried = settings(max_examples=40, deadline=None)
"""For properties of what takes many passes."""

Ids = tuple[int, ...]
Block = Callable[[Ids, int], Tensor]


class Fake:
    """`shown`: the blocks of every pass over blocks; `flowed`: clean words, now and then of every step of the flow."""

    name = "fake"
    tokenizer = TOKENIZER
    answer_length = LENGTH
    width = WIDTH

    def __init__(self, block: Block, after: Block | None = None) -> None:
        self.passes = 0
        self.shown: list[Tensor] = []
        self.flowed: list[tuple[Tensor, Tensor, Tensor]] = []
        self.noise: list[Tensor] = []
        self._block = block
        self._after: Block = after or (lambda before, style: block(before, style)[len(before)])

    def decode(self, ids: Tensor, contexts: Sequence[Context]) -> Tensor:
        self.passes += 1
        self.shown.append(ids.clone())
        rows = [self._block(tuple(row.tolist()), c.style) for row, c in zip(ids, contexts, strict=True)]
        return aloud(torch.stack(rows))

    def verify(self, ids: Tensor, context: Context) -> Tensor:
        self.passes += 1
        rows = [self._after(tuple(ids[:place].tolist()), context.style) for place in range(len(ids))]
        return aloud(torch.stack(rows))

    def follow(self, ids: Tensor, contexts: Sequence[Context], said: list[Ids] | None) -> tuple[Tensor, list[Ids]]:
        """Here `said` are the words themselves."""
        self.passes += 1
        new: Iterable[Ids] = ((),) * len(ids) if said is None else ((word,) for word in ids.tolist())
        whole = [(*before, *word) for before, word in zip(said or [()] * len(ids), new, strict=True)]
        rows = [self._after(row, c.style) for row, c in zip(whole, contexts, strict=True)]
        return aloud(torch.stack(rows)), whole

    def flow(self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        self.passes += 1
        self.flowed.append((clean.clone(), now.clone(), then.clone()))
        self.noise.append(noisy.clone())
        seen = torch.where(now < 1, MASK, clean)
        logits = self._block((*seen.tolist(), round(1000 * float(noisy.sum()))), context.style)
        return aloud(logits), noisy / 2


def aloud(logits: Tensor) -> Tensor:
    """Those of the words that engines score."""
    return logits[..., TOKENIZER.sayable]


def context(style: int = 1) -> Context:
    return Context(torch.zeros(0), style)


def odds(*words: tuple[int, float]) -> Tensor:
    """Logits of a word and its probability at every place; the rest goes to all others that may be said."""
    logits = torch.full((len(words), len(TOKENIZER)), -torch.inf)
    for place, (word, probability) in enumerate(words):
        logits[place, [EOS, *range(TOKENIZER.first_spoken, len(TOKENIZER))]] = log((1 - probability) / len(WORDS))
        logits[place, word] = log(probability)
    return logits


def surely(sentence: Sequence[int], probability: float = 0.999) -> Tensor:
    return odds(*((word, probability) for word in sentence))


def always(logits: Tensor) -> Fake:
    """The same odds in every pass, whatever the draft."""
    return Fake(lambda ids, style: logits.clone())


def in_order(*passes: Tensor) -> Fake:
    """Other odds in every pass, the last ones for ever."""
    left = list(passes)
    return Fake(lambda ids, style: (left.pop(0) if len(left) > 1 else left[0]).clone())


def wild(seed: int, sharpness: float) -> Fake:
    """Odds that are anything, but always the same for the same words and style."""

    def random(what: str, ids: Ids, style: int, *shape: int) -> Tensor:
        key = zlib.crc32(repr((seed, what, ids, style)).encode())
        return sharpness * torch.randn(*shape, len(TOKENIZER), generator=torch.Generator().manual_seed(key))

    return Fake(
        lambda ids, style: random("block", ids, style, LENGTH), lambda before, style: random("after", before, style)
    )


def drafts(
    way: Decoder, engine: Fake, max_passes: int = 24, forbidden: Sequence[int] = (), seed: int = 0, style: int = 1
) -> list[Draft]:
    return [*way(engine, context(style), max_passes, forbidden, seed)]  # type: ignore[arg-type]
