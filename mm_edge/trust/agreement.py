"""Whether the sensors tell of the same world: a picture that stands still on the move, signals that exclude each other.

Time is passed in, in seconds that never go back; what lies further apart than GAP_S says nothing. Knows nothing about
ROS or the model.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mm_edge.model.features import fitted
from mm_edge.model.observation import VehicleState
from mm_edge.trust.judge import Doubt

CELLS = (20, 12)
"""Width and height of the picture that is compared."""
STILL = 0.3
"""Mean change of a cell, in grey levels, between two pictures that are the same; sensor noise alone makes more."""
MOVING_MPS = 3.0
LASTS_S = 1.0
"""For so long a disagreement must last."""
GAP_S = 2.0
PARK = 1
"""Gear of VehicleState."""
STALE_MS = 500.0
"""What was sensed longer ago may no longer hold."""
STALE_FACTOR = 0.8
STANDING_PICTURE = Doubt("the picture stands still while the speed says that the vehicle moves", 0.3)
MOVING_PARKED = Doubt("the gear says park while the speed says that the vehicle moves", 0.5)


class Agreement:
    """Of one drive."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Time began anew."""
        self._cells: NDArray[np.float32] | None = None
        self._stamp_ns: int | None = None
        self._seen_s = -np.inf
        self._still_since_s: float | None = None
        self._parked_since_s: float | None = None
        self._now_s = -np.inf

    def look(self, picture: NDArray[np.uint8] | None, stamp_ns: int, state: VehicleState, now_s: float) -> None:
        """What the sensors show now: picture [h, w, 3], RGB, of `stamp_ns`; one that was seen before is left out."""
        self._now_s = now_s
        moving = abs(state.speed_mps) > MOVING_MPS
        parked = moving and state.gear == PARK
        self._parked_since_s = _since(self._parked_since_s, now_s) if parked else None
        if picture is None or now_s - self._seen_s > GAP_S:
            self._cells = self._still_since_s = None
        if picture is None or stamp_ns == self._stamp_ns:
            return
        grey = cv2.cvtColor(fitted(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
        cells = np.asarray(cv2.resize(grey, CELLS, interpolation=cv2.INTER_AREA), np.float32)
        still = self._cells is not None and float(np.abs(cells - self._cells).mean()) < STILL
        self._still_since_s = _since(self._still_since_s, self._seen_s) if still and moving else None
        self._cells, self._stamp_ns, self._seen_s = cells, stamp_ns, now_s

    def doubts(self, about_scene: bool) -> tuple[Doubt, ...]:
        """What speaks against a sentence about the scene, or about the vehicle."""
        since_s, doubt = (
            (self._still_since_s, STANDING_PICTURE) if about_scene else (self._parked_since_s, MOVING_PARKED)
        )
        return (doubt,) if since_s is not None and self._now_s - since_s >= LASTS_S else ()


def stale(name: str, age_ms: float) -> tuple[Doubt, ...]:
    """What the age of an input says against what is told from it; one that is unknown, or negative as that of a clock
    that jumped, says nothing."""
    return (Doubt(f"the {name} is {age_ms / 1e3:.1f} s old", STALE_FACTOR),) if age_ms > STALE_MS else ()


def _since(before_s: float | None, now_s: float) -> float:
    return now_s if before_s is None else before_s
