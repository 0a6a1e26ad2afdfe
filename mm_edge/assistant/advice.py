"""Where the model expects the vehicle to go, for people and planners: nothing in this package actuates.

Knows nothing about how the path was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, hypot, sin
from typing import Any

from mm_edge.model.policy import SPACING_S

STANDING_M = 0.05
"""In a step shorter than this no direction can be seen: the vehicle keeps the one it had."""


@dataclass(frozen=True)
class PathAdvice:
    """positions_m: (x forward, y left) after every SPACING_S, in `frame_id` as it was at `stamp_ns`."""

    stamp_ns: int
    positions_m: tuple[tuple[float, float], ...]
    frame_id: str

    @property
    def poses(self) -> list[dict[str, Any]]:
        """The values of the geometry_msgs/PoseStamped of a nav_msgs/Path."""
        timed = zip(self.positions_m, headings(self.positions_m), strict=True)
        return [self._pose(number, *where) for number, where in enumerate(timed, 1)]

    def _pose(self, number: int, position_m: tuple[float, float], heading_rad: float) -> dict[str, Any]:
        stamp_ns = self.stamp_ns + round(number * SPACING_S * 1e9)
        stamp = {"sec": stamp_ns // 1_000_000_000, "nanosec": stamp_ns % 1_000_000_000}
        return {
            "header": {"stamp": stamp, "frame_id": self.frame_id},
            "pose": {
                "position": {"x": position_m[0], "y": position_m[1], "z": 0.0},
                "orientation": {"x": 0.0, "y": 0.0, "z": sin(heading_rad / 2), "w": cos(heading_rad / 2)},
            },
        }


def headings(positions_m: Sequence[tuple[float, float]]) -> list[float]:
    """The direction of the step that leads to each position, in radians, positive to the left of the x axis."""
    found, heading_rad = [], 0.0
    for (x0, y0), (x, y) in zip([(0.0, 0.0), *positions_m], positions_m, strict=False):
        if hypot(x - x0, y - y0) > STANDING_M:
            heading_rad = atan2(y - y0, x - x0)
        found.append(heading_rad)
    return found
