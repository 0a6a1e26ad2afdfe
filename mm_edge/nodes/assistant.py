"""The node that answers: topics in, one worker that owns the model, topics out."""

from __future__ import annotations

import itertools
from copy import deepcopy
from typing import Any

from rclpy.qos import QoSProfile, qos_profile_sensor_data

from mm_edge.assistant.advice import PathAdvice
from mm_edge.assistant.background import background
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.intake import MACHINE_TOPICS, TOPICS, Intake
from mm_edge.assistant.narrator import Glance, Talk
from mm_edge.assistant.opening import engine_of
from mm_edge.assistant.profiling import keep, known_times
from mm_edge.assistant.scene import SceneReport
from mm_edge.assistant.session import Session
from mm_edge.assistant.stopwatch import STAGES
from mm_edge.assistant.worker import Worker
from mm_edge.compute.latency import LatencyReport
from mm_edge.compute.latency_model import this_machine
from mm_edge.compute.planner import Planner, PlanTable
from mm_edge.compute.processing_time import Level
from mm_edge.engine import next_backend, plans_path, trust_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.engine.export import default_cache
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.hearing import has_voice, open_detector
from mm_edge.feedback.utterance import Utterance
from mm_edge.memory.report import MemoryReport
from mm_edge.msg import SpeechStatus
from mm_edge.nodes.convert import message_class
from mm_edge.nodes.diagnostics import Status
from mm_edge.nodes.managed import ManagedNode
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.report import TrustReport

REQUEST_QOS, EVENT_QOS = QoSProfile(depth=1000), QoSProfile(depth=10)
"""A burst of requests must not overwrite itself."""
RELIABLE = {"request": REQUEST_QOS, "task_step": REQUEST_QOS, "event": EVENT_QOS, "speech/control": EVENT_QOS}
"""Inputs of which none may be lost; of the others the newest counts."""
FAULT_SHOWN_S = 5.0
"""A fault of the inputs is a warning for this long."""
TALK_PROBABILITY = 0.5


def talk() -> Talk | None:
    """Whether people talk in the car, if the machine can tell."""
    detector, _ = open_detector()
    return None if detector is None else lambda samples: has_voice(detector, samples, TALK_PROBABILITY)


