"""A sentence that is being made, and what all ways to make one share. Knows nothing about how it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.engine.base import Context, Engine
from mm_edge.model.tokenizer import EOS, Tokenizer

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Draft:
    """A sentence after some passes. ids, confidences: one per token of the block; `done`: no pass is left that could
    change it; `final`: so many of its first tokens will not change any more, whatever passes are left, and may be
    spoken; `agreement`: the share of the other samples that said the same, NaN where there was only one."""

    ids: tuple[int, ...]
    confidences: tuple[float, ...]
    passes: int
    done: bool
    tokenizer: Tokenizer
    final: int = 0
    agreement: float = nan

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
    def length(self) -> int:
        """Tokens up to and with the end of the sentence."""
        return self.ids.index(EOS) + 1 if EOS in self.ids else len(self.ids)

    @property
    def confidence(self) -> float:
        """That of its least sure token, up to and with the end of the sentence."""
        return min(self.confidences[: self.length])


class Decoder(Protocol):
    """Makes a sentence. Every pass over the network yields what there is by then, so that the caller may stop at any
    time; at most `max_passes` are made."""

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        """forbidden: tokens that must not occur; seed: of what is drawn at random."""


def words(engine: Engine, logits: Tensor, forbidden: Sequence[int]) -> Tensor:
    """Probabilities [..., S] of the words that may be said (`Tokenizer.sayable`), from logits; zero for all where an
    engine gave no number, and so an end without confidence."""
    kept = logits.float().nan_to_num(nan=-torch.inf, posinf=-torch.inf)
    kept[..., engine.tokenizer.places(forbidden)] = -torch.inf
    return kept.softmax(-1).nan_to_num_(0.0)


def likeliest(engine: Engine, logits: Tensor, forbidden: Sequence[int]) -> tuple[NDArray[np.float32], Ids]:
    """The best of `words` [...]: its probability, and its id. In numpy, whose maximum along the last axis is the
    quicker one."""
    kept = logits.float().numpy()
    kept = np.where(kept < np.inf, kept, np.float32(-np.inf))
    kept[..., engine.tokenizer.places(forbidden)] = -np.inf
    best = kept.argmax(-1)
    top = np.take_along_axis(kept, best[..., None], -1)
    sums = np.exp(kept - np.where(top > -np.inf, top, 0.0)).sum(-1)
    return 1 / np.maximum(sums, 1) * (sums > 0), engine.tokenizer.sayable[best]


def drawn(probability: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Places [...] drawn from probabilities [..., S], of which the temperature takes the root."""
    exact = probability.double()
    return (exact.log() + temperature * gumbel(exact, generator)).argmax(-1)


def gumbel(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Noise of the shape and type of `like`: what is largest of log probabilities [..., S] with it is a word drawn."""
    uniform = torch.rand(like.shape, generator=generator, dtype=like.dtype)
    return -(-uniform.clamp(min=torch.finfo(like.dtype).tiny).log()).log()


Row = Tensor | Ids | NDArray[np.float32]


def drafted(ids: Row, confidences: Row, passes: int, done: bool, tokenizer: Tokenizer, final: int = 0) -> Draft:
    """ids, confidences: [L]."""
    return Draft(tuple(ids.tolist()), tuple(confidences.tolist()), passes, done, tokenizer, final)
