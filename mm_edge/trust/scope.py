"""Whether a request is about the drive at all: a second opinion beside the network's own.

A network that was taught what to refuse is still sure of itself where a request is like nothing that it was taught
(Larson et al. 2019, section 5). This one is a plain linear model on the mean of a text's hashed pieces (Joulin et al.
2017, "Bag of tricks for efficient text classification"): words, pairs of neighbours, and parts of words. Names and
numbers of the log are marks, all alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

PIECES = 8192
PARTS = (3, 4, 5)
"""Letters of a part of a word."""
_WORD = re.compile(r"[a-z']+|[@=]")


@dataclass(frozen=True)
class Scope:
    """weights: [PIECES]; refuse: a request less probable to be about the drive than this is refused."""

    weights: NDArray[np.float64]
    bias: float
    refuse: float

    def probability(self, text: str) -> float:
        """That the request is about the drive; 0 for one without any word."""
        found = pieces(text)
        if not found:
            return 0.0
        score = float(self.weights[found].mean()) + self.bias
        return float(1 / (1 + np.exp(-np.clip(score, -30, 30))))

    def includes(self, text: str) -> bool:
        return self.probability(text) >= self.refuse


EVERYTHING = Scope(np.zeros(PIECES), 0.0, 0.0)
"""Refuses nothing."""


def pieces(text: str) -> list[int]:
    """The numbers of a text's pieces, each once."""
    words = _WORD.findall(text.lower())
    found = {*words, *(f"{one} {next_}" for one, next_ in zip(["<", *words], [*words, ">"], strict=True))}
    for word in words:
        spelled = f"<{word}>"
        found |= {f"#{spelled[i : i + n]}" for n in PARTS for i in range(len(spelled) - n + 1)}
    return [] if not words else [crc32(piece.encode()) % PIECES for piece in sorted(found)]
