"""What all nodes of this package share: a life cycle that may start itself, and diagnostics in every state of it.

A subclass overrides `configure`, `activate`, `deactivate` and `cleanup`, which raise to say that they cannot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile

from mm_edge.assistant.narrator import Glance
from mm_edge.assistant.outputs import OUTPUTS
from mm_edge.compute.processing_time import Level, ProcessingTimes
from mm_edge.feedback.playback import Ducking
from mm_edge.nodes.config import DiagnosticsConfig, NodeConfig
from mm_edge.nodes.convert import MESSAGES, to_message
from mm_edge.nodes.diagnostics import Diagnostics, Status
from mm_edge.nodes.parameters import Parameters

DONE, FAILED = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
OUTPUT_DEPTH = 100
"""Requests come in bursts, and each has its answer and its reports."""
LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED = (Glance, Ducking)
"""States rather than events: who comes late gets the newest."""


class NodeClock:
    """ROS time of a node for stamps, a monotonic clock for durations."""

    def __init__(self, node: Any) -> None:
        self._clock = node.get_clock()

    def now_ns(self) -> int:
        return int(self._clock.now().nanoseconds)

    def monotonic_s(self) -> float:
        return time.perf_counter()


class ManagedNode(LifecycleNode):  # type: ignore[misc]
    """`stages`: names of the stages in processing_time_status."""

    def __init__(self, name: str, stages: tuple[str, ...], **options: Any) -> None:
        super().__init__(name, **options)
        self.clock = NodeClock(self)
        self.problem = ""
        self._sets: list[Parameters[Any]] = []
        self._outputs: dict[type, Any] = {}
        autostart = self.parameters(NodeConfig).config.autostart
        diagnosed = self.parameters(DiagnosticsConfig, "diagnostics", self._set_thresholds).config
        self.times = ProcessingTimes(
            stages, diagnosed.max_allowed_processing_time_ms, diagnosed.max_acceptable_consecutive_delay_ms
        )
        self._diagnostics = Diagnostics(self, [self._processing_time, self._life, *self.tasks()], diagnosed.period_s)
        self._active = False
        if autostart:
            self._starter = self.create_timer(0.0, self._start, clock=Clock(clock_type=ClockType.STEADY_TIME))

    # -- what subclasses override -------------------------------------------------------------------------------------

    def configure(self) -> None: ...

    def activate(self) -> None: ...

    def deactivate(self) -> None: ...

    def cleanup(self) -> None: ...

    def tasks(self) -> list[Callable[[], Status]]:
        """Diagnostics beside those that all nodes have."""
        return []

    def busy_s(self) -> float:
        """How long the turn in progress has been running."""
        return 0.0

    # -- what subclasses use ------------------------------------------------------------------------------------------

    def parameters(
        self, model: type[Any], prefix: str = "", applied: Callable[[Any], None] | None = None
    ) -> Parameters[Any]:
        made = Parameters(self, model, prefix, applied)
        self._sets.append(made)
        return made

    def create_outputs(self, *types: type) -> None:
        """Lifecycle publishers for these dataclasses of the core."""
        for output in types:
            topic, _ = OUTPUTS[output]
            qos = LATCHED_QOS if output in LATCHED else OUTPUT_DEPTH
            self._outputs[output] = self.create_lifecycle_publisher(MESSAGES[output], topic, qos)

    def publish(self, output: Any) -> None:
        """Publish one of the types given to `create_outputs`, from any thread; silent once ROS was left."""
        publisher = self._outputs.get(type(output))
        if publisher is None or not self.context.ok():
            return
        try:
            publisher.publish(to_message(output))
        except Exception as error:
            if self.context.ok():
                self.get_logger().error(f"{publisher.topic_name}: {error}", throttle_duration_sec=5.0)

    def stop(self) -> None:
        """Before the node is destroyed: end what runs beside the executor."""
        if self._active:
            self._active = False
            self.deactivate()
        self._release()

    # -- life cycle ---------------------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._attempt(self.configure, "configured")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_activate(state)
        result = self._attempt(self.activate, "active")
        self._active = result == DONE
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._active = False
        self.deactivate()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return DONE

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.stop()
        return DONE

    def _attempt(self, step: Callable[[], None], reached: str) -> TransitionCallbackReturn:
        try:
            step()
        except Exception as error:
            self.problem = f"{error}" or type(error).__name__
            self.get_logger().error(f"cannot become {reached}: {self.problem}")
            return FAILED
        self.problem = ""
        self.get_logger().info(reached)
        return DONE

    def _release(self) -> None:
        self.cleanup()
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()

    def _start(self) -> None:
        self._starter.cancel()
        if self.trigger_configure() == DONE:
            self.trigger_activate()

    # -- diagnostics --------------------------------------------------------------------------------------------------

    def _set_thresholds(self, config: DiagnosticsConfig) -> None:
        self.times.max_allowed_ms = config.max_allowed_processing_time_ms
        self.times.max_delay_ms = config.max_acceptable_consecutive_delay_ms

    def _processing_time(self) -> Status:
        standing = self.times.standing(self.clock.monotonic_s(), self.busy_s())
        return Status("processing_time_status", standing.level, standing.message, standing.values)

    def _life(self) -> Status:
        """Whether the node could be brought up, and with the parameters that it was given."""
        problems = [problem for made in self._sets for problem in made.problems]
        values = {f"parameter_problem_{number}": text for number, text in enumerate(problems, 1)}
        if self.problem:
            return Status("configuration", Level.ERROR, self.problem, values)
        if problems:
            return Status("configuration", Level.WARN, problems[0], values)
        return Status("configuration", Level.OK, "active" if self._active else "inactive", values)
