"""How good probabilities are: what they come to (reliability), and what is gained by keeping silent (selection).

Knows nothing about where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10
POINTS = 100
"""Of a curve of risk against coverage, at most."""
RESAMPLES = 400


def reliability(probabilities: ArrayLike, right: ArrayLike, bins: int = BINS) -> list[tuple[float, float, int]]:
    """Mean probability, share of right ones and their number, in bins of equal mass; none for no data."""
    p, labels = np.asarray(probabilities, np.float64), np.asarray(right, np.float64)
    parts = np.array_split(np.argsort(p, kind="stable"), min(bins, len(p))) if p.size else []
    return [(float(p[part].mean()), float(labels[part].mean()), len(part)) for part in parts]


def expected_calibration_error(probabilities: ArrayLike, right: ArrayLike, bins: int = BINS) -> float:
    """ECE over equal-mass bins (Nixon et al. 2019, adaptive calibration error); NaN for no data."""
    found = reliability(probabilities, right, bins)
    n = sum(count for *_, count in found)
    return sum(abs(p - share) * count for p, share, count in found) / n if n else nan


def risks(probabilities: ArrayLike, right: ArrayLike) -> NDArray[np.float64]:
    """[n]: the share of wrong ones among the k most probable, for k from 1 to n. Of those that are equally probable the
    order does not count: each stands for their mean."""
    p, wrong = np.asarray(probabilities, np.float64), 1.0 - np.asarray(right, np.float64)
    order = np.argsort(-p, kind="stable")
    _, groups, counts = np.unique(-p[order], return_inverse=True, return_counts=True)
    means = np.bincount(groups, wrong[order]) / counts if p.size else np.zeros(0)
    return np.cumsum(means[groups]) / np.arange(1, p.size + 1)


def risk_coverage(probabilities: ArrayLike, right: ArrayLike) -> list[tuple[float, float]]:
    """Coverage and risk, from few answers to all of them (El-Yaniv & Wiener 2010, section 2), at most POINTS."""
    curve = risks(probabilities, right)
    kept = np.unique(np.linspace(0, len(curve) - 1, min(POINTS, len(curve))).astype(int))
    return [((int(k) + 1) / len(curve), float(curve[k])) for k in kept]


def aurc(probabilities: ArrayLike, right: ArrayLike) -> float:
    """Area under the curve of risk against coverage (Geifman et al. 2019, section 3); NaN for no data."""
    curve = risks(probabilities, right)
    return float(curve.mean()) if curve.size else nan


def auroc(familiar: ArrayLike, novel: ArrayLike) -> float:
    """The probability that a novel score is above a familiar one, half of it where they are equal; NaN without both."""
    low, high = np.asarray(familiar, np.float64), np.asarray(novel, np.float64)
    if not low.size or not high.size:
        return nan
    return float(np.mean((high[:, None] > low) + 0.5 * (high[:, None] == low)))


def bootstrap(
    measure: Callable[[NDArray[np.int64]], float], groups: Sequence[int], seed: int = 0, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95 % percentile interval of measure(indices) (Efron 1979), whole groups drawn at a time, since what was asked
    on one drive goes together. groups: of each index; (NaN, NaN) for none."""
    of = np.asarray(groups)
    members = [np.flatnonzero(of == group) for group in np.unique(of)]
    if not members:
        return nan, nan
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(len(members), size=len(members)) for _ in range(resamples))
    found = [measure(np.concatenate([members[index] for index in each])) for each in drawn]
    low, high = np.nanpercentile(found, (2.5, 97.5))
    return float(low), float(high)
