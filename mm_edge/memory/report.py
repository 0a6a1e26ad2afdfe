"""What is remembered, and at what cost. The fields are those of msg/MemoryReport.msg."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan


@dataclass(frozen=True)
class MemoryReport:
    stamp_ns: int
    observations: int = 0
    logical_length: int = 0
    physical_length: int = 0
    capacity: int = 0
    bytes: int = 0
    span_s: float = 0.0
    compaction_ms: float = nan
    fidelity: float = nan
    frame_id: str = ""
