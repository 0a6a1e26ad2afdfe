"""SIGINT and SIGTERM shut the context down, as in rclpy, also while every thread waits inside Cyclone DDS.

A Python signal handler only runs once the main thread is back in Python. So the C-level handler writes to a pipe (the
wake-up file descriptor), and a thread that reads it wakes the executors.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from enum import IntEnum
from types import FrameType
from typing import Any
from weakref import WeakSet

from mm_edge.ros.rclpy.context import get_default_context


class SignalHandlerOptions(IntEnum):
    NO = 0
    SIGINT = 1
    SIGTERM = 2
    ALL = 3


executors: WeakSet[Any] = WeakSet()
"""Whoever has to be woken when a signal comes; each offers `wake()`."""
_pipe: tuple[int, int] | None = None
_previous: dict[int, Any] = {}


def install_signal_handlers(options: SignalHandlerOptions = SignalHandlerOptions.ALL) -> None:
    """Only in the main thread, as Python demands; elsewhere signals are left alone."""
    global _pipe
    if options == SignalHandlerOptions.NO or threading.current_thread() is not threading.main_thread():
        return
    if _pipe is None:
        _pipe = os.pipe()
        os.set_blocking(_pipe[1], False)
        signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
        threading.Thread(target=_wake_on_signals, args=(_pipe[0],), name="signals", daemon=True).start()
    for number, wanted in ((signal.SIGINT, options & 1), (signal.SIGTERM, options & 2)):
        if wanted and number not in _previous:
            _previous[number] = signal.signal(number, _handle)


def uninstall_signal_handlers() -> None:
    for number, handler in _previous.items():
        signal.signal(number, handler)
    _previous.clear()


def _handle(number: int, frame: FrameType | None) -> None:
    get_default_context().interrupt()
    before: Callable[[int, FrameType | None], Any] | int | None = _previous.get(number)
    if number == signal.SIGINT and callable(before):
        before(number, frame)


def _wake_on_signals(source: int) -> None:
    while os.read(source, 64):
        for executor in list(executors):
            executor.wake()
