"""What a turn reads before it words anything: a new picture or the last glance, and all of the log, its end, or none.

Both are chosen by the time that is left, as plans are (compute/planner.py): the picture while no more is known than how
long the request is, the log once that is understood. Knows nothing about sensors, or how sentences are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

from mm_edge.assistant.telling import TOLD
from mm_edge.assistant.thinking import Bounds, Thinker
from mm_edge.assistant.topics import request_class
from mm_edge.compute.planner import Way
from mm_edge.compute.relay import reads
from mm_edge.engine.base import Context, Engine, Log, Percept, Scene, Understood
from mm_edge.memory.drive import DriveMemory
from mm_edge.memory.ledger import counted
from mm_edge.model.encoders import IMAGE_TOKENS
from mm_edge.model.graphs import SHORT
from mm_edge.model.observation import Observation

PERCEPT_REUSE_S = 0.1
"""A glance that is no older is as good as a new one."""
LONG_LOG, SHORT_LOG, NO_LOG = "find", "find:short", "find:scene"
"""Stages in which what is asked is found."""
WHOLE, END = "the whole log", "the end of the log"
SKIMMED = "the request was skimmed"


@dataclass(frozen=True)
class Ages:
    """How old the inputs were when a turn began, in milliseconds; `any_ms`: that of the newest, by its stamp; the
    others: of those that were looked at."""

    any_ms: float = nan
    image: float = nan
    state: float = nan
    audio: float = nan

    def later(self, s: float, any_ms: float) -> Ages:
        """After so many seconds."""
        ms = 1e3 * s
        return Ages(any_ms, self.image + ms, self.state + ms, self.audio + ms)


@dataclass(frozen=True)
class Glance:
    """The newest observation, encoded and read after those before it. `at_s`: when, on the monotonic clock; ages: of
    what was looked at, then; tokens: of its picture, 0 for a glance that serves another turn; why: it does, or not."""

    observation: Observation
    percept: Percept
    scene: Scene
    frame_id: str
    at_s: float
    ages: Ages = Ages()
    tokens: int = IMAGE_TOKENS
    why: str = ""

    def again(self, why: str) -> Glance:
        """For another turn."""
        return replace(self, tokens=0, why=why)


@dataclass(frozen=True)
class Found:
    """What a sentence is worded from, in how many slots of the log it was found, and why in these."""

    context: Context
    slots: int
    why: str


class Reader:
    """Of one engine."""

    def __init__(self, engine: Engine, thinker: Thinker) -> None:
        self._engine = reads(engine)
        self._thinker = thinker

    def anew(self, text: str, last: Glance, now_s: float, long: bool, bounds: Bounds) -> tuple[bool, str]:
        """Whether a request deserves a new picture although there is a glance, and why; whoever does not ask, "", gets
        one. long: whether the log is; what a picture would leave of it is thought of."""
        age_s, planner = now_s - last.at_s, self._thinker.planner
        if age_s <= PERCEPT_REUSE_S:
            return False, ""
        if not text or last.observation.image is None or planner.table.seen(age_s, whole=True) is None:
            return True, ""
        new = self._ways("a new picture", 0.0, long, "encode")
        old = self._ways(f"the glance of {age_s:.2f} s ago", age_s, long)
        ahead = (self._understand_stage(text), self._pass(bounds))
        way, why = planner.read([*new, *old], self._thinker.left_ms(bounds), ahead)
        return way in new, why

    def _ways(self, name: str, age_s: float, long: bool, *stages: str) -> list[Way]:
        """With a picture, and all that is left of the log then."""
        whole, end = (self._thinker.planner.table.seen(age_s, part) for part in (True, False))
        if whole is None or end is None:
            return []
        if not long:
            return [Way(name, whole, (*stages, SHORT_LOG))]
        return [
            Way(f"{name}, {WHOLE}", whole, (*stages, LONG_LOG)),
            Way(f"{name}, {END}", end, (*stages, SHORT_LOG)),
        ]

    def find(self, scene: Scene, text: str, style: int, memory: DriveMemory | None, bounds: Bounds) -> Found:
        """What a request, its names marked, is answered from; "" for a turn that nobody asked for."""
        understood = self.understand(scene, text)
        log, why = self._part(text, understood.asked, memory, bounds)
        context = self.find_in(log, scene, understood, style)
        if memory is not None:
            context = counted(self._engine, context, memory.ledger)
        skimmed = SKIMMED if understood.skimmed else ""
        return Found(context, self._slots(log), "; ".join(each for each in (skimmed, why) if each))

    def understand(self, scene: Scene, text: str) -> Understood:
        """As the engine does, and how long it takes is booked."""
        with self._thinker.measured(self._understand_stage(text)):
            return self._engine.understand(scene, text)

    def find_in(self, log: Log | None, scene: Scene, understood: Understood, style: int) -> Context:
        """In this log, or in the scene alone, as the engine does; how long it takes is booked."""
        with self._thinker.measured(NO_LOG if log is None else SHORT_LOG if log.is_short else LONG_LOG):
            return self._engine.find(scene, understood, style, log)

    def _slots(self, log: Log | None) -> int:
        """So many of a log are looked through."""
        if log is None:
            return 0
        return SHORT["find"] if log.is_short else self._engine.log_length + self._engine.memory_length

    def _part(
        self, text: str, asked: Sequence[str], memory: DriveMemory | None, bounds: Bounds
    ) -> tuple[Log | None, str]:
        """The log to find in, or its end; none for what the scene alone can tell, and for what sentences of their own
        tell of the log."""
        kind, planner, log = request_class(text, asked), self._thinker.planner, None
        if memory is not None and kind == "past" and asked[0].strip("<>") not in TOLD:
            log = memory.read()
        every, end = (planner.table.found(kind, whole) for whole in (True, False))
        if log is None or log.is_short or every is None or end is None:
            return log, ""
        ways = Way(WHOLE, every, (LONG_LOG,)), Way(END, end, (SHORT_LOG,))
        way, why = planner.read(ways, self._thinker.left_ms(bounds), (self._pass(bounds),))
        return log if way is ways[0] else log.recent, why

    def _pass(self, bounds: Bounds) -> str:
        return self._thinker.planner.quickest("now", bounds.max_passes, bounds.named)

    def _understand_stage(self, text: str) -> str:
        """Short requests have a graph of their own."""
        short = SHORT["understand"]
        long = len(self._engine.tokenizer.request(text, short + 1)) > short
        return "understand" if long else "understand:short"
