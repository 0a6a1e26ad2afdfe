"""Sends messages of one type on one topic."""

from __future__ import annotations

from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.interfaces import serialize
from mm_edge.ros.rclpy.duration import Duration
from mm_edge.ros.rclpy.endpoint import dds_type, user_data
from mm_edge.ros.rclpy.event_handler import EventHandler
from mm_edge.ros.rclpy.qos import QoSProfile, to_dds


class Publisher:
    def __init__(self, participant: dds.Participant, msg_type: Any, topic: str, qos: QoSProfile, logger: Any) -> None:
        name = msg_type.__msgtype__
        self.msg_type, self.qos_profile = msg_type, qos
        self._topic = topic
        self.writer = dds.Writer(participant, f"rt{topic}", dds_type(name), to_dds(qos, user_data(name)))
        self.event_handlers: list[EventHandler] = []
        self._closed = False

    def publish(self, msg: Any) -> None:
        """Send a message, or one that is serialised already (bytes). Raises TypeError for another type."""
        if self._closed:
            return
        if isinstance(msg, (bytes, bytearray, memoryview)):
            self.writer.write(memoryview(msg))
            return
        if not isinstance(msg, self.msg_type):
            raise TypeError(f"Expected {self.msg_type}, got {type(msg)}")
        self.writer.write(serialize(msg))

    @property
    def topic_name(self) -> str:
        return self._topic

    topic = topic_name

    def get_subscription_count(self) -> int:
        return self.writer.matched()

    def assert_liveliness(self) -> None:
        dds.check(dds.c.assert_liveliness(self.writer.handle))

    def wait_for_all_acked(self, timeout: Duration | None = None) -> bool:
        """Whether every reliable subscription has what was sent."""
        endless = timeout is None or timeout.nanoseconds < 0
        return dds.c.wait_for_acks(self.writer.handle, dds.c.INFINITY if endless else timeout.nanoseconds) == 0  # type: ignore[union-attr]

    def destroy(self) -> None:
        if not self._closed:
            self._closed = True
            self.writer.close()
