"""What requests are about, as far as a turn goes another way for it."""

from __future__ import annotations

from collections.abc import Sequence

VEHICLE_TOPICS = frozenset({"speed", "energy", "range", "gear", "indicator", "refuse"})
LOG_TOPICS = frozenset({
    "last_limit", "red_wait", "last_caller", "call_before", "call_length", "parked", "after", "stops_since", "when",
    "charged", "doing", "task_state", "location", "traffic", "tyres", "service", "arrival", "told", "summary", "why",
})  # fmt: skip
EYELESS_TOPICS = VEHICLE_TOPICS | LOG_TOPICS
"""Sentences about these need no eyes, so an unfamiliar picture does not count against them."""


def request_class(text: str, asked: Sequence[str]) -> str:
    """Which class of requests of a PlanTable: "watch" for a turn that nobody asked for, "past" for what only the log
    can tell, else "now". asked: the words by which it was understood (`Context.asked`)."""
    if not text:
        return "watch"
    return "past" if asked and asked[0].strip("<>") in LOG_TOPICS else "now"
