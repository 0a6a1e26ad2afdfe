"""The thread that a narrator speaks on, so that a long turn of the model delays no remark.

Knows nothing about what is said; `publish` takes the core's dataclasses.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from math import isinf
from typing import Any

from mm_edge.assistant.narrator import Narrator

JOIN_S = 2.0


class Narration:
    def __init__(self, narrator: Narrator, publish: Callable[[Any], None]) -> None:
        self._narrator = narrator
        self._publish = publish
        self._changed = threading.Condition()
        self._jobs: deque[Callable[[], list[Any]]] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="narration", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after what is waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)

    def do(self, job: Callable[[], list[Any]]) -> None:
        """Run something of the narrator's and publish what it returns, soon and in order."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                for output in job():
                    self._publish(output)
                self._narrator.keep()
            except Exception as error:  # a message of another shape must not end the thread
                self._narrator.fault("narration_failed", f"{type(error).__name__}: {error}")
        self._narrator.keep()

    def _next(self) -> Callable[[], list[Any]] | None:
        """What was asked for, or what is due by the time."""
        with self._changed:
            while not self._jobs:
                if self._closed:
                    return None
                left_s = self._narrator.left_s()
                if left_s <= 0:
                    return self._narrator.due
                self._changed.wait(None if isinf(left_s) else left_s)
            return self._jobs.popleft()
