"""Whether a node keeps up with what it is asked for, in the terms that Autoware's operators know.

A turn that takes longer than `max_allowed_ms` is slow (a warning); slow turns, or one that hangs, for longer than
`max_delay_ms` without a quick one between are a fault (an error). Knows nothing about ROS; time is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """Those of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Standing:
    """`values`: the keys of Autoware's processing_time_status; "n/a" before the first turn."""

    level: Level
    message: str
    values: dict[str, object]


class ProcessingTimes:
    """`stages`: the names of the stages that are reported, in order."""

    def __init__(self, stages: tuple[str, ...], max_allowed_ms: float, max_delay_ms: float) -> None:
        self.max_allowed_ms = max_allowed_ms
        self.max_delay_ms = max_delay_ms
        self._newest: dict[str, float] = {}
        self._stages = stages
        self._slow_since_s: float | None = None
        self._ended_s = 0.0

    def add(self, stages_ms: Mapping[str, float], now_s: float) -> None:
        """One turn that ended now, by its stages."""
        self._newest, self._ended_s = dict(stages_ms), now_s
        taken_ms = sum(stages_ms.values())
        if taken_ms <= self.max_allowed_ms:
            self._slow_since_s = None
        elif self._slow_since_s is None:
            self._slow_since_s = now_s - taken_ms / 1e3

    def standing(self, now_s: float, busy_s: float = 0.0) -> Standing:
        """How things stand. `busy_s`: how long the turn in progress has been running."""
        busy_ms = busy_s * 1e3
        hangs = busy_ms > self.max_allowed_ms
        taken_ms = busy_ms if hangs else sum(self._newest.values())
        until_s = now_s if hangs else self._ended_s
        began_s = self._slow_since_s if self._slow_since_s is not None else until_s - (busy_s if hangs else 0.0)
        delay_ms = (until_s - began_s) * 1e3
        slow, late = taken_ms > self.max_allowed_ms, delay_ms > self.max_delay_ms
        known = bool(self._newest) or hangs
        values: dict[str, object] = {
            "is_processing_time_ms_in_expected_range": not slow if known else "n/a",
            "processing_time_ms": taken_ms if known else "n/a",
            "is_consecutive_processing_delay_in_range": not late if known else "n/a",
            "consecutive_processing_delay_ms": delay_ms if known else "n/a",
        }
        values |= {f"{stage}_time_ms": self._newest.get(stage, "n/a") for stage in self._stages}
        if late:
            return Standing(Level.ERROR, f"too slow for {delay_ms:.0f} ms: at most {self.max_delay_ms:g} ms", values)
        if slow:
            message = f"processing took {taken_ms:.0f} ms: at most {self.max_allowed_ms:g} ms"
            return Standing(Level.WARN, message, values)
        return Standing(Level.OK, "in time" if known else "no turn yet", values)
