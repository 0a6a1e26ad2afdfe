"""The thread that owns the session, one that watches the deadlines, one that watches the first, and one that tells of
tasks.

The worker takes jobs from the inbox and publishes what comes of them. The guard sends an honest "not sure yet" when a
deadline comes before the answer, and the narration tells how tasks go, also when the worker hangs. The watchdog then
sends a successor, which goes on with a copy of what was remembered. Lock order: inbox, then guard, then a request's
claim.
Knows nothing about ROS; `publish` takes the core's dataclasses.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mm_edge.assistant.clock import Clock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.faults import Faults
from mm_edge.assistant.inbox import Look, Pending
from mm_edge.assistant.narration import Narration
from mm_edge.assistant.narrator import Narrator, Talk
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session, Turn
from mm_edge.assistant.shift import Restarts, Shift
from mm_edge.compute.latency import LatencyReport
from mm_edge.compute.priority import ORDINARY, request_realtime
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.feedback.wording import NOT_SURE_YET
from mm_edge.model.events import Event

Publish = Callable[[Any], None]
TOO_MANY = "Too many requests are waiting."
CROWDED = "those before it took until its deadline"
TOO_LATE, HUNG = "the deadline came before the answer", "the model did not respond"
GAVE_UP = "I cannot answer any more: my model does not respond."
AS_USUAL = FeedbackConfig()
JOIN_S = 5.0
"""How long `stop` waits for a pass to end."""
LOOKS_A_STAGE, MOST_LOOK_S = 4, 0.5
"""How often the watchdog looks: so many times in what a stage may take, and at least every so many seconds."""


class DeadlineGuard:
    """Says the final word for a request when its deadline is `reserve` away and the worker has not."""

    def __init__(self, config: AssistantConfig, clock: Clock, publish: Publish, faults: Faults) -> None:
        self._config = config
        self._clock = clock
        self._publish = publish
        self._faults = faults
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Pending]] = []
        self._order = itertools.count()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="deadline_guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Give every request that still waits its final word, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(JOIN_S)

    def configure(self, config: AssistantConfig) -> None:
        self._config = config

    def watch(self, pending: Pending) -> None:
        """Half of the reserve is left for publishing."""
        moment_s = pending.due_s - self._config.reserve_s(pending.request.deadline_ms) / 2
        with self._changed:
            heapq.heappush(self._waiting, (moment_s, next(self._order), pending))
            self._changed.notify()

    def _run(self) -> None:
        request_realtime(self._config.guard_priority)
        while (pending := self._next()) is not None:
            if pending.claim():
                if pending.crowded:
                    self._faults.add("overload", f"request {pending.request.id}: {CROWDED}", self._clock.monotonic_s())
                for output in not_sure_yet(pending, self._clock, CROWDED if pending.crowded else TOO_LATE):
                    self._publish(output)

    def _next(self) -> Pending | None:
        with self._changed:
            while True:
                left_s = self._waiting[0][0] - self._clock.monotonic_s() if self._waiting else None
                if self._waiting and (self._closed or (left_s is not None and left_s <= 0)):
                    return heapq.heappop(self._waiting)[2]
                if self._closed:
                    return None
                self._changed.wait(left_s)


class Worker:
    """Runs a session on a thread of its own until `stop`.

    renew: a session to go on with after one that hangs, from a copy of what that one remembers; None: there is none.
    settings, talk: of the narrator. failure: why nobody works any more, "" while somebody does. scheduling: how urgent
    the operating system lets the thread be.
    """

    def __init__(
        self,
        session: Session,
        publish: Publish,
        renew: Callable[[Session], Session] | None = None,
        settings: FeedbackConfig = AS_USUAL,
        talk: Talk | None = None,
    ) -> None:
        self._inbox = session.inbox
        self._clock = session.clock
        self._config = session.config
        self._publish = publish
        self._renew = renew
        self._guard = DeadlineGuard(session.config, session.clock, publish, session.inbox.faults)
        self.narrator = Narrator(settings, session.config, session.inbox, session.name, talk)
        self._narration = Narration(self.narrator, publish)
        self._session = session
        self._shift = Shift(lambda: session, self._run)
        self._restarts = Restarts()
        self._stopping = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self.failure = ""
        self.scheduling = ORDINARY

    def start(self) -> None:
        self._guard.start()
        self._narration.start()
        self._shift.start(self._clock.monotonic_s())
        if self._renew is not None:
            self._watchdog.start()

    def stop(self) -> None:
        """End after the turn in progress; requests that still wait get their final word."""
        self._stopping.set()
        self._inbox.close()
        if self._watchdog.ident is not None:
            self._watchdog.join(JOIN_S)
        ended = not self.failure and self._shift.join(JOIN_S)
        self._guard.stop()
        self._narration.stop()
        if ended:
            self._session.close()

    def configure(self, config: AssistantConfig, settings: FeedbackConfig) -> None:
        """Go on with other settings from the next turn on."""
        self._config = config
        self._session.configure(config)
        self._guard.configure(config)
        self.narrator.configure(settings, config)

    def submit(self, request: Request) -> None:
        """Queue a request; it gets exactly one final utterance, by its deadline."""
        if replies := self.narrator.asked(request):
            return self._narration.do(lambda: replies)
        if self.failure:
            return self.refuse(request.id, GAVE_UP)
        pending = self._inbox.put_request(request)
        if pending is None:
            self.refuse(request.id, TOO_MANY)
        else:
            self._guard.watch(pending)

    def tell(self, step: Any) -> None:
        """A TaskStep-like message, to be told of and written into the log."""
        self._narration.do(lambda: self.narrator.tell(step))
        self._inbox.put_step(step)

    def command(self, word: str) -> None:
        """A word of speech/control."""
        self._narration.do(lambda: self.narrator.command(word))

    def heard(self, status: Any) -> None:
        """A SpeechStatus-like message."""
        self._narration.do(lambda: self.narrator.heard(status))

    def refuse(self, request_id: str, why: str) -> None:
        """Give the final word for a request that cannot be served."""
        self._publish(refused(request_id, why, self._clock))

    @property
    def busy_s(self) -> float:
        """How long the turn in progress has been running; 0 when there is none."""
        since_s = self._shift.since_s
        return 0.0 if since_s is None else self._clock.monotonic_s() - since_s

    @property
    def restarts(self) -> int:
        """How often a successor was sent."""
        return self._restarts.count

    # -- the worker's thread ------------------------------------------------------------------------------------------

    def _run(self, shift: Shift) -> None:
        try:
            session = shift.made()
        except Exception as error:  # the watchdog sees that the thread ended
            return self._fault("no_successor", f"{type(error).__name__}: {error}")
        if not shift.on_duty:  # it took too long
            return
        self._session = session
        session.configure(self._config)
        session.expect()
        self.scheduling = request_realtime(self._config.realtime_priority)  # making a session is long and not urgent
        while shift.on_duty and (job := self._inbox.next_job()) is not None:
            shift.begin(job, self._clock.monotonic_s())
            try:
                self._do(shift, session, job)
            except Exception as error:
                if shift.on_duty:
                    self._fault("turn_failed", f"{type(error).__name__}: {error}")
            finally:
                shift.end()

    def _do(self, shift: Shift, session: Session, job: Pending | Look | Event | Any) -> None:
        """A final word is said even by who is not on duty any more: it was claimed before."""
        for output in perform(session, job):
            if shift.on_duty or (isinstance(output, Utterance) and output.final):
                self._publish(self.narrator.completed(output))
        if shift.on_duty:
            session.expect()

    # -- the watchdog's thread ----------------------------------------------------------------------------------------

    def _watch(self) -> None:
        request_realtime(self._config.guard_priority)
        while not self.failure and not self._stopping.wait(min(MOST_LOOK_S, self._config.watchdog_s / LOOKS_A_STAGE)):
            problem = self._shift.problem(self._clock.monotonic_s(), self._config.watchdog_s)
            if problem and not self._stopping.is_set():
                self._replace(self._shift, problem)

    def _replace(self, shift: Shift, problem: str) -> None:
        """Send a successor for a thread that hangs; a request that it hung at is tried once more."""
        shift.dismiss()
        now_s, job, renew, before = self._clock.monotonic_s(), shift.job, self._renew, self._session
        assert renew is not None
        if self._restarts.allow(now_s, self._config.max_restarts):
            self._fault("worker_restarted", f"{problem}, at {_named(job)}")
            self._shift = Shift(lambda: renew(before), self._run)
            self._shift.start(now_s)
        else:
            self.failure = f"gave up after {self.restarts} restarts: {problem}, at {_named(job)}"
            self._fault("worker_failed", self.failure)
        if isinstance(job, Pending) and job.claim():
            if job.again or self.failure:
                for output in not_sure_yet(job, self._clock, HUNG):
                    self._publish(output)
            else:
                self._guard.watch(self._inbox.put_again(job))

    def _fault(self, name: str, detail: str) -> None:
        self._inbox.faults.add(name, detail, self._clock.monotonic_s())


def _named(job: Pending | Look | Event | Any) -> str:
    if isinstance(job, Pending):
        return f"request {job.request.id}"
    return "the start" if job is None else f"a {type(job).__name__}"


def perform(session: Session, job: Pending | Look | Event | Any) -> Iterator[Any]:
    """Everything to publish for one job, in order: the utterance first. What comes later is worked out only then."""
    if isinstance(job, Look):
        yield from _look(session, job)
    elif isinstance(job, Pending):
        yield from _reply(session, job)
    elif isinstance(job, Event):
        session.note(job)
    else:
        session.note_step(job)


def _look(session: Session, job: Look) -> Iterator[Any]:
    turn = session.look(job)
    if turn is not None:
        yield from outputs(turn)
    elif session.config.watch:  # it came too late
        return
    path = session.reflect()
    if path is not None:
        yield path


def _reply(session: Session, pending: Pending) -> list[Any]:
    turn = session.answer(pending)
    if pending.claim():
        return outputs(turn)
    useful = turn.utterance is not None and turn.utterance.kind == Kind.ANSWER and session.config.follow_up
    if turn.utterance is not None and useful:
        return outputs(replace(turn, utterance=replace(turn.utterance, kind=Kind.FOLLOW_UP, final=False)))
    return outputs(replace(turn, utterance=None))


def outputs(turn: Turn) -> list[Any]:
    reports = [turn.latency, turn.trust, turn.memory, turn.scene]
    return reports if turn.utterance is None else [turn.utterance, *reports]


def not_sure_yet(pending: Pending, clock: Clock, reason: str) -> list[Any]:
    """The final word for a request whose answer is not there yet, and its report."""
    request, now_s = pending.request, clock.monotonic_s()
    total_ms = (now_s - pending.start_s) * 1e3
    utterance = Utterance(
        stamp_ns=clock.now_ns(),
        id=f"{request.id}/not-yet",
        text=NOT_SURE_YET,
        kind=Kind.UNSURE,
        priority=Priority.NORMAL,
        request_id=request.id,
        final=True,
        confidence=0.0,
    )
    report = LatencyReport(
        stamp_ns=utterance.stamp_ns,
        request_id=request.id,
        deadline_ms=request.deadline_ms,
        total_ms=total_ms,
        slack_ms=request.deadline_ms - total_ms,
        deadline_met=total_ms <= request.deadline_ms,
        queue_ms=total_ms,
        plan="none",
        reason=reason,
    )
    return [utterance, report]


def refused(request_id: str, why: str, clock: Clock) -> Utterance:
    """The final word for a request that cannot be served."""
    return Utterance(
        stamp_ns=clock.now_ns(),
        id=f"{request_id}/refused",
        text=why,
        kind=Kind.REFUSED,
        priority=Priority.NORMAL,
        request_id=request_id,
        final=True,
        confidence=1.0,
    )
