"""From a message on a topic to the inbox: what every way in shares, live or from a recording.

Works on anything with the attributes of the ROS message. A message that cannot be used leaves a fault behind, never an
exception. Knows nothing about ROS or bags.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mm_edge.assistant import sensors
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.request import Request
from mm_edge.model.observation import VehicleState

TOPICS = {
    "image": "sensor_msgs/msg/Image",
    "image/compressed": "sensor_msgs/msg/CompressedImage",
    "audio": "mm_edge/msg/AudioChunk",
    "odom": "nav_msgs/msg/Odometry",
    "imu": "sensor_msgs/msg/Imu",
    "vehicle_state": "mm_edge/msg/VehicleState",
    "request": "mm_edge/msg/AssistRequest",
    "task_step": "mm_edge/msg/TaskStep",
    "event": "mm_edge/msg/DriveEvent",
    "speech/control": "std_msgs/msg/String",
}
"""The assistant's inputs, by relative topic name, with their message types."""
MACHINE_TOPICS = {"compute_state": "mm_edge/msg/ComputeState"}
"""Inputs about the computer, which are not taken from recordings: those are of another time, or another computer."""


class Intake:
    """What `submit`, `refuse`, `tell` and `command` take: a Request; the id of one that cannot be served, and why;
    something like a TaskStep (where nobody tells of it, it is logged); a word of speech/control."""

    def __init__(
        self,
        inbox: Inbox,
        submit: Callable[[Request], None],
        refuse: Callable[[str, str], None],
        tell: Callable[[Any], None] | None = None,
        command: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._inbox = inbox
        self._submit = submit
        self._refuse = refuse
        self._names = (f"request-{n}" for n in itertools.count(1))
        self._handlers: dict[str, Callable[[Any], None]] = {
            "image": self._image,
            "image/compressed": self._compressed_image,
            "audio": self._audio,
            "odom": self._odometry,
            "imu": self._imu,
            "vehicle_state": self._vehicle_state,
            "request": self._request,
            "task_step": tell or inbox.put_step,
            "event": self._event,
            "compute_state": self._compute_state,
            "speech/control": lambda message: command(str(message.data)),
        }

    def receive(self, topic: str, message: Any) -> None:
        """Take in one message. `topic` is one of TOPICS or MACHINE_TOPICS."""
        try:
            self._handlers[topic](message)
        except sensors.SensorError as error:
            self._inbox.put_fault(topic, error)
        except Exception as error:  # a message of another shape must not end the node
            self._inbox.put_fault(topic, sensors.SensorError("bad_message", f"{type(error).__name__}: {error}"))

    def _image(self, message: Any) -> None:
        header = message.header
        self._inbox.put_image(sensors.stamp_ns(header), lambda: sensors.image(message), header.frame_id)

    def _compressed_image(self, message: Any) -> None:
        header = message.header
        self._inbox.put_image(sensors.stamp_ns(header), lambda: sensors.compressed_image(message), header.frame_id)

    def _audio(self, message: Any) -> None:
        self._inbox.put_audio(sensors.stamp_ns(message.header), sensors.audio(message))

    def _odometry(self, message: Any) -> None:
        self._state("odom", message, *sensors.odometry(message))

    def _imu(self, message: Any) -> None:
        self._state("imu", message, sensors.imu(message), [])

    def _vehicle_state(self, message: Any) -> None:
        self._state("vehicle_state", message, *sensors.vehicle_state(message))

    def _state(self, source: str, message: Any, state: VehicleState, errors: list[sensors.SensorError]) -> None:
        for error in errors:
            self._inbox.put_fault(source, error)
        self._inbox.put_state(sensors.stamp_ns(message.header), state, source)

    def _event(self, message: Any) -> None:
        self._inbox.put_event(sensors.event(message, self._inbox.clock.now_ns(), self._inbox.config.utc_offset_h))

    def _compute_state(self, message: Any) -> None:
        self._inbox.put_machine(sensors.compute_state(message))

    def _request(self, message: Any) -> None:
        name = next(self._names)
        try:
            now_ns = self._inbox.clock.now_ns()
            request = sensors.request(message, self._inbox.config.default_deadline_ms, now_ns, name)
        except sensors.SensorError as error:
            self._refuse(str(message.id) or name, f"I cannot answer that: {error}.")
            raise
        self._submit(request)
