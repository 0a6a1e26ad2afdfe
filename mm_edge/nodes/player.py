"""Plays a source in real time: its messages on the input topics, its time on /clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock

from mm_edge.bags.mapped import Input
from mm_edge.bags.source import Source
from mm_edge.nodes.assistant import RELIABLE
from mm_edge.nodes.convert import message_class, to_time

TICK_S = 0.025


class PlayerNode(Node):  # type: ignore[misc]
    """`played` is called with every message that went out."""

    def __init__(self, source: Source, played: Callable[[Input], None]) -> None:
        super().__init__("player")
        self._source = source
        self._played = played
        self._began_s = time.perf_counter()
        self._running = False
        self._clock_publisher = self.create_publisher(Clock, "/clock", QoSProfile(depth=10))
        self._inputs = {topic: self._publisher(topic, msgtype) for topic, msgtype in source.inputs.items()}

    def now_ns(self) -> int:
        """The source's time; it stands at its start until `play`."""
        passed_s = time.perf_counter() - self._began_s if self._running else 0.0
        return self._source.start_ns + round(passed_s * 1e9)

    def heard(self) -> bool:
        """Whether somebody listens to every input and to the clock."""
        publishers = [self._clock_publisher, *self._inputs.values()]
        return all(publisher.get_subscription_count() > 0 for publisher in publishers)

    def play(self, stopped: threading.Event) -> None:
        """Play everything, then keep the clock going, until `stopped`. Blocks; for a thread of its own."""
        self._tick()
        self._began_s, self._running = time.perf_counter(), True
        for entry in self._source.entries():
            if not self._wait_until(entry.stamp_ns, stopped):
                return
            self._inputs[entry.topic].publish(entry.data)
            self._played(entry)
        while not stopped.wait(TICK_S):
            self._tick()

    def _publisher(self, topic: str, msgtype: str) -> Any:
        return self.create_publisher(message_class(msgtype), topic, RELIABLE.get(topic, qos_profile_sensor_data))

    def _wait_until(self, stamp_ns: int, stopped: threading.Event) -> bool:
        while (left_s := (stamp_ns - self.now_ns()) / 1e9) > 0:
            if stopped.wait(min(left_s, TICK_S)):
                return False
            self._tick()
        return not stopped.is_set()

    def _tick(self) -> None:
        self._clock_publisher.publish(Clock(clock=to_time(self.now_ns())))
