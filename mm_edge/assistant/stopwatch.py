"""Where the computing time of one turn goes, stage by stage.

Runs on the machine's own counter, also when the turn's clock is a recording's.
"""

from __future__ import annotations

import time

STAGES = ("encode", "prefill", "draft", "trust")


class Stopwatch:
    """`mark(stage)` books the time since the last mark on that stage."""

    def __init__(self) -> None:
        self._last_s = time.perf_counter()
        self._ms = dict.fromkeys(STAGES, 0.0)

    def mark(self, stage: str) -> None:
        now_s = time.perf_counter()
        self._ms[stage] += (now_s - self._last_s) * 1e3
        self._last_s = now_s

    def stages_ms(self) -> dict[str, float]:
        """Keyed as the fields of LatencyReport: `encode_ms`, `prefill_ms`, `draft_ms`, `trust_ms`."""
        return {f"{stage}_ms": ms for stage, ms in self._ms.items()}

    def total_ms(self) -> float:
        """All that was booked."""
        return sum(self._ms.values())
