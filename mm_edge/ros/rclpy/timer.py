"""Calls at regular times of a clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mm_edge.ros.rclpy.callback_groups import CallbackGroup
from mm_edge.ros.rclpy.clock import Clock


class Timer:
    """Keeps to its grid: a late call does not move the later ones, missed ones are skipped."""

    def __init__(self, callback: Callable[[], Any], group: CallbackGroup, period_ns: int, clock: Clock) -> None:
        if period_ns < 0:
            raise ValueError("timer period must be non-negative")
        self.callback, self.callback_group, self.clock = callback, group, clock
        self._period_ns = period_ns
        self._next_ns = clock.now_ns() + period_ns
        self._last_ns = clock.now_ns()
        self._canceled = False
        self.on_change: Callable[[], None] | None = None

    @property
    def timer_period_ns(self) -> int:
        return self._period_ns

    @timer_period_ns.setter
    def timer_period_ns(self, value: int) -> None:
        self._period_ns = int(value)
        self.reset()

    def is_canceled(self) -> bool:
        return self._canceled

    def is_ready(self) -> bool:
        return not self._canceled and self.time_until_next_call() <= 0  # type: ignore[operator]

    def cancel(self) -> None:
        self._canceled = True

    def reset(self) -> None:
        self._canceled = False
        self._next_ns = self.clock.now_ns() + self._period_ns
        if self.on_change is not None:
            self.on_change()

    def time_since_last_call(self) -> int:
        return self.clock.now_ns() - self._last_ns

    def time_until_next_call(self) -> int | None:
        """In nanoseconds; None when cancelled."""
        if self._canceled:
            return None
        now_ns = self.clock.now_ns()
        if self._next_ns - now_ns > self._period_ns:  # the clock jumped back
            self._next_ns = now_ns + self._period_ns
        return self._next_ns - now_ns

    def take(self) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        """The call to make when it is time."""
        if not self.is_ready():
            return []
        now_ns = self.clock.now_ns()
        self._last_ns = now_ns
        missed = (now_ns - self._next_ns) // self._period_ns if self._period_ns else 0
        self._next_ns += (missed + 1) * self._period_ns
        return [(self.callback, ())]

    def destroy(self) -> None:
        self._canceled = True
