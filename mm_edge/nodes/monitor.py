"""The node that watches: the computer's state out, and what the assistant's reports add up to."""

from __future__ import annotations

from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile

import mm_edge.msg as msg
from mm_edge.compute.device import ComputeState, Device
from mm_edge.compute.processing_time import Level
from mm_edge.compute.sources import Psutil, opened
from mm_edge.nodes.config import MonitorConfig
from mm_edge.nodes.diagnostics import Status
from mm_edge.nodes.managed import ManagedNode
from mm_edge.nodes.tally import Tally

REPORT_QOS = QoSProfile(depth=100)


class MonitorNode(ManagedNode):
    def __init__(self, **options: Any) -> None:
        self._computer: ComputeState | None = None
        self._device: Device | None = None
        self._timer: Any = None
        super().__init__("monitor", ("read",), **options)
        self._settings = self.parameters(MonitorConfig, applied=self._apply)
        self._tally = Tally(self._settings.config.window_s)

    def configure(self) -> None:
        self._device = Device(sources=opened(), fallback=Psutil())
        self.create_outputs(ComputeState)
        reports = ((msg.LatencyReport, "latency"), (msg.TrustReport, "trust"), (msg.MemoryReport, "memory"))
        self._inputs = [
            self.create_subscription(kind, topic, lambda m, t=topic: self._count(t, m), REPORT_QOS)
            for kind, topic in reports
        ]

    def activate(self) -> None:
        self._tally.clear()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(1 / self._settings.config.rate_hz, self._read, clock=steady)

    def deactivate(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
            self.destroy_timer(timer)

    def cleanup(self) -> None:
        for subscription in getattr(self, "_inputs", []):
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._device is not None:
            self._device.close()
            self._device = None

    def tasks(self) -> list[Any]:
        return [self._compute_status, self._assistant_status]

    def _read(self) -> None:
        assert self._device is not None
        began_s = self.clock.monotonic_s()
        self._computer = self._device.read(self.clock.now_ns())
        self.publish(self._computer)
        ended_s = self.clock.monotonic_s()
        self.times.add({"read": (ended_s - began_s) * 1e3}, ended_s)

    def _count(self, topic: str, message: Any) -> None:
        if self._timer is not None:
            self._tally.add(topic, message, self.clock.monotonic_s())

    def _apply(self, config: MonitorConfig) -> None:
        self._tally.window_s = config.window_s

    def _compute_status(self) -> Status:
        """The computer: load, heat, power."""
        state = self._computer
        if state is None:
            return Status("compute", Level.OK, "not looked at yet")
        names = ("cpu_load", "gpu_load", "memory_used", "temperature_c", "power_w", "clock_ratio", "gpu_clock_ratio")
        values: dict[str, object] = {name: getattr(state, name) for name in names}
        values |= {"power_mode": state.power_mode or "n/a", "throttled": state.throttled}
        values["sources"] = ", ".join(source.name for source in self._device.sources) if self._device else ""
        limit_c = self._settings.config.max_temperature_c
        if state.throttled:
            return Status("compute", Level.WARN, "throttled: slowed down by heat or power", values)
        if state.temperature_c > limit_c:
            message = f"{state.temperature_c:.0f} degrees Celsius: at most {limit_c:g}"
            return Status("compute", Level.WARN, message, values)
        return Status("compute", Level.OK, state.device, values)

    def _assistant_status(self) -> Status:
        """What the assistant's reports of the last while add up to."""
        summary = self._tally.summary(self.clock.monotonic_s())
        values: dict[str, object] = dict(summary.values)
        if summary.missed_share > self._settings.config.max_missed_share:
            message = f"{summary.missed_share:.1%} of the requests were answered late"
            return Status("assistant", Level.WARN, message, values)
        return Status("assistant", Level.OK, "in time" if summary.heard else "no report yet", values)
