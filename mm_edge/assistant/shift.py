"""A session on a thread of its own, and how often another may take its place when it hangs.

A thread that hangs cannot be ended. It is left alone: what it may still say is not listened to, and what it may still
write is its own, since its successor works on a copy. Knows nothing about jobs or what is published.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from mm_edge.assistant.session import Session
from mm_edge.compute.priority import end_realtime

MAKING_S = 60.0
"""A new session loads its engine: seconds, on a slow machine tens of them."""
WITHIN_S = 600.0
"""Restarts longer ago are forgotten."""


class Shift:
    """`make` gives the session, on the new thread; `work` is what the thread does. on_duty: no successor was sent yet;
    job: what it is at; since_s: for how long, None when it waits."""

    def __init__(self, make: Callable[[], Session], work: Callable[[Shift], None]) -> None:
        self.on_duty = True
        self.session: Session | None = None
        self.job: Any = None
        self.since_s: float | None = None
        self._make = make
        self._thread = threading.Thread(target=work, args=[self], name="model_worker", daemon=True)

    def start(self, now_s: float) -> None:
        self.since_s = now_s
        self._thread.start()

    def made(self) -> Session:
        """The session, made now."""
        self.session = self._make()
        self.since_s = None
        return self.session

    def dismiss(self) -> None:
        """A successor is sent: from now on it must not keep a processor from others."""
        self.on_duty = False
        if self._thread.is_alive() and self._thread.native_id is not None:
            end_realtime(self._thread.native_id)

    def begin(self, job: Any, now_s: float) -> None:
        self.job, self.since_s = job, now_s

    def end(self) -> None:
        self.job = self.since_s = None

    def problem(self, now_s: float, most_s: float) -> str:
        """What is wrong with it, "" for nothing: one stage of a turn takes longer than most_s."""
        since_s, session = self.since_s, self.session
        if not self._thread.is_alive():
            return "the worker ended"
        if since_s is None:
            return ""
        moved_s = since_s if session is None else max(since_s, session.moved_s)
        limit_s = MAKING_S if session is None else most_s
        return f"no answer for {now_s - moved_s:.1f} s" if now_s - moved_s > limit_s else ""

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended by then."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()


class Restarts:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0
        self._recent_s: deque[float] = deque()

    def allow(self, now_s: float, most: int) -> bool:
        """Books one more; False if that would be more than `most` within WITHIN_S."""
        while self._recent_s and now_s - self._recent_s[0] > WITHIN_S:
            self._recent_s.popleft()
        if len(self._recent_s) >= most:
            return False
        self._recent_s.append(now_s)
        self.count += 1
        return True
