"""Which values of a fact are still possible when none of them is sure: conformal prediction sets.

Split conformal prediction with the score 1 - p of the true value (Sadinle et al. 2019, "Least ambiguous set-valued
classifiers"), fitted for every fact by itself and only to pictures whose most probable value is not SURE (a Mondrian
taxonomy: Vovk et al. 2005, section 4.5): of pictures like these, a share of 1 - MISCOVERAGE has the true value in its
set. Where too few were seen to promise that, every value stays possible. Knows nothing about where probabilities come
from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mm_edge.model.schema import SCENE_FACTS

SURE = 0.9
"""A value this probable needs no set."""
MISCOVERAGE = 0.1


@dataclass(frozen=True)
class Options:
    """floors: fact -> how probable a value must be to be possible; a fact that was never unsure has none."""

    floors: Mapping[str, float]

    @classmethod
    def fit(cls, seen: Mapping[str, Sequence[tuple[NDArray[np.float64], int]]]) -> Options:
        """seen: fact -> probabilities [values] and which value was true, of any pictures."""
        return cls({fact: _floor([p[true] for p, true in pairs if p.max() < SURE]) for fact, pairs in seen.items()})

    def __call__(self, fact: str, probabilities: Mapping[str, float]) -> tuple[str, ...]:
        """The possible values, the most probable first; only the most probable one where it is sure, none where a
        probability is not a number."""
        ranked = sorted(probabilities, key=lambda value: -probabilities[value])
        if not ranked or not np.isfinite([*probabilities.values()]).all():
            return ()
        if probabilities[ranked[0]] >= SURE:
            return (ranked[0],)
        floor = self.floors.get(fact, 0.0)
        return tuple(value for value in ranked if probabilities[value] >= floor)


def probabilities(logits: Mapping[str, NDArray[np.float32]]) -> dict[str, dict[str, float]]:
    """logits: of scene facts, [values] -> fact -> probability by value."""
    found = {}
    for name, row in logits.items():
        odds = np.exp(np.asarray(row, np.float64) - np.max(row))
        found[name] = dict(zip(SCENE_FACTS[name], (odds / odds.sum()).tolist(), strict=True))
    return found


def _floor(true: Sequence[float]) -> float:
    """true: the probabilities that true values had. Their conformal quantile, 0 when there are too few."""
    n = len(true)
    rank = ceil((n + 1) * (1 - MISCOVERAGE))
    return 0.0 if rank > n else float(np.sort(true)[n - rank])
