"""The node that answers: topics in, one worker that owns the model, topics out."""

from __future__ import annotations

import itertools
from typing import Any

from rclpy.qos import QoSProfile, qos_profile_sensor_data

from mm_edge.assistant.advice import PathAdvice
from mm_edge.assistant.background import background
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.intake import TOPICS, Intake
from mm_edge.assistant.profiling import keep, known_times
from mm_edge.assistant.scene import SceneReport
from mm_edge.assistant.session import Session
from mm_edge.assistant.stopwatch import STAGES
from mm_edge.assistant.worker import Worker
from mm_edge.compute.latency import LatencyReport
from mm_edge.compute.latency_model import this_machine
from mm_edge.compute.planner import Planner, PlanTable
from mm_edge.compute.processing_time import Level
from mm_edge.engine import load, plans_path, trust_path, weights_path
from mm_edge.engine.export import default_cache
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.feedback.utterance import Utterance
from mm_edge.memory.report import MemoryReport
from mm_edge.nodes.convert import message_class
from mm_edge.nodes.diagnostics import Status
from mm_edge.nodes.managed import ManagedNode
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.report import TrustReport

REQUEST_QOS, EVENT_QOS = QoSProfile(depth=1000), QoSProfile(depth=10)
"""A burst of requests must not overwrite itself."""
RELIABLE = {"request": REQUEST_QOS, "task_step": REQUEST_QOS, "event": EVENT_QOS}
"""Inputs of which none may be lost; of the others the newest counts."""
FAULT_SHOWN_S = 5.0
"""A fault of the inputs is a warning for this long."""


class AssistantNode(ManagedNode):
    def __init__(self, **options: Any) -> None:
        self._numbers = itertools.count(1)
        self._worker: Worker | None = None
        self._intake: Intake | None = None
        self._inbox: Inbox | None = None
        self._engine: GraphEngine | None = None
        super().__init__("assistant", STAGES, **options)
        self._settings = self.parameters(AssistantConfig, applied=self._apply)

    def configure(self) -> None:
        config = self._settings.config
        self._engine = load(config.rung, config.threads, config.engine, config.precision)
        self.get_logger().info(f"engine: {'; '.join((self._engine.name, *self._engine.refused))}")
        weights = weights_path(config.rung)
        precision = self._engine.precision
        self._constants = TrustConstants.load(trust_path(config.rung, precision), weights, precision)
        table = PlanTable.load(plans_path(config.rung), weights)
        self._identity = this_machine(self._engine.name, config.threads, self._constants.weights_sha256)
        latency = known_times(self._engine, table, self.clock, self._identity, default_cache())
        self._planner = Planner(table, latency)
        self.create_outputs(Utterance, LatencyReport, TrustReport, MemoryReport, SceneReport, PathAdvice)
        self._inputs = [self._subscribe(topic, msgtype) for topic, msgtype in TOPICS.items()]

    def activate(self) -> None:
        assert self._engine is not None
        config = self._settings.config
        self._inbox = Inbox(config, self.clock)
        self._background = background()
        session = Session(
            config,
            self._engine,
            self._constants,
            self._inbox,
            self.clock,
            self._numbers,
            self._background.submit,
            self._planner,
        )
        self._worker = Worker(session, self.publish)
        self._intake = Intake(self._inbox, self._worker.submit, self._worker.refuse)
        self._worker.start()

    def deactivate(self) -> None:
        worker, self._worker, self._intake, self._inbox = self._worker, None, None, None
        if worker is not None:
            worker.stop()
            self._background.shutdown(cancel_futures=True)
            keep(self._planner.latency, self._identity, default_cache())

    def cleanup(self) -> None:
        for subscription in getattr(self, "_inputs", []):
            self.destroy_subscription(subscription)
        self._inputs = []
        self._engine = None

    def publish(self, output: Any) -> None:
        super().publish(output)
        if isinstance(output, LatencyReport) and output.passes:
            self.times.add({stage: getattr(output, f"{stage}_ms") for stage in STAGES}, self.clock.monotonic_s())

    def tasks(self) -> list[Any]:
        return [self._input_status, self._engine_status]

    def busy_s(self) -> float:
        return 0.0 if self._worker is None else self._worker.busy_s

    def _subscribe(self, topic: str, msgtype: str) -> Any:
        def receive(message: Any) -> None:
            if self._intake is not None:
                self._intake.receive(topic, message)

        qos = RELIABLE.get(topic, qos_profile_sensor_data)
        return self.create_subscription(message_class(msgtype), topic, receive, qos)

    def _apply(self, config: AssistantConfig) -> None:
        if self._worker is not None:
            self._worker.configure(config)

    def _engine_status(self) -> Status:
        """Which engine runs the model, and why a preferred one does not."""
        if self._engine is None:
            return Status("engine", Level.OK, "not configured")
        values: dict[str, object] = {"engine": self._engine.name}
        if self._engine.refused:
            return Status("engine", Level.WARN, f"{self._engine.name}; {'; '.join(self._engine.refused)}", values)
        return Status("engine", Level.OK, self._engine.name, values)

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