class AssistantNode(ManagedNode):
    def __init__(self, **options: Any) -> None:
        self._numbers = itertools.count(1)
        self._worker: Worker | None = None
        self._intake: Intake | None = None
        self._inbox: Inbox | None = None
        self._engine: Engine | None = None
        self._latest = LatencyReport(0, plan="n/a", reason="n/a")
        super().__init__("assistant", STAGES, **options)
        self._settings = self.parameters(AssistantConfig, applied=self._apply)
        self._feedback = self.parameters(FeedbackConfig, "feedback", applied=self._apply)

    def configure(self) -> None:
        config = self._settings.config
        self._engine = self._loaded(config.engine)
        self._constants = self._trusted(self._engine)
        self._planner = self._timed(self._engine, PlanTable.load(plans_path(config.rung), weights_path(config.rung)))
        self.create_outputs(Utterance, LatencyReport, TrustReport, MemoryReport, SceneReport, PathAdvice, Glance)
        self._inputs = [self._subscribe(topic, msgtype) for topic, msgtype in (TOPICS | MACHINE_TOPICS).items()]
        self._inputs.append(self.create_subscription(SpeechStatus, "speech/status", self._heard, REQUEST_QOS))

    def activate(self) -> None:
        self._inbox = Inbox(self._settings.config, self.clock)
        session, settings = self._session(self._inbox), self._feedback.config
        self._worker = worker = Worker(session, self.publish, self._successor, settings, talk())
        self._intake = Intake(self._inbox, worker.submit, worker.refuse, worker.tell, worker.command)
        self._worker.start()

    def deactivate(self) -> None:
        worker, self._worker, self._intake, self._inbox = self._worker, None, None, None
        if worker is not None:
            worker.stop()
            self._background.shutdown(wait=not worker.failure, cancel_futures=True)
            keep(self._planner.latency, self._identity, default_cache())

    def cleanup(self) -> None:
        for subscription in getattr(self, "_inputs", []):
            self.destroy_subscription(subscription)
        self._inputs = []
        self._engine = None

    def publish(self, output: Any) -> None:
        super().publish(output)
        if isinstance(output, LatencyReport):
            self._latest = output
        if isinstance(output, LatencyReport) and output.passes:
            self.times.add({stage: getattr(output, f"{stage}_ms") for stage in STAGES}, self.clock.monotonic_s())

    def tasks(self) -> list[Any]:
        return [self._input_status, self._engine_status, self._worker_status, self._feedback_status]

    def busy_s(self) -> float:
        return 0.0 if self._worker is None else self._worker.busy_s

    def _loaded(self, backend: str) -> Engine:
        engine = engine_of(self._settings.config, backend)
        self.get_logger().info(f"engine: {'; '.join((engine.name, *engine.refused))}")
        return engine

    def _trusted(self, engine: Engine) -> TrustConstants:
        rung, precision = self._settings.config.rung, engine.precision
        return TrustConstants.load(trust_path(rung, precision), weights_path(rung), precision)

    def _timed(self, engine: Engine, table: PlanTable) -> Planner:
        self._identity = this_machine(engine.name, self._settings.config.threads, self._constants.weights_sha256)
        return Planner(table, known_times(engine, table, self.clock, self._identity, default_cache()))

    def _session(self, inbox: Inbox) -> Session:
        assert self._engine is not None
        self._background = background()
        begin, planner = self._background.submit, self._planner
        return Session(inbox.config, self._engine, self._constants, inbox, self.clock, self._numbers, begin, planner)

    def _successor(self, before: Session) -> Session:
        """After a session that hangs: on an engine and a background thread of its own, as either may be why, and with
        times that no late return can change. If it hangs again, the next backend's turn has come."""
        assert self._worker is not None
        self._background.shutdown(wait=False, cancel_futures=True)
        again, table = self._worker.restarts > 1, self._planner.table
        self._engine = self._loaded(next_backend(before.engine) if again else self._settings.config.engine)
        self._constants = self._trusted(self._engine)
        same = self._engine.name == before.engine.name
        self._planner = Planner(table, deepcopy(self._planner.latency)) if same else self._timed(self._engine, table)
        session = self._session(before.inbox)
        session.take_over(before)
        return session

    def _subscribe(self, topic: str, msgtype: str) -> Any:
        def receive(message: Any) -> None:
            if self._intake is not None:
                self._intake.receive(topic, message)

        qos = RELIABLE.get(topic, qos_profile_sensor_data)
        return self.create_subscription(message_class(msgtype), topic, receive, qos)

    def _heard(self, message: Any) -> None:
        if self._worker is not None:
            self._worker.heard(message)

    def _apply(self, _: Any) -> None:
        if self._worker is not None:
            self._worker.configure(self._settings.config, self._feedback.config)

    def _feedback_status(self) -> Status:
        """How much is said of the tasks that run, and how reliable each kind has been."""
        if self._worker is None:
            return Status("feedback", Level.OK, "not active")
        values = self._worker.narrator.standing()
        return Status("feedback", Level.OK, "muted by the user" if values["muted"] else "speaking", values)

    def _engine_status(self) -> Status:
        """Which engine runs the model, and why a preferred one does not."""
        if self._engine is None:
            return Status("engine", Level.OK, "not configured")
        values: dict[str, object] = {"engine": self._engine.name}
        if self._engine.refused:
            return Status("engine", Level.WARN, f"{self._engine.name}; {'; '.join(self._engine.refused)}", values)
        return Status("engine", Level.OK, self._engine.name, values)

    def _worker_status(self) -> Status:
        """Whether somebody answers, how often that one had to be replaced, and the last plan."""
        worker = self._worker
        if worker is None or self._inbox is None:
            return Status("worker", Level.OK, "not active")
        values: dict[str, object] = {"restarts": worker.restarts, "busy_s": worker.busy_s}
        values |= {"scheduling": worker.scheduling, "plan": self._latest.plan, "plan_reason": self._latest.reason}
        recent = {fault.name: fault for fault in self._inbox.faults.since(self.clock.monotonic_s() - FAULT_SHOWN_S)}
        if worker.failure:
            return Status("worker", Level.ERROR, worker.failure, values)
        for name in ("worker_restarted", "no_successor"):
            if name in recent:
                return Status("worker", Level.WARN, f"{name}: {recent[name].detail}", values)
        slowdown = self._planner.latency.slowdown
        state = self._inbox.machine()
        if state is not None and state.throttled:
            message = f"throttled: turns are expected to take {slowdown:.1f} times as long"
            return Status("worker", Level.WARN, message, values | {"slowdown": slowdown})
        return Status("worker", Level.OK, "at work", values)

    def _input_status(self) -> Status:
        """How fresh the inputs are, and what was wrong with them."""
        if self._inbox is None:
            return Status("inputs", Level.OK, "not active")
        ages = self._inbox.ages_ms()
        config, now_s = self._settings.config, self.clock.monotonic_s()
        limits_s = {"image": config.image_timeout_s, "state": config.state_timeout_s, "audio": config.audio_timeout_s}
        lost = [name for name, age_ms in ages.items() if age_ms > limits_s[name] * 1e3]
        faults = self._inbox.faults
        values: dict[str, object] = {f"{name}_age_ms": age_ms for name, age_ms in ages.items()}
        values["waiting_requests"] = self._inbox.waiting
        values |= {f"{fault.name}_count": fault.count for fault in faults.all()}
        recent = faults.since(now_s - FAULT_SHOWN_S)
        if recent:
            return Status("inputs", Level.WARN, f"{recent[0].name}: {recent[0].detail}", values)
        if lost:
            return Status("inputs", Level.WARN, f"nothing new from: {', '.join(lost)}", values)
        return Status("inputs", Level.OK, "fresh" if any(a == a for a in ages.values()) else "no input yet", values)
