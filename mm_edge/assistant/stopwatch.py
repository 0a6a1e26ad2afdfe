"""Where the time of one turn goes, stage by stage."""

from __future__ import annotations

from mm_edge.assistant.clock import Clock

STAGES = ("encode", "prefill", "draft", "trust")


class Stopwatch:
    """`mark(stage)` books the time since the last mark on that stage."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began_s = self._last_s = clock.monotonic_s()
        self._ms = dict.fromkeys(STAGES, 0.0)

    def mark(self, stage: str) -> None:
        now_s = self._clock.monotonic_s()
        self._ms[stage] += (now_s - self._last_s) * 1e3
        self._last_s = now_s

    def stages_ms(self) -> dict[str, float]:
        """Keyed as the fields of LatencyReport: `encode_ms`, `prefill_ms`, `draft_ms`, `trust_ms`."""
        return {f"{stage}_ms": ms for stage, ms in self._ms.items()}
