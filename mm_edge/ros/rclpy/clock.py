"""Clocks, and how time that jumps is told to those who asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from mm_edge.ros.rclpy.clock_type import ClockType
from mm_edge.ros.rclpy.duration import Duration
from mm_edge.ros.rclpy.time import Time

__all__ = ["Clock", "ClockChange", "ClockType", "JumpThreshold", "ROSClock", "TimeJump"]


class ClockChange(IntEnum):
    ROS_TIME_NO_CHANGE = 1
    ROS_TIME_ACTIVATED = 2
    ROS_TIME_DEACTIVATED = 3
    SYSTEM_TIME_NO_CHANGE = 4


@dataclass(frozen=True)
class JumpThreshold:
    """Jumps forward of at least min_forward, back of at least min_backward (negative), or a change of the source."""

    min_forward: Duration | None
    min_backward: Duration | None
    on_clock_change: bool = False


@dataclass(frozen=True)
class TimeJump:
    clock_change: ClockChange
    delta: Duration


class JumpHandle:
    def __init__(self, clock: Clock, entry: tuple[Any, ...]) -> None:
        self._clock, self._entry = clock, entry

    def unregister(self) -> None:
        if self._entry in self._clock._jumps:
            self._clock._jumps.remove(self._entry)


class Clock:
    """SYSTEM_TIME: wall clock; STEADY_TIME: only ever increases; ROS_TIME: the wall clock, or /clock when used."""

    def __init__(self, *, clock_type: ClockType = ClockType.SYSTEM_TIME) -> None:
        self._type = clock_type
        self._override_ns: int | None = None
        self._jumps: list[tuple[JumpThreshold, Callable[[], None] | None, Callable[[TimeJump], None] | None]] = []

    @property
    def clock_type(self) -> ClockType:
        return self._type

    @property
    def ros_time_is_active(self) -> bool:
        return self._override_ns is not None

    def now(self) -> Time:
        return Time(nanoseconds=self.now_ns(), clock_type=self._type)

    def now_ns(self) -> int:
        if self._override_ns is not None:
            return self._override_ns
        return time.monotonic_ns() if self._type == ClockType.STEADY_TIME else time.time_ns()

    def create_jump_callback(
        self,
        threshold: JumpThreshold,
        *,
        pre_callback: Callable[[], None] | None = None,
        post_callback: Callable[[TimeJump], None] | None = None,
    ) -> JumpHandle:
        entry = (threshold, pre_callback, post_callback)
        self._jumps.append(entry)
        return JumpHandle(self, entry)

    def set_ros_time_override(self, time_: Time) -> None:
        """Take the time from /clock from now on; what counts as a jump is told."""
        change = ClockChange.ROS_TIME_NO_CHANGE if self.ros_time_is_active else ClockChange.ROS_TIME_ACTIVATED
        self._jump(change, time_.nanoseconds)

    def clear_ros_time_override(self) -> None:
        if self.ros_time_is_active:
            self._jump(ClockChange.ROS_TIME_DEACTIVATED, None)

    def _jump(self, change: ClockChange, override_ns: int | None) -> None:
        after_ns = time.time_ns() if override_ns is None else override_ns
        delta = Duration(nanoseconds=after_ns - self.now_ns())
        told = [entry for entry in self._jumps if _counts(entry[0], change, delta)]
        for _, before, _ in told:
            if before is not None:
                before()
        self._override_ns = override_ns
        for _, _, after in told:
            if after is not None:
                after(TimeJump(change, delta))


class ROSClock(Clock):
    def __init__(self) -> None:
        super().__init__(clock_type=ClockType.ROS_TIME)


def _counts(threshold: JumpThreshold, change: ClockChange, delta: Duration) -> bool:
    if change in (ClockChange.ROS_TIME_ACTIVATED, ClockChange.ROS_TIME_DEACTIVATED):
        return threshold.on_clock_change
    forward, backward = threshold.min_forward, threshold.min_backward
    far = forward is not None and delta.nanoseconds > 0 and forward <= delta
    return far or (backward is not None and delta.nanoseconds < 0 and delta <= backward)
