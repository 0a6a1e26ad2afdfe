"""Serve nodes: wait for what is ready, and call back.

One wait set per executor sleeps in Cyclone DDS until something arrives, a timer is due, or another thread wakes it: an
idle executor costs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.rclpy.callback_groups import CallbackGroup
from mm_edge.ros.rclpy.context import Context, get_default_context
from mm_edge.ros.rclpy.signals import executors
from mm_edge.ros.rclpy.task import Future

Call = tuple[Callable[..., Any], tuple[Any, ...]]


class ExternalShutdownException(Exception):
    """The context was shut down while an executor was spinning."""

    def __init__(self, *args: object) -> None:
        super().__init__("Context has been shutdown", *args)


class ShutdownException(Exception):
    """The executor was shut down while it was spinning."""


class TimeoutException(Exception):
    """Nothing happened within the time-out."""


class Executor:
    """Base: finds what is ready; how to run it is up to `_run`."""

    def __init__(self, *, context: Context | None = None) -> None:
        self.context = get_default_context() if context is None else context
        self._waitset = dds.WaitSet(self.context.participant)
        self._nodes: list[Any] = []
        self._lock = threading.RLock()
        self._watched: list[Any] = []
        self._changed = True
        self._waiting = False
        self.is_shutdown = False
        executors.add(self)
        self.context.on_shutdown(self.wake)

    def add_node(self, node: Any) -> bool:
        with self._lock:
            if node in self._nodes:
                return False
            self._nodes.append(node)
            node.executor = self
        self.entities_changed()
        return True

    def remove_node(self, node: Any) -> None:
        with self._lock:
            if node in self._nodes:
                self._nodes.remove(node)
                node.executor = None
        self.entities_changed()

    def get_nodes(self) -> list[Any]:
        return list(self._nodes)

    def entities_changed(self) -> None:
        """A node gained or lost something to wait for; a wait in progress begins anew."""
        self._changed = True
        if self._waiting:
            self.wake()

    def wake(self) -> None:
        if not self.is_shutdown:
            self._waitset.wake()

    def create_task(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> Future:
        """Run a callable on the executor. Coroutines are not supported."""
        raise NotImplementedError("tasks and coroutines are not part of this layer; use a timer or a thread")

    def spin(self) -> None:
        """Serve until the executor is shut down; raises ExternalShutdownException when the context is."""
        while not self.is_shutdown:
            if not self.context.ok():
                raise ExternalShutdownException
            self._once(None)

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Serve what is ready, after waiting at most that long for the first thing."""
        if not self.context.ok():
            raise ExternalShutdownException
        self._once(timeout_sec)

    def spin_until_future_complete(self, future: Future, timeout_sec: float | None = None) -> None:
        end_s = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        future.add_done_callback(lambda _: self.wake())
        while not future.done() and not self.is_shutdown:
            left_s = None if end_s is None else end_s - time.monotonic()
            if left_s is not None and left_s <= 0:
                return
            self.spin_once(left_s)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        if not self.is_shutdown:
            self.wake()
            self.is_shutdown = True
        return True

    def _once(self, timeout_sec: float | None) -> None:
        calls = self._ready_timers()
        for entity in self._wait(0.0 if calls else self._timeout(timeout_sec)):
            calls += [(entity.callback_group, call) for call in entity.take()]
        calls += [] if calls else self._ready_timers()
        for group, call in calls:
            self._run(group, call)

    def _wait(self, timeout_s: float | None) -> list[Any]:
        self._waiting = True  # before looking at `_changed`: what changes from now on wakes this wait
        try:
            if self._changed:
                with self._lock:
                    self._changed = False
                    self._watched = [entity for node in self._nodes for entity in node.waitables()]
                    self._waitset.watch([entity.wait_handle for entity in self._watched])
            ready = self._waitset.wait(timeout_s)
        finally:
            self._waiting = False
        return [self._watched[position] for position in ready if position < len(self._watched)]

    def _timers(self) -> list[Any]:
        with self._lock:
            return [timer for node in self._nodes for timer in node.timers]

    def _ready_timers(self) -> list[tuple[CallbackGroup, Call]]:
        return [(timer.callback_group, call) for timer in self._timers() for call in timer.take()]

    def _timeout(self, timeout_sec: float | None) -> float | None:
        """Until the next timer of the wall or the steady clock; those of /clock are looked at when it ticks."""
        left = [] if timeout_sec is None or timeout_sec < 0 else [timeout_sec]
        for timer in self._timers():
            due_ns = timer.time_until_next_call()
            if due_ns is not None and not timer.clock.ros_time_is_active:
                left.append(max(0, due_ns) / 1e9)
        return min(left, default=None)

    def _run(self, group: CallbackGroup, call: Call) -> None:
        raise NotImplementedError


class SingleThreadedExecutor(Executor):
    """Calls back on the thread that spins; what a callback raises comes out of `spin`."""

    def _run(self, group: CallbackGroup, call: Call) -> None:
        callback, arguments = call
        callback(*arguments)


class MultiThreadedExecutor(Executor):
    """Calls back on a pool of threads, one call of an exclusive group at a time and in order."""

    def __init__(self, num_threads: int | None = None, *, context: Context | None = None) -> None:
        super().__init__(context=context)
        self._pool = ThreadPoolExecutor(num_threads or 4, thread_name_prefix="executor")
        self._errors: list[BaseException] = []

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        super().shutdown(timeout_sec)
        self._pool.shutdown(wait=timeout_sec is None)
        return True

    def _once(self, timeout_sec: float | None) -> None:
        super()._once(timeout_sec)
        if self._errors:
            raise self._errors.pop(0)

    def _run(self, group: CallbackGroup, call: Call) -> None:
        group.run_in(self._pool.submit, lambda: self._guarded(call))

    def _guarded(self, call: Call) -> None:
        callback, arguments = call
        try:
            callback(*arguments)
        except BaseException as error:
            self._errors.append(error)
            self.wake()
