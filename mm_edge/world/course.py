"""Where a road goes: its bends, and what lies ahead of a place on it. Knows nothing about who drives there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COURSE_STEP_M = 1.0
BENDS = {
    "city street": (75.0, (10, 60), (15, 60)),
    "country road": (110.0, (20, 130), (30, 120)),
    "highway": (500.0, (60, 350), (100, 350)),
}
"""Radius of the tightest bend, lengths of straight pieces and of bends, in metres. In a city a lead vehicle as far
ahead as they get is just in the picture in a bend of 75 m."""
RAMP_M = (10, 30)
"""Over this length a straight piece becomes a bend: a clothoid."""
SIDEWAYS_MPS2 = 3.0
"""The drive's highest speed in its tightest bend gives at most this lateral acceleration."""


class Course:
    """The course of a road whose `curvature` [N] is in 1/m, positive to the left, on a grid of COURSE_STEP_M."""

    def __init__(self, curvature: NDArray[np.float64]) -> None:
        self._places_m = np.arange(len(curvature)) * COURSE_STEP_M
        self._curvature = curvature
        self._heading = _integral(curvature)
        self._x_m, self._y_m = _integral(np.cos(self._heading)), _integral(np.sin(self._heading))

    def curvature(self, travelled_m: float) -> float:
        return float(np.interp(travelled_m, self._places_m, self._curvature))

    def ahead(self, travelled_m: float, ahead_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the road is `ahead_m` [N] metres along it: [N, 2], metres forward and left of `travelled_m`."""
        places_m = np.append(travelled_m + ahead_m, travelled_m)
        x_m, y_m = (np.interp(places_m, self._places_m, each) for each in (self._x_m, self._y_m))
        x_m, y_m = x_m[:-1] - x_m[-1], y_m[:-1] - y_m[-1]
        heading = np.interp(travelled_m, self._places_m, self._heading)
        cos, sin = np.cos(heading), np.sin(heading)
        return np.stack([cos * x_m + sin * y_m, cos * y_m - sin * x_m], axis=1)


def bends(rng: np.random.Generator, road: str, end_m: float, fastest_mps: float) -> NDArray[np.float64]:
    """Straight pieces and bends in turn, up to `end_m`, on the grid of COURSE_STEP_M; a drive may begin inside one."""
    tightest_m, straight_m, bend_m = BENDS[road]
    tightest_m = max(tightest_m, fastest_mps**2 / SIDEWAYS_MPS2)
    places_m, curvature = [-rng.uniform(0, straight_m[1] + bend_m[1])], [0.0]
    while places_m[-1] < end_m:
        ramp_m = rng.uniform(*RAMP_M)
        places_m += list(places_m[-1] + np.cumsum([rng.uniform(*straight_m), ramp_m, rng.uniform(*bend_m), ramp_m]))
        bend = rng.choice([-1.0, 1.0]) / (tightest_m * np.exp(rng.uniform(0, np.log(5))))
        curvature += [0.0, bend, bend, 0.0]
    return np.interp(np.arange(0, end_m + COURSE_STEP_M, COURSE_STEP_M), places_m, curvature)


def _integral(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the first value on, by the trapezoid rule on the grid of COURSE_STEP_M."""
    return np.append(0.0, np.cumsum((values[1:] + values[:-1]) / 2)) * COURSE_STEP_M
