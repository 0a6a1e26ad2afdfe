"""How unlike the training data an observation is: Mahalanobis distance on pooled encoder features.

Lee et al. 2018 ("A simple unified framework for detecting out-of-distribution samples", section 2.1) with one Gaussian
instead of one per class, because a scene has no single class. Knows nothing about the encoder; features are vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHRINKAGE = 1e-2
"""Share of the mean variance that is added to every direction, so that directions that never vary do not dominate."""
ALARM = 0.5
"""A score above this is an alarm: the observation is farther out than all but 0.1 % of the calibration data."""


@dataclass(frozen=True)
class Novelty:
    """mean: [p]; whiten: [p, p], to unit variance; typical, extreme: the distances that score 0 and 1/2."""

    mean: NDArray[np.float64]
    whiten: NDArray[np.float64]
    typical: float
    extreme: float

    @classmethod
    def fit(cls, features: ArrayLike, calibration: ArrayLike | None = None) -> Novelty:
        """Fit to features [n, p]; thresholds come from calibration [m, p], else from the same features.

        Raises ValueError when there are fewer than two features or any is not finite.
        """
        data = np.asarray(features, np.float64)
        if data.ndim != 2 or len(data) < 2 or not np.isfinite(data).all():
            raise ValueError(f"novelty needs at least two finite feature vectors, got an array of shape {data.shape}")
        mean = data.mean(0)
        covariance = np.cov(data, rowvar=False).reshape(data.shape[1], data.shape[1])
        covariance += SHRINKAGE * max(np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
        whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        held_out = data if calibration is None else np.asarray(calibration, np.float64)
        distances = np.linalg.norm((held_out - mean) @ whiten.T, axis=1)
        return cls(mean, whiten, float(np.quantile(distances, 0.5)), float(np.quantile(distances, 0.999)))

    def distance(self, feature: ArrayLike) -> float:
        """Mahalanobis distance of one feature [p]."""
        return float(np.linalg.norm(self.whiten @ (np.asarray(feature, np.float64) - self.mean)))

    def score(self, feature: ArrayLike) -> float:
        """0 for a typical feature [p], 1/2 (ALARM) at the edge of what was seen, towards 1 beyond; NaN scores 1."""
        distance = self.distance(feature)
        if not np.isfinite(distance):
            return 1.0
        excess = max(0.0, distance - self.typical) / max(self.extreme - self.typical, 1e-9)
        return float(excess / (1.0 + excess))
