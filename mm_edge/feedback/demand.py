"""Whether the driver is busy: a moment in which nothing is said that nobody asked for.

The signals and their limits are this project's: hard braking, turning, reversing, an indicator that is on, and some
seconds after each; the study (Kirmayr et al. 2026, theme T2) names driving demand and gives no measure of it. Time
comes in as an argument.
"""

from __future__ import annotations

from math import inf

from mm_edge.model.observation import VehicleState

BRAKING_MPS2 = -2.5
"""Harder than in ordinary traffic."""
TURNING_RPS = 0.15
"""At 30 km/h a curve of 55 m radius."""
MOVING_MPS = 1.0
LASTS_S = 3.0
"""After the last sign of it."""


class Demand:
    def __init__(self) -> None:
        self._until_s = -inf

    def look(self, state: VehicleState, now_s: float) -> None:
        """What the vehicle says now; what is unknown is no sign."""
        moving = abs(state.speed_mps) > MOVING_MPS
        signs = (
            state.acceleration_mps2 < BRAKING_MPS2,
            moving and abs(state.yaw_rate_rps) > TURNING_RPS,
            moving and (state.left_indicator or state.right_indicator),
            state.speed_mps < -MOVING_MPS,
        )
        if any(signs):
            self.mark(now_s)

    def mark(self, now_s: float) -> None:
        """Something else shows it, such as an alert."""
        self._until_s = max(self._until_s, now_s + LASTS_S)

    def high(self, now_s: float) -> bool:
        return now_s < self._until_s
