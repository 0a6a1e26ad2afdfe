"""One sentence on its way out: what it says, why, how urgent it is and until when it is worth saying.

Knows nothing about ROS or sound; fields and constants are those of msg/Utterance.msg.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    ANSWER = 0
    UNSURE = 1
    FOLLOW_UP = 2
    ALERT = 3
    PROGRESS = 4
    REFUSED = 5


class Priority(IntEnum):
    LOW = 0
    NORMAL = 1
    HIGH = 2
    URGENT = 3


@dataclass(frozen=True)
class Utterance:
    """A sentence. Times are nanoseconds of the node's clock; `expires_ns` 0 means never."""

    stamp_ns: int
    id: str
    text: str
    kind: Kind
    priority: Priority
    request_id: str = ""
    topic: str = ""
    final: bool = False
    confidence: float = 1.0
    expires_ns: int = 0
    frame_id: str = ""
