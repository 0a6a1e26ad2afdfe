"""A machine that heat slows down, played by making an engine wait: what the assistant is told of it, and what it feels.

Knows nothing about what is measured with it.
"""

from __future__ import annotations

import time
from typing import Any

from mm_edge.compute.device import ComputeState, device_name

STAGES = frozenset({
    "encode", "read", "ask", "look", "understand", "find", "prefill", "tell", "decode", "verify", "follow", "flow",
    "path",
})  # fmt: skip
"""Everything of an engine that computes."""
BUSY_LOAD = 0.7
"""The processor is busy, so its clock says something."""


class Throttled:
    """An engine that takes `factor` times as long as the one given."""

    def __init__(self, engine: Any) -> None:
        self.factor = 1.0
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        return self._slow(found) if name in STAGES else found

    def _slow(self, stage: Any) -> Any:
        def slowed(*args: Any, **named: Any) -> Any:
            began_s = time.perf_counter()
            result = stage(*args, **named)
            until_s = began_s + self.factor * (time.perf_counter() - began_s)
            while time.perf_counter() < until_s:  # a slow processor is busy all the while
                pass
            return result

        return slowed


def state(factor: float) -> ComputeState:
    """What the monitor tells of a machine that is `factor` times slower than at its best."""
    return ComputeState(0, device_name(), cpu_load=BUSY_LOAD, clock_ratio=1 / factor, throttled=factor > 1)
