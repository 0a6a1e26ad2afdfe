"""The log of this drive as a session uses it: what is written into it, what is remembered, and what is kept on disk.

Knows nothing about sentences or deadlines.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from mm_edge.assistant.clock import time_of_day_s
from mm_edge.assistant.faults import Faults
from mm_edge.assistant.witness import Witness
from mm_edge.engine.base import Engine
from mm_edge.memory import store
from mm_edge.memory.drive import Begin, DriveMemory, at_once
from mm_edge.memory.log import DriveLog
from mm_edge.memory.report import MemoryReport
from mm_edge.model.events import Event
from mm_edge.model.observation import Observation


class Logbook:
    """`weights`: the hash of the engine's, since no other can use what it remembers; `begin` runs what need not be done
    at once: compactions, and the writing of files."""

    def __init__(self, engine: Engine, faults: Faults, weights: str = "", begin: Begin = at_once) -> None:
        self.log = DriveLog()
        self.memory = DriveMemory(engine, begin)
        self._engine = engine
        self._faults = faults
        self._weights = weights
        self._begin = begin
        self._witness = Witness()
        self._writing: Future[Any] | None = None
        self._kept_words = 0
        self._retired = False

    def take_over(self, before: Logbook) -> None:
        """Go on from a copy of another, which keeps no file from now on: a thread that hangs may still write into it.
        Raises ValueError when the memory is of another network."""
        before._retired = True
        self.memory.restore(before.memory.state())
        self.log.restore(deepcopy(before.log.state()))
        self._witness = deepcopy(before._witness)
        self._kept_words = before._kept_words

    def begin_anew(self) -> None:
        """Forget everything: a new drive begins."""
        self.log.clear()
        self.memory.clear()
        self._witness = Witness()
        self._kept_words = 0

    def add(self, event: Event) -> None:
        """Write what happened. Raises ValueError for a name without a letter."""
        words, reused = self.log.add(event)
        if reused:
            self.memory.forget(reused)
        self.memory.write(words)

    def see(
        self, observation: Observation, facts: Mapping[str, tuple[str, float]], alert: str, utc_offset_h: float
    ) -> None:
        """Write what one look shows; alert: what it gave an alert for, "" for none."""
        time_s, sees = observation.stamp_ns / 1e9, observation.image is not None
        for kind, numbers in self._witness.look(time_s, facts, observation.state, sees, alert):
            self.add(Event(time_of_day_s(observation.stamp_ns, utc_offset_h), kind, numbers=numbers))

    def step(self, step: Any, stamp_ns: int, utc_offset_h: float) -> None:
        """Write what a TaskStep-like message tells."""
        found = self._witness.step(step)
        if found is not None:
            self.add(Event(time_of_day_s(stamp_ns, utc_offset_h), *found))

    def tidy(self, now_s: float) -> None:
        """What can be done between two turns; now_s: on the monotonic clock."""
        self.memory.tidy()
        if self.memory.failure:
            self._faults.add("compaction_failed", self.memory.failure, now_s)
            self.memory.failure = ""

    def restore(self, path: Path, now_ns: int, most_s: float, now_s: float) -> None:
        """Go on with the drive that a file tells of, unless it was written more than `most_s` ago."""
        try:
            kept = store.read(path)
            if kept is not None and 0 <= now_ns - kept.state["stamp_ns"] <= most_s * 1e9:
                if kept.state["weights"] != self._weights:
                    raise ValueError(f"{path} was written with other weights")
                self.memory.restore(kept)
                self.log.restore(kept.state["log"])
                self._kept_words = self.memory.written
        except (store.StoreError, OSError, ValueError, KeyError) as error:
            self.begin_anew()
            self._faults.add("memory_not_restored", str(error), now_s)

    def keep(self, path: Path, now_ns: int, now_s: float, wait: bool = False) -> None:
        """Write a file if anything is new and the last one is written; wait: until both are."""
        if self._retired or (self._writing is not None and not (wait or self._writing.done())):
            return
        self._settle(now_s)
        if self._new:
            kept = self.memory.state()
            own = {"stamp_ns": now_ns, "weights": self._weights, "log": self.log.state()}
            whole = store.Kept({**kept.state, **own}, kept.cache)
            self._kept_words = self.memory.written
            self._writing = (at_once if wait else self._begin)(lambda: store.write(path, whole))
            if self._writing.done():
                self._settle(now_s)

    def _settle(self, now_s: float) -> None:
        """What became of the last writing, which is waited for."""
        writing, self._writing = self._writing, None
        if writing is not None and (problem := writing.exception()):
            self._faults.add("memory_not_kept", str(problem), now_s)
            self._kept_words = -1

    @property
    def _new(self) -> bool:
        return self.memory.written != self._kept_words

    def unused(self) -> list[int]:
        """The tokens of names that nobody has: an answer must not hold them."""
        ids = (self._engine.tokenizer.id(mark) for mark in self.log.unused)
        return [index for index in ids if index is not None]

    def added_to(self, report: MemoryReport) -> MemoryReport:
        """A report of the history, with the log's share: slots are those of a head, on average."""
        memory, engine = self.memory, self._engine
        return replace(
            report,
            logical_length=report.logical_length + memory.written,
            physical_length=report.physical_length + round(memory.slots),
            capacity=report.capacity + engine.log_length + engine.memory_length,
            bytes=report.bytes + memory.nbytes,
            compaction_ms=memory.took_ms,
            fidelity=memory.fidelity,
        )
