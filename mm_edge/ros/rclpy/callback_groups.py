"""Which callbacks may run at the same time in a MultiThreadedExecutor."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class CallbackGroup:
    """Base of the groups; a group remembers nothing about its members."""

    exclusive = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = False

    def run_in(self, submit: Callable[[Callable[[], None]], object], call: Callable[[], None]) -> None:
        """Run `call` on a pool by `submit`: at once, or after the group's earlier calls when it is exclusive."""
        if not self.exclusive:
            submit(call)
            return
        with self._lock:
            self._waiting.append(call)
            if self._busy:
                return
            self._busy = True
        submit(self._drain)

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                call = self._waiting.popleft()
            call()


class MutuallyExclusiveCallbackGroup(CallbackGroup):
    pass


class ReentrantCallbackGroup(CallbackGroup):
    exclusive = False
