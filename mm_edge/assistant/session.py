"""One drive in the hands of the model: what is remembered and logged, and one turn at a time.

A turn looks at the newest input, drafts a sentence, improves it while time is left, judges it and words it. Everything
here is synchronous and runs on one thread; time comes from the clock that is passed in. Knows nothing about ROS,
threads or sound.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any

from mm_edge.assistant.advice import PathAdvice
from mm_edge.assistant.assessor import Answer, Assessor
from mm_edge.assistant.clock import Clock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox, Look, Pending
from mm_edge.assistant.logbook import Logbook
from mm_edge.assistant.reading import Ages, Glance, Reader
from mm_edge.assistant.scene import SceneReport
from mm_edge.assistant.sensors import stamp_ns as stamped_ns
from mm_edge.assistant.stopwatch import Stopwatch
from mm_edge.assistant.thinking import Bounds, Task, Thinker
from mm_edge.assistant.topics import REFUSE
from mm_edge.compute.latency import LatencyReport
from mm_edge.compute.planner import Planner
from mm_edge.engine.base import Engine
from mm_edge.feedback.alerts import AlertGate
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.feedback.wording import NOT_ABOUT_THE_DRIVE, capital, hedged, undecided, unsure
from mm_edge.generation.draft import Draft
from mm_edge.generation.slots import fill
from mm_edge.memory.drive import Begin, at_once
from mm_edge.memory.history import History
from mm_edge.memory.report import MemoryReport
from mm_edge.model.events import Event
from mm_edge.model.network import STYLES
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.judge import Judgement
from mm_edge.trust.report import TrustReport, Verdict

HISTORY_SPACING_S = 0.5
"""The spacing of remembered observations that the model was trained with."""
REVERSING_MPS = -0.3
"""At a lower speed no path is given: the model knows forward ones only."""


@dataclass(frozen=True)
class Turn:
    """What one turn produced. `utterance` is None when there was nothing worth saying."""

    utterance: Utterance | None
    latency: LatencyReport
    trust: TrustReport
    memory: MemoryReport
    scene: SceneReport


@dataclass(frozen=True)
class Thought:
    """A draft with its judgement, the plan it was made by, both halves, and why by that one and why it ended."""

    draft: Draft
    judgement: Judgement
    plan: str
    reason: str
    told: tuple[Draft, ...] = ()
    """Sentences that follow it."""


class Session:
    """Owns the history, the log and the wording's random source. `inbox` is where the newest input is read from;
    `numbers` of utterances go on from session to session; `begin`: as in Logbook;
    `planner`: what is known of plans and times.

    If a file is configured, the memory is restored from it and written to it between turns and by `close`.
    """

    def __init__(
        self,
        config: AssistantConfig,
        engine: Engine,
        constants: TrustConstants,
        inbox: Inbox,
        clock: Clock,
        numbers: Iterator[int],
        begin: Begin = at_once,
        planner: Planner | None = None,
    ) -> None:
        self.engine = engine
        self.inbox = inbox
        self.clock = clock
        self.history = History(engine.history_slots, HISTORY_SPACING_S)
        self.logbook = Logbook(engine, inbox.faults, constants.weights_sha256, begin)
        self._assessor = Assessor(constants)
        self._gate = AlertGate(config.alert_repeat_s)
        self.configure(config)
        self._thinker = Thinker(engine, clock, planner or Planner())
        self._reader = Reader(engine, self._thinker)
        self._random = random.Random(config.seed)
        self._epoch = inbox.epoch
        self._glance: Glance | None = None
        self._ages = Ages()
        self._numbers = numbers
        self._unevaluated = 0
        self._advised_ns: int | None = None
        self._kept_s: float | None = None

    def take_over(self, before: Session) -> None:
        """Go on with a copy of what another session remembers, whose thread hangs and may still change its own. Raises
        ValueError when the memory is of another network."""
        self.history = before.history.copy()
        self.logbook.take_over(before.logbook)
        self._gate = deepcopy(before._gate)
        self._assessor.take_over(before._assessor)
        self._epoch, self._kept_s, self._unevaluated = before._epoch, before._kept_s, before._unevaluated

    def configure(self, config: AssistantConfig) -> None:
        """Go on with other settings, from the next turn on; those that are read-only are not looked at again."""
        self.config = self.inbox.config = config
        self._assessor.configure(config)
        self._gate.repeat_s = config.alert_repeat_s

    def name(self) -> str:
        """The id of the next utterance."""
        return f"u{next(self._numbers)}"

    # -- turns --------------------------------------------------------------------------------------------------------

    def look(self, job: Look) -> Turn | None:
        """Evaluate the newest input unasked; None when it came too late and only entered the history."""
        began_s, stopwatch = self.clock.monotonic_s(), Stopwatch()
        late = (began_s - job.arrival_s) * 1e3 > self.config.watch_deadline_ms
        self._unevaluated += job.skipped
        if late or not self.config.watch:
            self._unevaluated += 1
            self._witness(self._see(stopwatch, self._bounds(inf), job.arrival_s))
            return None
        deadline_ms = self.config.watch_deadline_ms
        due_s = job.arrival_s + deadline_ms / 1e3 - self.config.reserve_s(deadline_ms)
        glance, thought = self._think("", due_s, stopwatch, job.arrival_s)
        alert = thought.draft.topic.removeprefix("alert:") if thought.draft.topic.startswith("alert:") else ""
        credible = alert if thought.judgement.verdict != Verdict.ABSTAINED else ""
        priority = self._gate(credible, self.clock.monotonic_s())
        utterance = None
        if priority is not None:
            utterance = self._utterance(glance, thought, Kind.ALERT, priority, alert)
        self._witness(glance, "" if priority is None else alert)
        stopwatch.mark("trust")
        queue_ms = (began_s - job.arrival_s) * 1e3
        return self._turn(glance, thought, utterance, stopwatch, queue_ms, self.config.watch_deadline_ms, "")

    def answer(self, pending: Pending) -> Turn:
        """Answer a request as well as its deadline allows."""
        began_s, stopwatch = self.clock.monotonic_s(), Stopwatch()
        request = pending.request
        due_s = pending.due_s - self.config.reserve_s(request.deadline_ms)
        glance, thought = self._think(request.text, due_s, stopwatch)
        topic = thought.draft.topic
        kind = Kind.REFUSED if topic == REFUSE else Kind.ANSWER
        if kind == Kind.ANSWER and thought.judgement.verdict in (Verdict.ABSTAINED, Verdict.ASKED):
            kind = Kind.UNSURE
        if kind == Kind.ANSWER:
            self._assessor.said(thought.judgement, topic, self.clock.monotonic_s())
        utterance = self._utterance(glance, thought, kind, Priority.NORMAL, topic)
        utterance = replace(utterance, request_id=request.id, final=True)
        stopwatch.mark("trust")
        queue_ms = (began_s - pending.start_s) * 1e3
        return self._turn(glance, thought, utterance, stopwatch, queue_ms, request.deadline_ms, request.id)

    @property
    def moved_s(self) -> float:
        """When a stage of a turn last began, on the monotonic clock."""
        return self._thinker.moved_s

    def expect(self) -> None:
        """Tell the inbox how long turns take."""
        likely_ms, most_ms = self._thinker.least_ms(self._bounds(0.0))
        self.inbox.expect(likely_ms / 1e3, (most_ms - likely_ms) / 1e3)

    def note(self, event: Event) -> None:
        """Write down what happened."""
        self._begin_anew_if_time_did()
        self.logbook.add(event)

    def note_step(self, step: Any) -> None:
        """Write down what a TaskStep-like message tells."""
        self._begin_anew_if_time_did()
        stamp_ns = stamped_ns(step.header) or self.clock.now_ns()
        self.logbook.step(step, stamp_ns, self.config.utc_offset_h)

    def reflect(self) -> PathAdvice | None:
        """What can wait until a look's turn is out, and waits for another look while there are requests: reads what is
        new in the log, keeps the memory small and on disk, and finds where the vehicle will go, if it sees and knows
        its speed."""
        glance = self._glance
        if glance is None or self.inbox.waiting:
            return None
        now_s = self.clock.monotonic_s()
        self.logbook.tidy(now_s)
        if self.config.memory_file and now_s - (self._kept_s or 0.0) >= self.config.memory_save_s:
            self._kept_s = now_s
            self.logbook.keep(Path(self.config.memory_file), self.clock.now_ns(), now_s)
        return self._path(glance) if self.config.advise else None

    def close(self) -> None:
        """Keep what is remembered: the last turn is out."""
        if self.config.memory_file and self._kept_s is not None:
            now_s = self.clock.monotonic_s()
            self.logbook.keep(Path(self.config.memory_file), self.clock.now_ns(), now_s, wait=True)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _path(self, glance: Glance) -> PathAdvice | None:
        """Once for each picture."""
        stamp_ns, speed_mps = glance.observation.stamp_ns, glance.observation.state.speed_mps
        if glance.observation.image is None or stamp_ns == self._advised_ns or not speed_mps >= REVERSING_MPS:
            return None
        self._advised_ns = stamp_ns
        positions_m = self.engine.path(glance.scene, max(0.0, speed_mps)).tolist()
        if not all(isfinite(metres) for position_m in positions_m for metres in position_m):
            self.inbox.faults.add("bad_path", "the engine gave a path of no numbers", self.clock.monotonic_s())
            return None
        return PathAdvice(stamp_ns, tuple((x, y) for x, y in positions_m), self.config.vehicle_frame)

    def _see(self, stopwatch: Stopwatch, bounds: Bounds, arrival_s: float = -inf, request: str = "") -> Glance:
        """The newest observation, encoded and remembered, or the last glance, unless that was before `arrival_s`: for
        every turn that begins a moment later, and for a request if it is to be."""
        ages = Ages(self.inbox.input_age_ms(), **self.inbox.ages_ms())
        for at_s in self.inbox.contradictions():
            self._assessor.contradicted(at_s)
        self._begin_anew_if_time_did()
        now_s = self.clock.monotonic_s()
        last = self._glance if self._glance and self._glance.at_s >= arrival_s else None
        long = self.logbook.memory.is_long
        anew, why = self._reader.anew(request, last, now_s, long, bounds) if last else (True, "")
        if last and not anew:
            glance = last.again(why)
        else:
            observation, frame_id = self.inbox.observation()
            with self._thinker.measured("encode"):
                percept = self.engine.encode(observation)
                self.history.add(observation.stamp_ns, percept.summary)
                scene = self.engine.look(self.history.recall(observation.stamp_ns), percept)
            glance = self._glance = Glance(observation, percept, scene, frame_id, now_s, ages, why=why)
            self._assessor.look(observation, percept, now_s)
        self._ages = glance.ages.later(now_s - glance.at_s, ages.any_ms)
        stopwatch.mark("encode")
        return glance

    def _begin_anew_if_time_did(self) -> None:
        """A drive goes on that a file tells of; only now, since a simulated clock stands still before any input."""
        if self._kept_s is None and self.config.memory_file:
            self._kept_s, path = self.clock.monotonic_s(), Path(self.config.memory_file)
            self.logbook.restore(path, self.clock.now_ns(), self.config.memory_resume_s, self._kept_s)
        if self._epoch != self.inbox.epoch:
            self._epoch = self.inbox.epoch
            self._glance = self._advised_ns = None
            self.history.clear()
            self.logbook.begin_anew()
            self._gate.clear()
            self._assessor.clear()

    def _witness(self, glance: Glance, alert: str = "") -> None:
        self.logbook.see(glance.observation, glance.percept.facts, alert, self.config.utc_offset_h)

    def _think(self, text: str, due_s: float, stopwatch: Stopwatch, arrival_s: float = -inf) -> tuple[Glance, Thought]:
        self._thinker.machine(self.inbox.machine())
        bounds = self._bounds(due_s)
        with self._thinker.reading():
            glance = self._see(stopwatch, bounds, arrival_s, text)
            marked = self.logbook.log.marked(text)
            found = self._reader.find(glance.scene, marked, self._style(), self.logbook.memory, bounds)
        context = found.context
        stopwatch.mark("prefill")
        forbidden = [*self.logbook.unused(), *(self.engine.tokenizer.unasked if text else ())]
        facts = glance.percept.facts
        task = Task(context, text, self.logbook.log.lines, forbidden, self._random.getrandbits(32), facts)
        made = self._thinker.think(task, bounds)
        stopwatch.mark("draft")
        draft, told = made.draft, [each for each in made.told if each.is_sentence]
        confidence = min(each.confidence for each in (draft, *told)) if draft.is_sentence else 0.0
        answer = Answer(confidence, draft.topic, made.plan.decoder, marked, context.asked)
        judgement = self._assessor.judge(answer, self._ages.image, self._ages.state)
        if not draft.is_sentence:
            judgement = replace(judgement, reasons=("the draft is no sentence of the language", *judgement.reasons))
        plan = f"{made.plan} image={glance.tokens} slots={found.slots}"
        reason = "; ".join(why for why in (made.reason, glance.why, found.why) if why)
        return glance, Thought(draft, judgement, plan, reason, tuple(told))

    def _bounds(self, due_s: float) -> Bounds:
        return Bounds(due_s, self.config.decoder, self.config.max_passes, self.inbox.latest_end_s)

    def _style(self) -> int:
        return self.config.style or self._random.randint(1, STYLES)

    def _utterance(self, glance: Glance, thought: Thought, kind: Kind, priority: Priority, topic: str) -> Utterance:
        lasts_s = self.config.alert_expires_s if kind == Kind.ALERT else self.config.answer_expires_s
        return Utterance(
            stamp_ns=glance.observation.stamp_ns,
            id=self.name(),
            text=self._words(glance, thought, kind, topic),
            kind=kind,
            priority=priority,
            topic=topic,
            confidence=thought.judgement.confidence,
            expires_ns=self.clock.now_ns() + round(lasts_s * 1e9),
            frame_id=glance.frame_id,
        )

    def _words(self, glance: Glance, thought: Thought, kind: Kind, topic: str) -> str:
        if topic == REFUSE and thought.judgement.verdict == Verdict.ABSTAINED:
            return NOT_ABOUT_THE_DRIVE
        if kind == Kind.UNSURE:
            options = thought.judgement.options
            return undecided(topic, options) if options else unsure(topic)
        sentences = " ".join(each.text for each in (thought.draft, *thought.told))
        text = fill(sentences, glance.observation.state)
        if thought.judgement.verdict == Verdict.HEDGED:
            text = hedged(text)
        return capital(self.logbook.log.filled(text))

    def _turn(
        self,
        glance: Glance,
        thought: Thought,
        utterance: Utterance | None,
        stopwatch: Stopwatch,
        queue_ms: float,
        deadline_ms: float,
        request_id: str,
    ) -> Turn:
        total_ms = queue_ms + stopwatch.total_ms()
        stamp_ns, frame_id = glance.observation.stamp_ns, glance.frame_id
        dropped, self._unevaluated = self._unevaluated, 0
        latency = LatencyReport(
            stamp_ns=stamp_ns,
            request_id=request_id,
            deadline_ms=deadline_ms,
            total_ms=total_ms,
            slack_ms=deadline_ms - total_ms,
            deadline_met=total_ms <= deadline_ms,
            queue_ms=queue_ms,
            **stopwatch.stages_ms(),
            input_age_ms=self._ages.any_ms,
            passes=thought.draft.passes + max((each.passes for each in thought.told), default=0),
            dropped_frames=dropped,
            plan=f"{self.config.rung}/{thought.plan}",
            reason=thought.reason,
            engine=self.engine.name,
            frame_id=frame_id,
        )
        trust = TrustReport(
            stamp_ns=stamp_ns,
            request_id=request_id,
            confidence=thought.judgement.confidence,
            risk_bound=self._assessor.risk_bound,
            novelty=thought.judgement.novelty,
            verdict=thought.judgement.verdict,
            reasons=thought.judgement.reasons,
            image_age_ms=self._ages.image,
            state_age_ms=self._ages.state,
            audio_age_ms=self._ages.audio,
            frame_id=frame_id,
        )
        memory = self.logbook.added_to(self.history.report(stamp_ns, frame_id))
        return Turn(utterance, latency, trust, memory, _scene(glance))


def _scene(glance: Glance) -> SceneReport:
    facts = glance.percept.facts
    return SceneReport(
        stamp_ns=glance.observation.stamp_ns,
        names=tuple(facts),
        values=tuple(value for value, _ in facts.values()),
        probabilities=tuple(probability for _, probability in facts.values()),
        frame_id=glance.frame_id,
    )
