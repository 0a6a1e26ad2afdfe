"""What reports add up to over the last while: deadlines, doubt, memory. Knows nothing about ROS; time is passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import nan
from typing import Any

ABSTAINED = 3
"""TrustReport's verdict for what was not said."""


@dataclass(frozen=True)
class Summary:
    """heard: whether there was any report; missed_share: of the requests, 0 when there was none."""

    heard: bool
    missed_share: float
    values: dict[str, object]


class Tally:
    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._latency: deque[tuple[float, Any]] = deque()
        self._trust: deque[tuple[float, Any]] = deque()
        self._memory: Any = None

    def clear(self) -> None:
        self.__init__(self.window_s)  # type: ignore[misc]

    def add(self, topic: str, message: Any, now_s: float) -> None:
        """A LatencyReport, TrustReport or MemoryReport, by its topic."""
        if topic == "memory":
            self._memory = message
        else:
            (self._latency if topic == "latency" else self._trust).append((now_s, message))

    def summary(self, now_s: float) -> Summary:
        """Everything of the last `window_s`."""
        turns, trusts = self._recent(self._latency, now_s), self._recent(self._trust, now_s)
        requests = [*{turn.request_id: turn for turn in reversed(turns) if turn.request_id}.values()]
        """The first report of each; a second one is that of an answer after the final word."""
        missed = sum(not turn.deadline_met for turn in requests)
        slack = sorted(turn.slack_ms for turn in requests)
        answered = [trust for trust in trusts if trust.request_id]
        values: dict[str, object] = {
            "requests": len(requests),
            "missed_deadlines": missed,
            "least_slack_ms": slack[0] if slack else nan,
            "turns": len(turns),
            "slowest_turn_ms": max((turn.total_ms for turn in turns), default=nan),
            "dropped_frames": sum(turn.dropped_frames for turn in turns),
            "not_sure": sum(trust.verdict == ABSTAINED for trust in answered),
            "highest_novelty": max((trust.novelty for trust in trusts), default=nan),
            "memory_slots": "n/a" if self._memory is None else self._memory.physical_length,
            "memory_bytes": "n/a" if self._memory is None else self._memory.bytes,
        }
        heard = bool(turns) or self._memory is not None
        return Summary(heard, missed / len(requests) if requests else 0.0, values)

    def _recent(self, kept: deque[tuple[float, Any]], now_s: float) -> list[Any]:
        while kept and kept[0][0] < now_s - self.window_s:
            kept.popleft()
        return [message for _, message in kept]
