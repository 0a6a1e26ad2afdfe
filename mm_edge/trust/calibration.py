"""From a draft's raw confidence to the probability that its facts are right: Platt scaling.

Platt 1999, section 2 (with its smoothed targets): p = sigmoid(slope * logit(confidence) + intercept), fitted offline by
Newton steps on held-out drives. Where hardly anything was wrong, outcomes alone would not tell a slope: a Gaussian
prior holds it near 1, where confidences are taken at their word. Knows nothing about where confidences come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

EDGE = 1e-4
"""Confidences are clipped to [EDGE, 1 - EDGE] before the logit."""


SLOPE_SD = 0.3
"""Standard deviation of the prior of the slope."""


@dataclass(frozen=True)
class Calibration:
    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, confidences: ArrayLike, right: ArrayLike, steps: int = 50) -> Calibration:
        """Fit to raw confidences [n] and whether the facts were right [n].

        Raises ValueError when the lengths differ or are zero.
        """
        x, labels = _logit(confidences), np.asarray(right, bool)
        if x.shape != labels.shape or x.size == 0:
            raise ValueError(f"calibration needs as many outcomes as confidences, got {x.shape} and {labels.shape}")
        positives = labels.sum()
        high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
        target = np.where(labels, high, low)
        design = np.stack([x, np.ones_like(x)], axis=1)
        weights = np.array([1.0, 0.0])
        for _ in range(steps):
            p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
            hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag([SLOPE_SD**-2, 1e-6])
            gradient = design.T @ (p - target) + np.array([(weights[0] - 1.0) / SLOPE_SD**2, 0.0])
            step = np.linalg.solve(hessian, gradient)
            weights -= np.clip(step, -2.0, 2.0)
        return cls(max(0.0, float(weights[0])), float(weights[1]))

    def probability(self, confidence: float) -> float:
        """The calibrated probability for one raw confidence; 0 for none, and for what is not a number."""
        if not confidence > 0:
            return 0.0
        z = self.slope * float(_logit(confidence)) + self.intercept
        return float(1 / (1 + np.exp(-np.clip(z, -30, 30))))


def _logit(confidence: ArrayLike) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(confidence, np.float64), EDGE, 1 - EDGE)
    return np.log(clipped / (1 - clipped))
