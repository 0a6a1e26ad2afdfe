"""Asks a service."""

from __future__ import annotations

import itertools
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.interfaces import deserialize, serialize
from mm_edge.ros.rclpy.callback_groups import CallbackGroup
from mm_edge.ros.rclpy.endpoint import dds_type, service_id, user_data
from mm_edge.ros.rclpy.qos import QoSProfile, to_dds
from mm_edge.ros.rclpy.service import HEADER, WHO
from mm_edge.ros.rclpy.task import Future

POLL_S = 0.005


class Client:
    def __init__(
        self, participant: dds.Participant, srv_type: Any, name: str, group: CallbackGroup, qos: QoSProfile
    ) -> None:
        self.srv_type, self.srv_name, self.callback_group = srv_type, name, group
        request, response = srv_type.Request.__msgtype__, srv_type.Response.__msgtype__
        key = service_id(participant.guid, "clientid")
        self.writer = dds.Writer(
            participant, f"rq{name}Request", dds_type(request), to_dds(qos, user_data(request, key))
        )
        self.reader = dds.Reader(
            participant, f"rr{name}Reply", dds_type(response), to_dds(qos, user_data(response, key))
        )
        self.wait_handle = self.reader.condition
        self._sequence = itertools.count(1)
        self._pending: dict[int, Future] = {}
        self._lock = threading.Lock()
        self._closed = False

    @property
    def service_name(self) -> str:
        return self.srv_name

    def service_is_ready(self) -> bool:
        return self.writer.matched() > 0 and self.reader.matched() > 0

    def wait_for_service(self, timeout_sec: float | None = None) -> bool:
        """Whether the service is there, after waiting at most that long."""
        end_s = None if timeout_sec is None else time.monotonic() + timeout_sec
        while not self.service_is_ready():
            if end_s is not None and time.monotonic() >= end_s:
                return False
            time.sleep(POLL_S)
        return True

    def call_async(self, request: Any) -> Future:
        """The future's result is set by an executor that spins the node."""
        if not isinstance(request, self.srv_type.Request):
            raise TypeError(f"Expected {self.srv_type.Request}, got {type(request)}")
        number, future = next(self._sequence), Future()
        with self._lock:
            self._pending[number] = future
        data = serialize(request)
        who = struct.pack("<Qq", self.writer.instance_handle, number)
        self.writer.write(bytes(data[:HEADER]), who, data[HEADER:])
        return future

    def call(self, request: Any, timeout_sec: float | None = None) -> Any:
        """Wait for the answer, which another thread's executor must receive. Raises TimeoutError."""
        future = self.call_async(request)
        if not future.wait(timeout_sec):
            raise TimeoutError(f"no answer from {self.srv_name} within {timeout_sec} s")
        return future.result()

    def remove_pending_request(self, future: Future) -> None:
        with self._lock:
            self._pending = {number: other for number, other in self._pending.items() if other is not future}

    def take(self) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        if self._closed:
            return []
        calls = []
        for sample in self.reader.take():
            data = bytes(sample.data)
            handle, number = struct.unpack_from("<Qq", data, HEADER)
            with self._lock:
                future = self._pending.pop(number, None) if handle == self.writer.instance_handle else None
            if future is not None:
                calls.append((self._finish, (future, data)))
        return calls

    def _finish(self, future: Future, data: bytes) -> None:
        try:
            future.set_result(deserialize(data[:HEADER] + data[WHO:], self.srv_type.Response.__msgtype__))
        except ValueError as error:
            future.set_exception(error)

    def destroy(self) -> None:
        if not self._closed:
            self._closed = True
            self.reader.close()
            self.writer.close()
