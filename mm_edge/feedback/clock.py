"""The time that speech goes by. Any clock of the assistant fits; named here because arrows point down."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """ROS time in nanoseconds, for stamps and expiry. May be zero, stand still or jump."""

    def monotonic_s(self) -> float:
        """Seconds that only ever increase, for the pace of speech."""
