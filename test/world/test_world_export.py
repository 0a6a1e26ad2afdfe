"""A generated drive as messages."""

from __future__ import annotations

from mm_edge.assistant.intake import TOPICS
from mm_edge.assistant.sensors import event
from mm_edge.bags.mapped import Input
from mm_edge.world.drive import Drive
from mm_edge.world.export import START_NS, messages
from mm_edge.world.journey import Journey
from mm_edge.world.recall import HISTORY

SEED = 1_600_001


def told(topic: str, duration_s: float = 30.0) -> list[Input]:
    return [entry for entry in messages(Drive(SEED, duration_s)) if entry.topic == topic]


def test_a_drive_begins_with_a_past_that_the_assistant_takes_in() -> None:
    entries = told("event", 2.0)
    events = [event(entry.message(), 0, utc_offset_h=0.0) for entry in entries]
    assert 5 <= len(events) <= 20
    assert events[0].kind == Journey(SEED, 64).events[0].kind
    assert START_NS < entries[0].stamp_ns <= entries[-1].stamp_ns < START_NS + 2_000_000_000
    assert {entry.msgtype for entry in entries} == {TOPICS["event"]}
    stamps = [entry.message().header.stamp.sec for entry in entries]
    assert stamps == sorted(stamps)
    assert stamps[-1] < START_NS // 1_000_000_000


def test_some_requests_are_about_the_past() -> None:
    asked = [entry.message().text for entry in told("request")]
    openings = {wording.split(" {")[0] for wordings in HISTORY.values() for wording in wordings}
    assert any(opening in text for text in asked for opening in openings if len(opening) > 8)


def test_two_calls_give_the_same() -> None:
    assert told("event", 2.0) == told("event", 2.0)
    assert told("request", 12.0) == told("request", 12.0)
