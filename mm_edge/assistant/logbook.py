"""The log of this drive as a session uses it: what is written into it, and how much of it the engine has read.

Knows nothing about sentences or deadlines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm_edge.assistant.clock import time_of_day_s
from mm_edge.assistant.witness import Witness
from mm_edge.engine.base import Engine, Log
from mm_edge.memory.log import DriveLog
from mm_edge.memory.report import MemoryReport
from mm_edge.model.events import Event
from mm_edge.model.observation import Observation


class Logbook:
    def __init__(self, engine: Engine) -> None:
        self.log = DriveLog(engine.log_length)
        self._engine = engine
        self._witness = Witness()
        self._known: Log | None = None
        self._known_words: tuple[str, ...] = ()

    def begin_anew(self) -> None:
        """Forget everything: a new drive begins."""
        self.log.clear()
        self._witness = Witness()

    def see(
        self, observation: Observation, facts: Mapping[str, tuple[str, float]], alert: str, utc_offset_h: float
    ) -> None:
        """Write what one look shows; alert: what it gave an alert for, "" for none."""
        time_s, sees = observation.stamp_ns / 1e9, observation.image is not None
        for kind, numbers in self._witness.look(time_s, facts, observation.state, sees, alert):
            self.log.add(Event(time_of_day_s(observation.stamp_ns, utc_offset_h), kind, numbers=numbers))

    def step(self, step: Any, stamp_ns: int, utc_offset_h: float) -> None:
        """Write what a TaskStep-like message tells."""
        found = self._witness.step(step)
        if found is not None:
            self.log.add(Event(time_of_day_s(stamp_ns, utc_offset_h), *found))

    def read(self) -> Log | None:
        """The log as the engine has read it, with every line; None while there is none."""
        if self._known_words is not self.log.words:
            known, self._known = self._known, None  # the engine takes its memory over, whatever becomes of it
            self._known = self._engine.read(self.log.words, known)
            self._known_words = self.log.words
        return self._known if self.log.words else None

    def unused(self) -> list[int]:
        """The tokens of names that nobody has: an answer must not hold them."""
        ids = (self._engine.tokenizer.id(mark) for mark in self.log.unused)
        return [index for index in ids if index is not None]

    def added_to(self, report: MemoryReport) -> MemoryReport:
        """A report of the history, with the log's share: a word fills one slot."""
        known = self._known
        held = 0 if known is None else known.k.nbytes + known.v.nbytes + known.bias.nbytes
        return replace(
            report,
            logical_length=report.logical_length + self.log.written,
            physical_length=report.physical_length + len(self.log.words),
            capacity=report.capacity + self.log.most_words,
            bytes=report.bytes + held,
        )
