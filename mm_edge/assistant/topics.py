"""What requests are about, as far as a turn goes another way for it."""

from __future__ import annotations

from collections.abc import Sequence

from mm_edge.compute.planner import WATCH

REFUSE = "refuse"
"""Of sentences that answer nothing."""
VEHICLE_TOPICS = frozenset({"speed", "energy", "range", "gear", "indicator", REFUSE})
LOG_TOPICS = frozenset({
    "last_limit", "red_wait", "last_caller", "call_before", "call_length", "parked", "after", "stops_since", "when",
    "charged", "doing", "task_state", "location", "traffic", "tyres", "service", "arrival", "told", "summary", "why",
})  # fmt: skip
STATED = {name: (name,) for name in ("light", "limit", "pedestrian", "weather", "daylight", "road", "siren")} | {
    "lead": ("lead", "lead_distance")
}
"""Topic -> the facts that a sentence about it states, where one picture shows them."""
EYELESS_TOPICS = VEHICLE_TOPICS | LOG_TOPICS
"""Sentences about these need no eyes, so an unfamiliar picture does not count against them."""


def request_class(text: str, asked: Sequence[str]) -> str:
    """Which class of requests of a PlanTable: WATCH for a turn that nobody asked for, "past" for what only the log
    can tell, else "now". asked: the words by which it was understood (`Context.asked`)."""
    if not text:
        return WATCH
    return "past" if asked and asked[0].strip("<>") in LOG_TOPICS else "now"


def request_kind(request_class: str) -> str:
    """For what kinds of requests confidences are calibrated apart: "past" where the log is read, else "now"."""
    return "past" if request_class == "past" else "now"
