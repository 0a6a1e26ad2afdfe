"""Answers requests: rmw_cyclonedds's request and reply topics. 16 bytes before the body say who asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.interfaces import deserialize, serialize
from mm_edge.ros.rclpy.callback_groups import CallbackGroup
from mm_edge.ros.rclpy.endpoint import dds_type, service_id, user_data
from mm_edge.ros.rclpy.qos import QoSProfile, to_dds

HEADER, WHO = 4, 20
"""Where the CDR header and the id of the request end."""


class Service:
    def __init__(
        self,
        participant: dds.Participant,
        srv_type: Any,
        name: str,
        callback: Callable[[Any, Any], Any],
        group: CallbackGroup,
        qos: QoSProfile,
        logger: Any,
    ) -> None:
        self.srv_type, self.srv_name, self.callback, self.callback_group = srv_type, name, callback, group
        self._logger = logger
        request, response = srv_type.Request.__msgtype__, srv_type.Response.__msgtype__
        key = service_id(participant.guid, "serviceid")
        self.reader = dds.Reader(
            participant, f"rq{name}Request", dds_type(request), to_dds(qos, user_data(request, key))
        )
        self.writer = dds.Writer(
            participant, f"rr{name}Reply", dds_type(response), to_dds(qos, user_data(response, key))
        )
        self.wait_handle = self.reader.condition
        self._closed = False

    @property
    def service_name(self) -> str:
        return self.srv_name

    def take(self) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        if self._closed:
            return []
        return [(self._serve, (bytes(sample.data),)) for sample in self.reader.take()]

    def _serve(self, data: bytes) -> None:
        try:
            request = deserialize(data[:HEADER] + data[WHO:], self.srv_type.Request.__msgtype__)
        except ValueError as error:
            self._logger.error(f"{self.srv_name}: {error}")
            return
        response = serialize(self.callback(request, self.srv_type.Response()))
        if not self._closed:
            self.writer.write(bytes(response[:HEADER]), data[HEADER:WHO], response[HEADER:])

    def destroy(self) -> None:
        if not self._closed:
            self._closed = True
            self.reader.close()
            self.writer.close()
