"""The two clocks of a turn: the node's clock for stamps and ages, a monotonic one for durations."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """The node's clock (ROS time), in nanoseconds. May be zero, stand still or jump."""

    def monotonic_s(self) -> float:
        """Seconds that only ever increase."""


def time_of_day_s(stamp_ns: int, utc_offset_h: float) -> float:
    """Seconds since local midnight at a stamp."""
    return (stamp_ns / 1e9 + utc_offset_h * 3600) % 86_400


class SystemClock:
    """Wall clock and performance counter, for use outside ROS."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.perf_counter()


class ManualClock:
    """A clock that stands where it is put: drives the core by a recording's stamps, and tests."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def set(self, now_ns: int) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_s(self) -> float:
        return self._now_ns / 1e9
