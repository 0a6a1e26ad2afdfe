"""How far one turn can be trusted. The fields and constants are those of msg/TrustReport.msg."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import nan


class Verdict(IntEnum):
    ACCEPTED = 0
    HEDGED = 1
    ASKED = 2
    ABSTAINED = 3


@dataclass(frozen=True)
class TrustReport:
    stamp_ns: int
    request_id: str = ""
    confidence: float = 0.0
    risk_bound: float = nan
    novelty: float = 0.0
    verdict: Verdict = Verdict.ACCEPTED
    verbosity: int = 1
    reasons: tuple[str, ...] = ()
    image_age_ms: float = nan
    state_age_ms: float = nan
    audio_age_ms: float = nan
    frame_id: str = ""
