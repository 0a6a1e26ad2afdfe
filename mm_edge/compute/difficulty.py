"""How hard a request will be, before anything is said: a probe on what the prefill found.

A linear classifier on what a layer holds (Alain & Bengio 2016, section 3). It sees the trunk's last states after the
prefill through the head that reads claims from them: how sure each claim is. That a model's own states tell how much
compute pays is the finding of Damani et al. 2024 (section 3.1). Knows nothing about plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mm_edge.engine.base import Context

CERTAIN = 1e-4
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""
PENALTY = 10.0
"""On the squared weights, beside the summed loss of all requests: few of them are wrong."""
STEPS, STRIDE = 100, 0.5
"""Of Newton's method, and how far a step goes at most: where nearly all requests are easy, a whole one goes too far."""


@dataclass(frozen=True, eq=False)
class Probe:
    """weights: [n], of features of mean `mean` [n] and spread `spread` [n]; hard: requests whose first sentence is more
    likely wrong than this count as hard."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float
    hard: float

    @classmethod
    def fit(cls, found: ArrayLike, wrong: ArrayLike, hard_share: float) -> Probe:
        """found: [m, n] as `features` gives them; wrong: [m], of the first pass; hard_share: how many of these requests
        are to count as hard. Raises ValueError when there is none of either kind."""
        data, labels = np.asarray(found, np.float64), np.asarray(wrong, np.float64)
        if data.ndim != 2 or len(data) != len(labels) or not 0 < labels.mean() < 1:
            raise ValueError(f"a probe needs right and wrong sentences, not {data.shape} with {labels.sum():.0f} wrong")
        mean, spread = data.mean(0), data.std(0) + 1e-3
        design = np.column_stack([(data - mean) / spread, np.ones(len(data))])
        penalty = np.append(np.full(data.shape[1], PENALTY), 1e-6)
        theta = np.zeros(design.shape[1])
        theta[-1] = np.log(labels.mean() / (1 - labels.mean()))
        for _ in range(STEPS):
            chance = _sigmoid(design @ theta)
            slope = design.T @ (chance - labels) + penalty * theta
            curve = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty)
            theta -= np.clip(np.linalg.solve(curve, slope), -STRIDE, STRIDE)
        hard = float(np.quantile(_sigmoid(design @ theta), 1 - hard_share))
        return cls(mean, spread, theta[:-1], float(theta[-1]), hard)

    def state(self) -> dict[str, Any]:
        """What `of` needs."""
        lists = {name: [float(f"{each:.4g}") for each in getattr(self, name)] for name in ("mean", "spread", "weights")}
        return {**lists, "bias": self.bias, "hard": self.hard}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Probe:
        """Raises ValueError, KeyError or TypeError for what is none."""
        mean, spread, weights = (np.array(state[name], np.float64) for name in ("mean", "spread", "weights"))
        if not mean.shape == spread.shape == weights.shape or not (spread > 0).all():
            raise ValueError("a probe whose parts do not fit each other")
        return cls(mean, spread, weights, float(state["bias"]), float(state["hard"]))

    def chance(self, context: Context) -> float:
        """The probability that the first sentence is wrong; 1 where states are no numbers."""
        z = float(((features(context) - self.mean) / self.spread) @ self.weights + self.bias)
        return float(_sigmoid(np.array(z))) if np.isfinite(z) else 1.0

    def is_hard(self, context: Context) -> bool:
        return self.chance(context) > self.hard


def features(context: Context) -> NDArray[np.float64]:
    """[CLAIMS + 1]: the log odds of the likeliest topic and statements, and those of the least sure."""
    likeliest = [likely[0][1] for likely in context.claims]
    odds = np.clip(np.array(likeliest, np.float64), CERTAIN, 1 - CERTAIN)
    logits = np.log(odds / (1 - odds))
    return np.append(logits, logits.min())


def _sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-np.clip(z, -30, 30)))
