"""A node's own report on /diagnostics: a few tasks, once a second, by a clock that does not stop with ROS time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from mm_edge.compute.device import device_name
from mm_edge.compute.processing_time import Level

LEVELS = {
    Level.OK: DiagnosticStatus.OK,
    Level.WARN: DiagnosticStatus.WARN,
    Level.ERROR: DiagnosticStatus.ERROR,
    Level.STALE: DiagnosticStatus.STALE,
}


@dataclass(frozen=True)
class Status:
    """What one task found. `name` is put behind the node's, as in "assistant: inputs"."""

    name: str
    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


Task = Callable[[], Status]


class Diagnostics:
    def __init__(self, node: Node, tasks: list[Task], period_s: float) -> None:
        self._node = node
        self._tasks = tasks
        self._hardware_id = device_name()
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = node.create_timer(period_s, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """One report now."""
        array = DiagnosticArray(status=[self._message(task) for task in self._tasks])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _message(self, task: Task) -> DiagnosticStatus:
        try:
            status = task()
        except Exception as error:  # a broken task is news, and the others go on
            status = Status(getattr(task, "__name__", "task"), Level.ERROR, f"{type(error).__name__}: {error}")
        return DiagnosticStatus(
            level=LEVELS[status.level],
            name=f"{self._node.get_name()}: {status.name}",
            message=status.message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=shown(value)) for key, value in status.values.items()],
        )


def shown(value: object) -> str:
    """A value in the style of diagnostics: True, 12.3, n/a."""
    if isinstance(value, float):
        return "n/a" if value != value else f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)
