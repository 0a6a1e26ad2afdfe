"""How good the probabilities of a model are, as curves on a page: reliability, and risk against coverage.

They were measured when trust was fitted, on generated drives (mm_edge/trust/constants.py); beside them stands what the
recorded drive made of them. Knows nothing about how the page looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from mm_edge.trust.constants import Belief

SIZE = 320
"""Width and height of a chart."""
LOWEST, HIGHEST = 0.6, 0.9995
"""Of probabilities, drawn on a scale of odds: nearly all that is said is nearly sure."""
TICKS = (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
LEAST_RISK = 0.02
"""The scale of risks ends at least here."""
LARGEST = 7.0
"""Radius of the dot of all answers."""


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Charts:
    """Places in boxes of SIZE x SIZE. ticks: place and name of probabilities; dots: bins of answers; rug: confidences
    of the recorded drive; risk: points of a line; accept: where it is said plainly from, and covers: up to where; top:
    the end of the scale of risks; n: answers that were measured."""

    ticks: Sequence[tuple[float, str]]
    dots: Sequence[Dot]
    rug: Sequence[float]
    risk: str
    accept: float
    top: float
    n: int


def charts(belief: Belief | None, confidences: Sequence[float]) -> Charts | None:
    """confidences: of the recorded drive; those that are not numbers are left out. None when nothing was measured."""
    if belief is None or not belief.reliability or not belief.selection:
        return None
    n = sum(count for *_, count in belief.reliability)
    top = max(LEAST_RISK, *(risk for _, risk in belief.selection))
    return Charts(
        [(place(tick), f"{tick:g}") for tick in TICKS],
        [Dot(place(p), SIZE - place(share), LARGEST * (count / n) ** 0.25) for p, share, count in belief.reliability],
        sorted({round(place(p), 1) for p in confidences if p == p}),
        " ".join(f"{SIZE * coverage:.1f},{SIZE * (1 - risk / top):.1f}" for coverage, risk in belief.selection),
        place(belief.accept),
        top,
        n,
    )


def place(probability: float) -> float:
    """Where a probability lies on its axis, from its beginning."""
    low, high = (log(end / (1 - end)) for end in (LOWEST, HIGHEST))
    kept = min(max(probability, LOWEST), HIGHEST)
    return round(SIZE * (log(kept / (1 - kept)) - low) / (high - low), 1)
