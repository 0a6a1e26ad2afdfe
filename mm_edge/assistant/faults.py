"""What went wrong with the inputs, by name: counted, never thrown at the caller, shown in the diagnostics."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Fault:
    """`last_s`: when it last happened, on the monotonic clock."""

    name: str
    detail: str
    count: int
    last_s: float


class Faults:
    """A thread-safe tally, one entry per name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, Fault] = {}

    def add(self, name: str, detail: str, now_s: float) -> None:
        with self._lock:
            before = self._entries.get(name, Fault(name, detail, 0, now_s))
            self._entries[name] = replace(before, detail=detail, count=before.count + 1, last_s=now_s)

    def all(self) -> list[Fault]:
        """Every fault so far, the latest first."""
        with self._lock:
            return sorted(self._entries.values(), key=lambda fault: -fault.last_s)

    def since(self, moment_s: float) -> list[Fault]:
        """Those that happened at or after `moment_s`, the latest first."""
        return [fault for fault in self.all() if fault.last_s >= moment_s]
