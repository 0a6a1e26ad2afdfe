"""The state between init and shutdown: one DDS participant, the command-line arguments, and the graph announcement."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from mm_edge.ros import dds
from mm_edge.ros.interfaces import message_class, serialize, type_hash
from mm_edge.ros.rclpy.arguments import Arguments, parse_arguments
from mm_edge.ros.rclpy.exceptions import NotInitializedException

DISCOVERY_INFO = "rmw_dds_common/msg/ParticipantEntitiesInfo"
MAX_DOMAIN_ID = 232


class Context:
    def __init__(self) -> None:
        self._participant: dds.Participant | None = None
        self._interrupted = False
        self._lock = threading.RLock()
        self._on_shutdown: list[Callable[[], None]] = []
        self._nodes: dict[Any, tuple[str, str, list[bytes], list[bytes]]] = {}
        self.arguments = Arguments()

    def init(
        self, args: list[str] | None = None, *, initialize_logging: bool = True, domain_id: int | None = None
    ) -> None:
        with self._lock:
            if self._participant is not None:
                raise RuntimeError("Context.init() must only be called once")
            self._interrupted = False
            self.arguments = parse_arguments(sys.argv if args is None else args)
            number = _domain_id() if domain_id is None else domain_id
            self._participant = dds.Participant(number, b"enclave=/;")
            hashed = f"typehash={type_hash(DISCOVERY_INFO)};".encode()
            self._announcements = dds.Writer(
                self._participant,
                "ros_discovery_info",
                "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_",
                dds.Qos(depth=1, transient_local=True, user_data=hashed),
            )

    @property
    def participant(self) -> dds.Participant:
        """Raises NotInitializedException."""
        if self._participant is None:
            raise NotInitializedException("rclpy.init() has not been called, or the context was shut down")
        return self._participant

    def ok(self) -> bool:
        return self._participant is not None and not self._interrupted

    def interrupt(self) -> None:
        """A signal came: not `ok` any more, yet what is on its way can still be sent until `shutdown`."""
        self._interrupted = True

    def on_shutdown(self, callback: Callable[[], None]) -> None:
        self._on_shutdown.append(callback)

    def shutdown(self) -> None:
        if not self._shutdown():
            raise RuntimeError("Context must be initialized before it can be shutdown")

    def try_shutdown(self) -> None:
        self._shutdown()

    def _shutdown(self) -> bool:
        with self._lock:
            participant, self._participant = self._participant, None
            callbacks, self._on_shutdown = self._on_shutdown, []
        if participant is None:
            return False
        for callback in callbacks:
            callback()
        participant.close()
        return True

    def announce(self, node: Any, name: str, namespace: str, readers: list[bytes], writers: list[bytes]) -> None:
        """Tell the graph which endpoints (GUIDs) a node has."""
        with self._lock:
            self._nodes[node] = (name, namespace, readers, writers)
            self._publish_graph()

    def withdraw(self, node: Any) -> None:
        with self._lock:
            if self._nodes.pop(node, None) is not None:
                self._publish_graph()

    def _publish_graph(self) -> None:
        if self._participant is None:
            return
        info = message_class("rmw_dds_common/msg/NodeEntitiesInfo")
        nodes = [
            info(
                node_namespace=namespace,
                node_name=name,
                reader_gid_seq=[_gid(raw) for raw in readers],
                writer_gid_seq=[_gid(raw) for raw in writers],
            )
            for name, namespace, readers, writers in self._nodes.values()
        ]
        message = message_class(DISCOVERY_INFO)(gid=_gid(self._participant.guid), node_entities_info_seq=nodes)
        self._announcements.write(serialize(message))


def _gid(raw: bytes) -> Any:
    return message_class("rmw_dds_common/msg/Gid")(data=np.frombuffer(raw, np.uint8))


def _domain_id() -> int:
    text = os.environ.get("ROS_DOMAIN_ID", "") or "0"
    if not text.isdigit() or int(text) > MAX_DOMAIN_ID:
        raise RuntimeError(f"ROS_DOMAIN_ID is {text!r}, it must be a number from 0 to {MAX_DOMAIN_ID}")
    return int(text)


_default = Context()


def get_default_context() -> Context:
    """The context used where none is given; a new one once the last was shut down and `init` is called again."""
    return _default
