"""A point in time of one of the clocks."""

from __future__ import annotations

from typing import Any

from mm_edge.ros.interfaces import message_class
from mm_edge.ros.rclpy.clock_type import ClockType
from mm_edge.ros.rclpy.duration import Duration


class Time:
    """Nanoseconds since the clock's zero. Raises ValueError when negative; clocks of two types do not compare."""

    def __init__(
        self, *, seconds: float = 0, nanoseconds: int = 0, clock_type: ClockType = ClockType.SYSTEM_TIME
    ) -> None:
        if seconds < 0 or nanoseconds < 0:
            raise ValueError("Seconds and nanoseconds values must not be negative")
        self._ns = int(seconds * 1_000_000_000) + int(nanoseconds)
        self.clock_type = clock_type

    @property
    def nanoseconds(self) -> int:
        return self._ns

    def seconds_nanoseconds(self) -> tuple[int, int]:
        return divmod(self._ns, 1_000_000_000)

    def to_msg(self) -> Any:
        sec, nanosec = self.seconds_nanoseconds()
        return message_class("builtin_interfaces/msg/Time")(sec=sec, nanosec=nanosec)

    @classmethod
    def from_msg(cls, msg: Any, clock_type: ClockType = ClockType.ROS_TIME) -> Time:
        return cls(seconds=msg.sec, nanoseconds=msg.nanosec, clock_type=clock_type)

    def __add__(self, other: Duration) -> Time:
        if not isinstance(other, Duration):
            return NotImplemented
        return Time(nanoseconds=self._ns + other.nanoseconds, clock_type=self.clock_type)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Time):
            return Duration(nanoseconds=self._ns - self._same(other))
        if isinstance(other, Duration):
            return Time(nanoseconds=self._ns - other.nanoseconds, clock_type=self.clock_type)
        return NotImplemented

    def _same(self, other: Time) -> int:
        if self.clock_type != other.clock_type:
            raise TypeError("Can't compare times with different clock types")
        return other._ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self._ns == self._same(other)

    def __lt__(self, other: Time) -> bool:
        return self._ns < self._same(other)

    def __le__(self, other: Time) -> bool:
        return self._ns <= self._same(other)

    def __hash__(self) -> int:
        return hash((self._ns, self.clock_type))

    def __repr__(self) -> str:
        return f"Time(nanoseconds={self._ns}, clock_type={self.clock_type.name})"
