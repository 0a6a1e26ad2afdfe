"""A request as the core sees it. Knows nothing about ROS; the fields are those of msg/AssistRequest.msg."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Stakes(IntEnum):
    LOW = 0
    NORMAL = 1
    HIGH = 2


@dataclass(frozen=True)
class Request:
    """What is wanted and by when. `stamp_ns` is when the time began to run, on the node's clock."""

    stamp_ns: int
    id: str
    text: str
    deadline_ms: float
    stakes: Stakes = Stakes.NORMAL

    @property
    def due_ns(self) -> int:
        return self.stamp_ns + round(self.deadline_ms * 1e6)
