"""A policy that answers one request at a time, in real time from the picture to the sentence, as a session does.

Knows nothing about loads, or what is made of its answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.reading import Glance, Reader
from mm_edge.assistant.thinking import Bounds, Made, Task, Thinker
from mm_edge.compute.device import ComputeState
from mm_edge.compute.planner import Planner
from mm_edge.engine.base import Engine
from mm_edge.model.encoders import IMAGE_TOKENS
from mm_edge.model.observation import Observation
from mm_edge.training.evaluate import Posed, said
from mm_edge.world.questions import right

RESERVE_MS = 3.0
"""Time before the deadline at which the sentence must be there: what follows is wording, which takes less."""


@dataclass(frozen=True)
class Job:
    """A request with what is to be seen, what was seen `age_s` before, the deadline, and the policy's seed."""

    posed: Posed
    observation: Observation
    last: Glance
    age_s: float
    deadline_ms: float
    seed: int


@dataclass(frozen=True)
class Trial:
    """What a policy made of a request. place: how many came before it under this load; tokens: of a new picture, 0
    where the last glance served; slots: of the log."""

    load: str
    place: int
    deadline_ms: float
    total_ms: float
    right: bool
    made: Made
    tokens: int = IMAGE_TOKENS
    slots: int = 0

    @property
    def late(self) -> bool:
        return self.total_ms > self.deadline_ms

    @property
    def good(self) -> bool:
        return self.right and not self.late


class Policy:
    """decoder: as the parameter of that name; hopes: the deadline is not looked at."""

    def __init__(self, engine: Engine, planner: Planner, decoder: str, hopes: bool = False) -> None:
        self._engine, self._decoder, self._hopes = engine, decoder, hopes
        self._clock = SystemClock()
        self._thinker = Thinker(engine, self._clock, planner)
        self._reader = Reader(engine, self._thinker)

    def told(self, machine: ComputeState | None) -> None:
        """What the monitor says of the machine; None: nothing."""
        self._thinker.machine(machine)

    def answer(self, job: Job, load: str, place: int) -> Trial:
        """The sentence, and how many milliseconds it took from the picture on."""
        posed, forbidden = job.posed, job.posed.forbidden(self._engine)
        began_s = self._clock.monotonic_s()
        due_s = inf if self._hopes else began_s + (job.deadline_ms - RESERVE_MS) / 1e3
        bounds = Bounds(due_s, self._decoder)
        glance = self._seen(job, bounds)
        found = self._reader.find(glance.scene, posed.request, posed.style, posed.memory, bounds)
        task = Task(found.context, posed.request, (), forbidden, job.seed, glance.percept.facts)
        made = self._thinker.think(task, bounds)
        total_ms = (self._clock.monotonic_s() - began_s) * 1e3
        is_right = right(said(made.draft), posed.question)
        return Trial(load, place, job.deadline_ms, total_ms, is_right, made, glance.tokens, found.slots)

    def _seen(self, job: Job, bounds: Bounds) -> Glance:
        """The picture, or the last glance, as a session has it."""
        now_s = self._clock.monotonic_s()
        last = replace(job.last, at_s=now_s - job.age_s)
        anew, why = self._reader.anew(job.posed.request, last, now_s, True, bounds)
        if not anew:
            return last.again(why)
        with self._thinker.measured("encode"):
            percept = self._engine.encode(job.observation)
            scene = self._engine.look(job.posed.past, percept)
        return Glance(job.observation, percept, scene, "", now_s)
