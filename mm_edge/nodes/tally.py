"""What reports add up to over the last while: deadlines, doubt, memory. Knows nothing about ROS; time is passed in."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

from mm_edge.trust.monitors import DISTRUST
from mm_edge.trust.novelty import ALARM
from mm_edge.trust.report import Verdict

VERBOSITY = "verbosity "
"""How a reason begins that is none to doubt (assistant/narrator.py)."""


@dataclass(frozen=True)
class Timeliness:
    """heard: whether there was any report; missed_share: of the requests, 0 when there was none."""

    heard: bool
    missed_share: float
    values: Mapping[str, object]


@dataclass(frozen=True)
class Credit:
    """heard: whether there was any report; novel_share: of the turns, those with an unfamiliar picture; doubted_share:
    of the requests, those not answered plainly; distrusted: whether answers were wrong more often than promised."""

    heard: bool
    novel_share: float
    doubted_share: float
    distrusted: bool
    values: Mapping[str, object]


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

    def timeliness(self, now_s: float) -> Timeliness:
        """Of the last `window_s`."""
        turns = self._recent(self._latency, now_s)
        requests = [*{turn.request_id: turn for turn in reversed(turns) if turn.request_id}.values()]
        """The first report of each; a second one is that of an answer after the final word."""
        missed = sum(not turn.deadline_met for turn in requests)
        slack = sorted(turn.slack_ms for turn in requests)
        values: dict[str, object] = {
            "requests": len(requests),
            "missed_deadlines": missed,
            "least_slack_ms": slack[0] if slack else nan,
            "turns": len(turns),
            "slowest_turn_ms": max((turn.total_ms for turn in turns), default=nan),
            "dropped_frames": sum(turn.dropped_frames for turn in turns),
            "memory_slots": "n/a" if self._memory is None else self._memory.physical_length,
            "memory_bytes": "n/a" if self._memory is None else self._memory.bytes,
        }
        heard = bool(turns) or self._memory is not None
        return Timeliness(heard, _share(missed, len(requests)), values)

    def credit(self, now_s: float) -> Credit:
        """Of the last `window_s`."""
        reports = self._recent(self._trust, now_s)
        answered = [report for report in reports if report.request_id]
        verdicts = Counter(report.verdict for report in answered)
        novel = sum(not report.novelty <= ALARM for report in reports)
        reasons = Counter(r for report in reports for r in report.reasons if not r.startswith(VERBOSITY))
        values: dict[str, object] = {f"{verdict.name.lower()}": verdicts[verdict] for verdict in Verdict}
        values |= {
            "novel_pictures": novel,
            "highest_novelty": max((report.novelty for report in reports), default=nan),
            "lowest_confidence": min((report.confidence for report in answered), default=nan),
            "risk_bound": next((r.risk_bound for r in reversed(reports) if not isnan(r.risk_bound)), nan),
            "commonest_reason": reasons.most_common(1)[0][0] if reasons else "none",
        }
        doubted = _share(len(answered) - verdicts[Verdict.ACCEPTED], len(answered))
        return Credit(bool(reports), _share(novel, len(reports)), doubted, DISTRUST.reason in reasons, values)

    def _recent(self, kept: deque[tuple[float, Any]], now_s: float) -> list[Any]:
        while kept and kept[0][0] < now_s - self.window_s:
            kept.popleft()
        return [message for _, message in kept]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
