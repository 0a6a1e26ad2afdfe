"""What the model is shown at one instant: plain numpy arrays and numbers in SI units.

Knows nothing about ROS messages, files or where the data came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

import numpy as np
from numpy.typing import NDArray

AUDIO_RATE_HZ = 16_000
AUDIO_WINDOW_S = 1.0


@dataclass(frozen=True)
class VehicleState:
    """The vehicle's own signals; NaN (or gear 0) means unknown. Fields and units are those of msg/VehicleState.msg."""

    speed_mps: float = nan
    acceleration_mps2: float = nan
    yaw_rate_rps: float = nan
    steering_angle_rad: float = nan
    throttle: float = nan
    brake: float = nan
    energy_percent: float = nan
    range_m: float = nan
    speed_limit_mps: float = nan
    gear: int = 0
    left_indicator: bool = False
    right_indicator: bool = False


@dataclass(frozen=True)
class Observation:
    """Everything sensed up to `stamp_ns`.

    image: uint8 [H, W, 3], RGB, any size; None when no camera frame is fresh enough.
    audio: float32 [N], mono at AUDIO_RATE_HZ in [-1, 1], the newest AUDIO_WINDOW_S seconds; None without a microphone.
    """

    stamp_ns: int
    image: NDArray[np.uint8] | None = None
    state: VehicleState = field(default_factory=VehicleState)
    audio: NDArray[np.float32] | None = None
