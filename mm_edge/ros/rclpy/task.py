"""The result of something that is still going on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Future:
    """Unlike asyncio's, usable from any thread."""

    def __init__(self, *, executor: Any = None) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._result: Any = None
        self._exception: BaseException | None = None
        self._cancelled = False
        self._callbacks: list[Callable[[Future], None]] = []

    def done(self) -> bool:
        return self._event.is_set()

    def cancelled(self) -> bool:
        return self._cancelled

    def result(self) -> Any:
        """Raises the exception that was set; None while nothing was."""
        if self._exception is not None:
            raise self._exception
        return self._result

    def exception(self) -> BaseException | None:
        return self._exception

    def set_result(self, result: Any) -> None:
        self._result = result
        self._finish()

    def set_exception(self, exception: BaseException) -> None:
        self._exception = exception
        self._finish()

    def cancel(self) -> None:
        self._cancelled = not self.done()
        self._finish()

    def add_done_callback(self, callback: Callable[[Future], None]) -> None:
        with self._lock:
            if not self.done():
                self._callbacks.append(callback)
                return
        callback(self)

    def wait(self, timeout_sec: float | None) -> bool:
        """Whether it is done, after waiting at most that long."""
        return self._event.wait(timeout_sec)

    def _finish(self) -> None:
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)
