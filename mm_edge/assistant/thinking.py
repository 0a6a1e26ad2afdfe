"""How a sentence is made within the time there is: a plan, a first complete draft, and better ones while they fit.

Imprecise computation: the first pass of every plan gives something to say and always runs; each further one, and each
round of revision, runs only if it is of use and most likely ends in time. What everything took is booked in the
planner's latency model. Knows nothing about sensors, trust or wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf

from mm_edge.assistant.clock import Clock
from mm_edge.assistant.telling import TOLD, tell
from mm_edge.assistant.topics import request_class
from mm_edge.compute.planner import Plan, Planner
from mm_edge.compute.rounds import Evidence, Facts, doubt
from mm_edge.engine.base import Context, Engine
from mm_edge.generation import DECODERS
from mm_edge.generation.draft import Draft
from mm_edge.memory.digest import Line
from mm_edge.model.network import STYLES

PLANNED = "planned"
"""The value of the parameter decoder with which the deadline chooses one."""
CUT_SHORT = "no time for another pass"


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
    max_passes: most passes over one sentence."""

    due_s: float = inf
    decoder: str = PLANNED
    max_passes: int = 24


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
        self._clock = clock
        self._planner = planner
        self._latency = planner.latency

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Books how long what is inside takes."""
        began_s = self._clock.monotonic_s()
        yield
        self._latency.observe(stage, (self._clock.monotonic_s() - began_s) * 1e3)

    def think(self, task: Task, bounds: Bounds) -> Made:
        """A sentence as good as the time allows; some complete one, however little there is."""
        began_s = self._clock.monotonic_s()
        left_ms = None if bounds.due_s == inf else (bounds.due_s - began_s) * 1e3
        named = "" if bounds.decoder == PLANNED else bounds.decoder
        kind = self._planner.table.graded(request_class(task.text, task.context.asked), task.context)
        choice = self._planner.choose(kind, left_ms, bounds.max_passes, named)
        way = choice.plan.decoder
        draft, ended = self.carry_out(task, choice.plan, bounds.due_s)
        ms = (self._clock.monotonic_s() - began_s) * 1e3
        if ended != CUT_SHORT or ms > choice.foreseen.p99_ms:
            self._latency.settle(choice.foreseen, ms)
        told: list[Draft] = []
        if draft.topic in TOLD:
            telling = tell(
                self._engine, draft.topic, task.lines, task.context.style, way, bounds.max_passes, task.forbidden
            )
            told, _ = self._best(telling, f"tell:{way}", bounds.due_s)
        return Made(draft, tuple(told), choice.plan, f"{choice.reason}; {ended}", choice.foreseen.p99_ms, ms)

    def carry_out(self, task: Task, plan: Plan, due_s: float = inf) -> tuple[Draft, str]:
        """One sentence by this plan, as far as the time allows, and why it is as it is."""
        draft, ended = self._drafted(task, plan, task.context, due_s)
        if plan.rounds and ended != CUT_SHORT:
            return self._revised(task, plan, draft, ended, due_s)
        return draft, ended

    def _drafted(self, task: Task, plan: Plan, context: Context, due_s: float) -> tuple[Draft, str]:
        """One sentence from a context, and why it is as it is."""
        way = plan.decoder
        drafts = DECODERS[way](self._engine, context, plan.max_passes, task.forbidden, task.seed)
        (draft,), ended = self._best(([each] for each in drafts), f"pass:{way}", due_s, f"tell:{way}")
        return draft, ended

    def _revised(self, task: Task, plan: Plan, draft: Draft, ended: str, due_s: float) -> tuple[Draft, str]:
        """The draft, worded anew while the evidence does not bear it out and there is time; nothing is tried twice, and
        the least doubtful one counts."""
        evidence = Evidence(task.context.claims, task.facts)
        passes = draft.passes
        why = doubt(self._engine.tokenizer, draft.ids, draft.confidence, evidence)
        for number in range(plan.rounds):
            if not why:
                break
            if not self._fits(f"pass:{plan.decoder}", due_s):
                ended = CUT_SHORT
                break
            other, _ = self._drafted(task, plan, self._anew(task.context, number), due_s)
            passes += other.passes
            other_why = doubt(self._engine.tokenizer, other.ids, other.confidence, evidence)
            if rank(other, other_why) > rank(draft, why):
                draft, why = other, other_why
            ended = f"revised {number + 1} times, {f'still in doubt: {why}' if why else 'borne out'}"
        return replace(draft, passes=passes), ended

    def _anew(self, context: Context, number: int) -> Context:
        """What to word a sentence from in the round `number`: the likeliest claims alone and all that was found, in
        turns, in one style after the other."""
        style = (context.style - 1 + (number + 1) // 2) % STYLES + 1
        if number % 2 or not context.claims:
            return replace(context, style=style if number % 2 else style % STYLES + 1)
        return self._engine.tell([[likely[0][0] for likely in context.claims]], style)[0]

    def _fits(self, stage: str, due_s: float, behind: str = "") -> bool:
        """Whether another pass most likely ends in time; behind: the stage that must follow it."""
        ahead_ms = self._latency.predict({stage: 1.0}, stage).p99_ms
        if behind:
            ahead_ms += self._latency.predict({behind: 1.0}, behind).p99_ms
        return self._clock.monotonic_s() + ahead_ms / 1e3 <= due_s

    def _best(
        self, passes: Iterator[list[Draft]], stage: str, due_s: float, behind: str = ""
    ) -> tuple[list[Draft], str]:
        """The last drafts before the time is up, and why they are; the first ones always count. behind: the stage that
        must follow if there is more to tell."""
        drafts = self._pass(passes, stage)
        assert drafts is not None
        while True:
            if drafts[0].done:
                return drafts, "settled"
            if not self._fits(stage, due_s, behind if drafts[0].topic in TOLD else ""):
                return drafts, CUT_SHORT
            better = self._pass(passes, stage)
            if better is None:
                return drafts, "most passes made"
            drafts = better

    def _pass(self, passes: Iterator[list[Draft]], stage: str) -> list[Draft] | None:
        foreseen = self._latency.predict({stage: 1.0}, stage)
        began_s = self._clock.monotonic_s()
        drafts = next(passes, None)
        ms = (self._clock.monotonic_s() - began_s) * 1e3
        if drafts is not None:
            self._latency.settle(foreseen, ms)
            self._latency.observe(stage, ms)
        return drafts


def rank(draft: Draft, why: str) -> tuple[bool, bool, float]:
    """Greater for the draft that is to be believed sooner; why: it is in doubt, "" where it is not."""
    return not why, draft.is_sentence, draft.confidence
