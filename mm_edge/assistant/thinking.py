"""How a sentence is made within the time there is: a plan, a first complete draft, and better ones while they fit.

Imprecise computation: the first pass of every plan gives something to say and always runs; each further one, and each
round of revision, runs only if it is of use and most likely ends in time. What everything took is booked in the
planner's latency model. Knows nothing about sensors, trust or wording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf

from mm_edge.assistant.clock import Clock
from mm_edge.assistant.telling import TOLD, tell
from mm_edge.assistant.topics import request_class
from mm_edge.compute.device import ComputeState
from mm_edge.compute.planner import OWN, SMALL, Choice, Plan, Planner
from mm_edge.compute.relay import Relay
from mm_edge.compute.rounds import Evidence, Facts, doubt
from mm_edge.engine.base import Context, Engine
from mm_edge.generation import DECODERS
from mm_edge.generation.draft import Draft
from mm_edge.memory.digest import Line
from mm_edge.model.graphs import SHORT
from mm_edge.model.network import STYLES

PLANNED = "planned"
"""The value of the parameter decoder with which the deadline chooses one."""
THROTTLED = "the machine is throttled"
CUT_SHORT, GAVE_WAY = "no time for another pass", "another pass would make others late"
READ = {"encode": 1.0, "understand": 1.0, "find": 1.0}
"""What comes before the first pass; a long request and a long log, since that is said before anybody asks. How much of
it turns need is learnt."""


@dataclass(frozen=True)
class Task:
    """What a sentence is to be made of. lines: the text of the log; forbidden: tokens that must not occur; seed: of
    what is drawn at random; facts: of the scene, as `Percept` has them."""

    context: Context
    text: str
    lines: Sequence[Line] = ()
    forbidden: Sequence[int] = ()
    seed: int = 0
    facts: Facts | None = None


@dataclass(frozen=True)
class Bounds:
    """due_s: when the sentence must be there, on the monotonic clock, inf: never; decoder: PLANNED or the one to use;
    max_passes: most passes over one sentence; latest_s: when it must be there for the sake of others who wait, on the
    same clock; asked anew after every pass, since others come meanwhile."""

    due_s: float = inf
    decoder: str = PLANNED
    max_passes: int = 24
    latest_s: Callable[[], float] = lambda: inf

    @property
    def named(self) -> str:
        """The only decoder there is a choice of, "" for any."""
        return "" if self.decoder == PLANNED else self.decoder


@dataclass(frozen=True)
class Made:
    """The last draft, the sentences that follow it, the plan, and why this plan and why it ended. p99_ms: in how much
    time it was expected to be there; ms: in how much it was."""

    draft: Draft
    told: tuple[Draft, ...]
    plan: Plan
    reason: str
    p99_ms: float
    ms: float


class Thinker:
    def __init__(self, engine: Engine, clock: Clock, planner: Planner) -> None:
        self._engine = engine
        self._relay = engine if isinstance(engine, Relay) else None
        self._clock = clock
        self.planner = planner
        self._latency = planner.latency
        self.moved_s = -inf
        """When a stage last began, on the monotonic clock."""

    def machine(self, state: ComputeState | None) -> None:
        """What is known of the computer now; None: nothing."""
        self._latency.machine(state)

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Books how long what is inside takes, and how far off that is what was foreseen."""
        foreseen = self._latency.predict({stage: 1.0}, stage)
        began_s = self.moved_s = self._clock.monotonic_s()
        yield
        ms = (self._clock.monotonic_s() - began_s) * 1e3
        self._latency.settle(foreseen, ms)
        self._latency.observe(stage, ms)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Learns how long what comes before the first pass takes together."""
        began_s, foreseen = self._clock.monotonic_s(), self._latency.predict(READ, "read")
        yield
        self._latency.settle(foreseen, (self._clock.monotonic_s() - began_s) * 1e3)

    def left_ms(self, bounds: Bounds) -> float | None:
        """The time that is left, also for the sake of others; None: there is no end."""
        ends_s = min(bounds.due_s, bounds.latest_s())
        return None if ends_s == inf else (ends_s - self._clock.monotonic_s()) * 1e3

    def least_ms(self, bounds: Bounds) -> tuple[float, float]:
        """How long a turn takes that has no time at all, with the cheapest plan: most likely, and at most, by the 99th
        percentiles of its parts."""
        parts = self._latency.predict(READ, "read"), self.planner.choose("now", 0.0, 1, bounds.named).foreseen
        return sum(part.p50_ms for part in parts), sum(part.p99_ms for part in parts)

    def think(self, task: Task, bounds: Bounds) -> Made:
        """A sentence as good as the time allows; some complete one, however little there is."""
        began_s = self._clock.monotonic_s()
        ends_s = min(bounds.due_s, bounds.latest_s())
        left_ms = None if ends_s == inf else (ends_s - began_s) * 1e3
        kind = self.planner.table.graded(request_class(task.text, task.context.asked), task.context)
        rungs = (OWN, SMALL) if self._relay and self._relay.is_easy(task.context) else (OWN,)
        choice = self._choose(kind, left_ms, bounds, rungs)
        plan = choice.plan
        draft, ended = self.carry_out(task, choice.plan, bounds)
        ms = (self._clock.monotonic_s() - began_s) * 1e3
        if ended not in (CUT_SHORT, GAVE_WAY) or ms > choice.foreseen.p99_ms:
            self._latency.settle(choice.foreseen, ms)
        told: list[Draft] = []
        if draft.topic in TOLD:
            by, most = self._by(plan), bounds.max_passes
            telling = tell(by, draft.topic, task.lines, task.context.style, plan.decoder, most, task.forbidden)
            told, _ = self._best(telling, f"tell:{plan.way}", bounds)
        why = choice.reason if ends_s == bounds.due_s else f"{choice.reason}, as others wait"
        return Made(draft, tuple(told), plan, f"{why}; {ended}", choice.foreseen.p99_ms, ms)

    def _choose(self, kind: str, left_ms: float | None, bounds: Bounds, rungs: Sequence[str]) -> Choice:
        """The plan; the reason tells if it would be another one on a machine that is not throttled, as all predictions
        grow alike."""
        named, slowdown = bounds.named, self._latency.slowdown
        choice = self.planner.choose(kind, left_ms, bounds.max_passes, named, rungs)
        if left_ms is None or slowdown <= 1:
            return choice
        usual = self.planner.choose(kind, left_ms * slowdown, bounds.max_passes, named, rungs)
        return choice if usual.plan == choice.plan else replace(choice, reason=f"{choice.reason}, {THROTTLED}")

    def carry_out(self, task: Task, plan: Plan, bounds: Bounds = Bounds()) -> tuple[Draft, str]:
        """One sentence by this plan, as far as the time allows, and why it is as it is."""
        draft, ended = self._drafted(task, plan, task.context, bounds)
        if plan.rounds and ended not in (CUT_SHORT, GAVE_WAY):
            return self._revised(task, plan, draft, ended, bounds)
        return draft, ended

    def _drafted(self, task: Task, plan: Plan, context: Context, bounds: Bounds) -> tuple[Draft, str]:
        """One sentence from a context, and why it is as it is."""
        by, way = self._by(plan), plan.way
        given = by.handed(context) if isinstance(by, Relay) else context
        drafts = DECODERS[plan.decoder](by, given, plan.max_passes, task.forbidden, task.seed)
        (draft,), ended = self._best(([each] for each in drafts), f"pass:{way}", bounds, f"tell:{way}")
        return draft, ended

    def _by(self, plan: Plan) -> Engine:
        """Who words it: of a relay the large rung alone, or both."""
        return self._engine if self._relay is None or plan.rung == SMALL else self._relay.large

    def _revised(self, task: Task, plan: Plan, draft: Draft, ended: str, bounds: Bounds) -> tuple[Draft, str]:
        """The draft, worded anew while the evidence does not bear it out and there is time; nothing is tried twice, and
        the least doubtful one counts."""
        evidence = Evidence(task.context.claims, task.facts)
        passes = draft.passes
        why = doubt(self._engine.tokenizer, draft.ids, draft.confidence, evidence)
        for number in range(plan.rounds):
            if not why:
                break
            if late := self._late(f"pass:{plan.decoder}", bounds):
                ended = late
                break
            other, _ = self._drafted(task, plan, self._anew(task.context, number, plan), bounds)
            passes += other.passes
            other_why = doubt(self._engine.tokenizer, other.ids, other.confidence, evidence)
            if rank(other, other_why) > rank(draft, why):
                draft, why = other, other_why
            ended = f"revised {number + 1} times, {f'still in doubt: {why}' if why else 'borne out'}"
        return replace(draft, passes=passes), ended

    def _anew(self, context: Context, number: int, plan: Plan) -> Context:
        """What to word a sentence from in the round `number`: the likeliest claims alone and all that was found, in
        turns, in one style after the other."""
        style = (context.style - 1 + (number + 1) // 2) % STYLES + 1
        if number % 2 or not context.claims:
            return replace(context, style=style if number % 2 else style % STYLES + 1)
        return self._by(plan).tell([[likely[0][0] for likely in context.claims]], style)[0]

    def _late(self, stage: str, bounds: Bounds, behind: str = "") -> str:
        """Why there is most likely no time for another pass, "" where there is; behind: the stage that must follow."""
        ahead_ms = sum(self._latency.predict({each: 1.0}, each).p99_ms for each in (stage, behind) if each)
        end_s = self._clock.monotonic_s() + ahead_ms / 1e3
        if end_s > bounds.due_s:
            return CUT_SHORT
        return GAVE_WAY if end_s > bounds.latest_s() else ""

    def _best(
        self, passes: Iterator[list[Draft]], stage: str, bounds: Bounds, behind: str = ""
    ) -> tuple[list[Draft], str]:
        """The last drafts before the time is up, and why they are; the first ones always count. behind: the stage that
        must follow if there is more to tell."""
        drafts = self._pass(passes, stage)
        assert drafts is not None
        while True:
            if drafts[0].done:
                return drafts, "settled"
            if late := self._late(stage, bounds, behind if drafts[0].topic in TOLD else ""):
                return drafts, late
            better = self._pass(passes, stage)
            if better is None:
                return drafts, "most passes made"
            drafts = better

    def _pass(self, passes: Iterator[list[Draft]], stage: str) -> list[Draft] | None:
        foreseen = self._latency.predict({stage: 1.0}, stage)
        began_s = self.moved_s = self._clock.monotonic_s()
        drafts = next(passes, None)
        ms = (self._clock.monotonic_s() - began_s) * 1e3
        if drafts is not None:
            self._latency.settle(foreseen, ms)
            long = any(draft.length >= SHORT["decode"] for draft in drafts)
            self._latency.observe(f"{stage}:long" if long else stage, ms)  # or a long sentence seems a slow machine
        return drafts


def rank(draft: Draft, why: str) -> tuple[bool, bool, float]:
    """Greater for the draft that is to be believed sooner; why: it is in doubt, "" where it is not."""
    return not why, draft.is_sentence, draft.confidence
