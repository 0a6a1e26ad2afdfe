"""How unlike the training data a picture is: a Mahalanobis distance.

Lee et al. 2018 ("A simple unified framework for detecting out-of-distribution samples", section 2.1) with one Gaussian
instead of one per class, because a scene has no single class. The vector has three parts: the encoder's pooled feature,
the energies of the facts that are read off the picture (Liu et al. 2020, "Energy-based out-of-distribution detection",
equation 4, temperature 1), and plain statistics of the picture's nine fields. The encoder is nearly blind to a covered
lens, which the fields show at once; sensor noise is the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from mm_edge.engine.base import Percept
from mm_edge.model.features import fitted
from mm_edge.model.schema import BY_CAMERA

SHRINKAGE = 1e-2
"""Share of unit variance that is added to every direction, so that directions that never vary do not dominate."""
EXTREME = 0.995
"""Quantile of familiar distances that scores ALARM."""
ALARM = 0.5
"""A score above this is an alarm."""
FIELDS = 3
"""Fields of a picture, in each direction."""
FAINT = 0.1
"""Added to statistics before their logarithm: less of a grey level does not count."""


@dataclass(frozen=True)
class Novelty:
    """mean, scale: [p], of every element; whiten: [p, p], lower triangle, takes scaled elements to unit variance;
    typical, extreme: the distances that score 0 and ALARM."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    whiten: NDArray[np.float64]
    typical: float
    extreme: float

    @classmethod
    def fit(cls, vectors: ArrayLike, calibration: ArrayLike | None = None) -> Novelty:
        """Fit to vectors [n, p]; thresholds come from calibration [m, p], else from the same vectors.

        Raises ValueError when there are fewer than two vectors or any is not finite.
        """
        data = _checked(vectors)
        held_out = data if calibration is None else _checked(calibration)
        mean, scale = data.mean(0), data.std(0) + 1e-6
        covariance = np.cov((data - mean) / scale, rowvar=False).reshape(data.shape[1], data.shape[1])
        whiten = np.linalg.inv(np.linalg.cholesky(covariance + SHRINKAGE * np.eye(len(covariance))))
        distances = np.linalg.norm((held_out - mean) / scale @ whiten.T, axis=1)
        return cls(mean, scale, whiten, float(np.median(distances)), float(np.quantile(distances, EXTREME)))

    def distance(self, vector: ArrayLike) -> float:
        """Mahalanobis distance of one vector [p]."""
        return float(np.linalg.norm(self.whiten @ ((np.asarray(vector, np.float64) - self.mean) / self.scale)))

    def score(self, vector: ArrayLike) -> float:
        """0 for a typical vector [p], ALARM at the edge of what was seen, towards 1 beyond; NaN scores 1."""
        distance = self.distance(vector)
        if not np.isfinite(distance):
            return 1.0
        excess = max(0.0, distance - self.typical) / max(self.extreme - self.typical, 1e-9)
        return float(excess / (1.0 + excess))


def sight(picture: NDArray[np.uint8], percept: Percept) -> NDArray[np.float64]:
    """The vector [p] of a picture [h, w, 3], RGB, and what the encoder made of it."""
    energies = [float(np.logaddexp.reduce(row)) for name, row in percept.logits.items() if name in BY_CAMERA]
    return np.concatenate([np.asarray(percept.pooled, np.float64), energies, appearance(picture)])


def appearance(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Logarithms of light, contrast, colour, edges in both directions and grain of FIELDS * FIELDS fields."""
    small = fitted(picture)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    red, green, blue = cv2.split(small)
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    maps: tuple[Any, ...] = (
        grey,
        (most - least).astype(np.float32),
        np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) / 8,
        np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1)) / 8,
    )
    grain = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    found = [each.mean((1, 2)) for each in map(_fields, maps)]
    found += [_fields(grey).std((1, 2)), np.median(_fields(grain), (1, 2))]
    return np.log(np.concatenate(found).astype(np.float64) + FAINT)


def _fields(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """[H, W] -> [FIELDS * FIELDS, h, w], without what is left over at the edges."""
    high, wide = (length // FIELDS for length in plane.shape)
    cut = plane[: high * FIELDS, : wide * FIELDS].reshape(FIELDS, high, FIELDS, wide)
    return cut.transpose(0, 2, 1, 3).reshape(FIELDS * FIELDS, high, wide)


def _checked(vectors: ArrayLike) -> NDArray[np.float64]:
    data = np.asarray(vectors, np.float64)
    if data.ndim != 2 or len(data) < 2 or not np.isfinite(data).all():
        raise ValueError(f"novelty needs at least two finite vectors, got an array of shape {data.shape}")
    return data
