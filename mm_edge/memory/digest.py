"""What an answer of several sentences tells of a drive's log: which events, and what of each.

Content before form: this chooses what is stated, the model words it. Knows nothing about wordings.
"""

from __future__ import annotations

from collections.abc import Sequence

from mm_edge.model.events import EVENTS
from mm_edge.model.graphs import SENTENCES

MOST = SENTENCES
"""Events of one answer: as many as are worded side by side."""
SPAN_MIN = 10
"""A summary is of the last so many minutes, where anything happened in them."""
MINOR = ("limit", "brake", "pedestrian", "siren", "stop")
"""Left out first where too much happened."""
CAUSES = ("red", "pedestrian", "brake", "toll", "border", "park", "charge", "traffic", "siren")
"""What makes a vehicle stop."""
_DAY_MIN = 24 * 60
Line = Sequence[str]
"""Kind, name, numbers, hour, minute: one line of a log (model/events.py)."""


def summary(lines: Sequence[Line]) -> list[str]:
    """What the latest events state, in order, at most MOST."""
    if not lines:
        return [_NOTHING]
    now = _minute(lines[-1])
    recent = [line for line in lines[-10 * MOST :] if (now - _minute(line)) % _DAY_MIN <= SPAN_MIN] or [lines[-1]]
    while len(recent) > MOST:
        minor = next((index for index, line in enumerate(recent) if line[0] in MINOR), 0)
        del recent[minor]
    return [claim(line) for line in recent]


def reason(lines: Sequence[Line]) -> list[str]:
    """The latest stop, and what came before it that makes a vehicle stop."""
    latest = next((index for index in range(len(lines) - 1, -1, -1) if lines[index][0] in ("stop", "red")), None)
    if latest is None:
        return [_NOTHING]
    if lines[latest][0] == "red":
        return [claim(lines[latest])]
    before = lines[max(0, latest - MOST) : latest]
    return [*[claim(line) for line in before if line[0] in CAUSES][-1:], claim(lines[latest])]


def claim(line: Line) -> str:
    """What a sentence states that tells of a line, as words: the topic, then values in the order of their names."""
    kind, *arguments = line[: 1 + len(EVENTS[line[0]])]
    if kind == "route":
        name, _, minutes = arguments
        arguments = [minutes, name]
    return " ".join(["<told>", kind, *arguments])


def _minute(line: Line) -> int:
    """Of the day."""
    return int(line[-2][1:]) * 60 + int(line[-1][1:])


_NOTHING = "<told> unknown"
