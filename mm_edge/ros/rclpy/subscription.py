"""Receives messages of one type from one topic."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.interfaces import deserialize
from mm_edge.ros.rclpy.callback_groups import CallbackGroup
from mm_edge.ros.rclpy.endpoint import dds_type, user_data
from mm_edge.ros.rclpy.event_handler import EventHandler
from mm_edge.ros.rclpy.qos import QoSProfile, to_dds


class Subscription:
    """raw: callbacks get the serialised message as bytes. A callback of two arguments also gets a dict with the
    source_timestamp in nanoseconds."""

    def __init__(
        self,
        participant: dds.Participant,
        msg_type: Any,
        topic: str,
        callback: Callable[..., Any],
        group: CallbackGroup,
        qos: QoSProfile,
        raw: bool,
        logger: Any,
    ) -> None:
        name = msg_type.__msgtype__
        self.msg_type, self.qos_profile, self.raw = msg_type, qos, raw
        self.callback, self.callback_group = callback, group
        self._topic, self._logger = topic, logger
        self.reader = dds.Reader(participant, f"rt{topic}", dds_type(name), to_dds(qos, user_data(name)))
        self.wait_handle = self.reader.condition
        self.event_handlers: list[EventHandler] = []
        self._with_info = _takes_two(callback)
        self._closed = False

    @property
    def topic_name(self) -> str:
        return self._topic

    def get_publisher_count(self) -> int:
        return self.reader.matched()

    def take(self) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        """The calls to make for what has arrived; a message that cannot be read is logged and left out."""
        if self._closed:
            return []
        calls = []
        for sample in self.reader.take():
            try:
                data = bytes(sample.data) if self.raw else deserialize(sample.data, self.msg_type.__msgtype__)
            except ValueError as error:
                self._logger.error(f"{self._topic}: {error}", throttle_duration_sec=5.0)
                continue
            info = {"source_timestamp": sample.source_ns, "received_timestamp": sample.source_ns}
            calls.append((self.callback, (data, info) if self._with_info else (data,)))
        return calls

    def destroy(self) -> None:
        if not self._closed:
            self._closed = True
            self.reader.close()


def _takes_two(callback: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return False
    required = [
        p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return len(required) == 2
