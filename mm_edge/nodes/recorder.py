"""Writes what goes over the topics into a bag, as it comes, without looking into it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile

from mm_edge.assistant.outputs import OUTPUTS
from mm_edge.bags.mapped import Input
from mm_edge.bags.source import REQUEST, REQUEST_TYPE
from mm_edge.bags.writer import BagWriter
from mm_edge.nodes.convert import message_class

DIAGNOSTICS, DIAGNOSTICS_TYPE = "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray"
DEPTH = 1000


class RecorderNode(Node):  # type: ignore[misc]
    """`now_ns` stamps what is recorded; `seen(topic, msgtype, data)` is called with every message that came in."""

    def __init__(self, bag: BagWriter, now_ns: Callable[[], int], seen: Callable[[str, str, bytes], None]) -> None:
        super().__init__("recorder")
        self._bag = bag
        self._now_ns = now_ns
        self._seen = seen
        self._lock = threading.Lock()
        topics = [
            *OUTPUTS.values(),
            (REQUEST, REQUEST_TYPE),
            (DIAGNOSTICS, DIAGNOSTICS_TYPE),
        ]
        self._subscribed = [self._listen(topic, msgtype) for topic, msgtype in topics]

    def write(self, entry: Input) -> None:
        """An input that was played; requests come in over their topic like anybody's."""
        if entry.topic != REQUEST:
            with self._lock:
                self._bag.write(f"/{entry.topic}", entry.msgtype, entry.stamp_ns, entry.data)

    def hears(self) -> bool:
        """Whether every output has a publisher."""
        return all(self.count_publishers(topic) > 0 for topic, _ in OUTPUTS.values())

    def _listen(self, topic: str, msgtype: str) -> Any:
        def record(data: bytes) -> None:
            with self._lock:
                self._bag.write(f"/{topic.lstrip('/')}", msgtype, self._now_ns(), bytes(data))
            self._seen(topic.lstrip("/"), msgtype, data)

        with self._lock:
            self._bag.add_topic(f"/{topic.lstrip('/')}", msgtype)
        return self.create_subscription(message_class(msgtype), topic, record, QoSProfile(depth=DEPTH), raw=True)
