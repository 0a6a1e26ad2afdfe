"""A span of time."""

from __future__ import annotations

from typing import Any

from mm_edge.ros.interfaces import message_class


class Duration:
    """Nanoseconds, with or without a sign. Raises OverflowError beyond 64 bits."""

    def __init__(self, *, seconds: float = 0, nanoseconds: int = 0) -> None:
        total = int(seconds * 1_000_000_000) + int(nanoseconds)
        if not -(2**63) <= total < 2**63:
            raise OverflowError("Total nanoseconds value is too large to store in C duration.")
        self._ns = total

    @property
    def nanoseconds(self) -> int:
        return self._ns

    def to_msg(self) -> Any:
        sec, nanosec = divmod(self._ns, 1_000_000_000)
        return message_class("builtin_interfaces/msg/Duration")(sec=sec, nanosec=nanosec)

    @classmethod
    def from_msg(cls, msg: Any) -> Duration:
        return cls(nanoseconds=msg.sec * 1_000_000_000 + msg.nanosec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self._ns == other._ns

    def __lt__(self, other: Duration) -> bool:
        return self._ns < other._ns

    def __le__(self, other: Duration) -> bool:
        return self._ns <= other._ns

    def __hash__(self) -> int:
        return hash(self._ns)

    def __repr__(self) -> str:
        return f"Duration(nanoseconds={self._ns})"


Infinite = Duration(nanoseconds=2**63 - 1)
