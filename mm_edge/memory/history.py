"""The recent past in a fixed number of slots: one summary token per remembered observation.

The trunk was trained on summaries at a regular spacing; sensors are not regular. So summaries are kept a little denser
than needed, and `recall` picks, for each age that the trunk expects, the one nearest to it. Knows nothing about how a
summary is made.
"""

from __future__ import annotations

from collections import deque
from copy import copy

import torch
from torch import Tensor

from mm_edge.memory.report import MemoryReport

JUMP_BACK_NS = 1_000_000_000
OVERSAMPLING = 4
"""Summaries kept per slot: the age of a recalled one is off by at most half of spacing / OVERSAMPLING."""


class History:
    """At most `slots * OVERSAMPLING` summaries [d]; the oldest is forgotten first."""

    def __init__(self, slots: int, spacing_s: float) -> None:
        self.slots = slots
        self.spacing_ns = round(spacing_s * 1e9)
        self._kept: deque[tuple[int, Tensor]] = deque(maxlen=slots * OVERSAMPLING)
        self._seen = 0

    def copy(self) -> History:
        """Another of the same content, which does not change when this one does."""
        other = copy(self)
        other._kept = self._kept.copy()
        return other

    def add(self, stamp_ns: int, summary: Tensor) -> None:
        """Remember one observation [d]; a stamp far behind the newest one means that time began anew."""
        if self._kept and self._kept[-1][0] - stamp_ns > JUMP_BACK_NS:
            self.clear()
        self._seen += 1
        if not self._kept or stamp_ns - self._kept[-1][0] >= self.spacing_ns // OVERSAMPLING:
            self._kept.append((stamp_ns, summary))

    def clear(self) -> None:
        """Forget everything: a new drive begins, or the clock jumped back."""
        self._kept.clear()
        self._seen = 0

    def recall(self, now_ns: int) -> Tensor | None:
        """Summaries [M, d] at the ages k * spacing before `now_ns`, oldest first; None when there is none."""
        chosen = [self._nearest(now_ns - age * self.spacing_ns) for age in range(self.slots, 0, -1)]
        found = [summary for summary in chosen if summary is not None]
        return torch.stack(found) if found else None

    def _nearest(self, stamp_ns: int) -> Tensor | None:
        stamp, summary = min(self._kept, key=lambda kept: abs(kept[0] - stamp_ns), default=(0, None))
        return summary if summary is not None and abs(stamp - stamp_ns) <= self.spacing_ns // 2 else None

    def report(self, stamp_ns: int, frame_id: str = "") -> MemoryReport:
        span_ns = self._kept[-1][0] - self._kept[0][0] if self._kept else 0
        return MemoryReport(
            stamp_ns=stamp_ns,
            observations=self._seen,
            logical_length=self._seen,
            physical_length=len(self._kept),
            capacity=self._kept.maxlen or 0,
            bytes=sum(summary.nbytes for _, summary in self._kept),
            span_s=span_ns / 1e9,
            frame_id=frame_id,
        )
