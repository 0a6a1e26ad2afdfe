"""Where the time of one turn went. The fields are those of msg/LatencyReport.msg; durations are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan


@dataclass(frozen=True)
class LatencyReport:
    stamp_ns: int
    request_id: str = ""
    deadline_ms: float = nan
    total_ms: float = nan
    slack_ms: float = nan
    deadline_met: bool = True
    queue_ms: float = 0.0
    encode_ms: float = 0.0
    prefill_ms: float = 0.0
    draft_ms: float = 0.0
    trust_ms: float = 0.0
    input_age_ms: float = nan
    passes: int = 0
    dropped_frames: int = 0
    plan: str = ""
    reason: str = ""
    engine: str = ""
    frame_id: str = ""
