"""The log of a drive: bounded, the oldest forgotten first, and no mark that means two names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.memory.log import NAME_MARKS, DriveLog
from mm_edge.model.events import NAMES, SOMEONE, Event

CALLS = st.lists(st.integers(0, 99), max_size=250)
"""With whom: more people than there are marks."""


def call(who: str, time_s: float = 0.0) -> Event:
    return Event(time_s, "call", who, (3,))


def people(log: DriveLog) -> list[str]:
    """Who calls, line by line, by what the marks mean now."""
    return [log.filled(word) for word in log.words if word in NAME_MARKS]


def test_lines_stand_in_the_order_in_which_they_were_told() -> None:
    log = DriveLog(100)
    for event in (Event(3600, "tunnel"), call("Anna", 7260), Event(0, "red", numbers=(30,))):
        log.add(event)
    assert " ".join(log.words) == "tunnel =1 =0 call @0 =3 =2 =1 red =30 =0 =0"
    assert (log.written, log.dropped) == (12, 0)


def test_requests_are_marked_and_answers_filled() -> None:
    log = DriveLog(100)
    log.add(call("Anna", 7260))
    assert log.marked("when did anna call") == "when did @0 call"
    assert log.filled("@0 called at =2 =1, not @5.") == f"Anna called at 2:01, not {SOMEONE}."
    assert len(log.unused) == NAMES - 1
    assert "@0" not in log.unused


def test_a_full_log_goes_down_to_three_quarters_at_once() -> None:
    log = DriveLog(40)
    lengths = []
    for number in range(30):
        log.add(Event(60.0 * number, "rain"))
        lengths.append(len(log.words))
    assert max(lengths) == 39
    assert lengths[12:15] == [39, 30, 33]
    assert log.words[-1] == "=29"
    assert log.written == 90
    assert log.dropped == (90 - len(log.words)) // 3


def test_a_forgotten_name_is_a_name_no_more_and_the_others_keep_their_marks() -> None:
    log = DriveLog(40)
    for who in ("Anna", "Ben", "Clara", "Ben", "Clara", "Ben", "Clara", "Ben"):
        log.add(call(who))
    assert log.marked("anna and ben") == "@0 and @1"
    log.add(call("Clara"))
    assert log.marked("anna and ben") == "anna and @1"
    log.add(call("Dora"))
    assert people(log)[-2:] == ["Clara", "Dora"]
    assert log.marked("dora and clara and ben") == "@0 and @2 and @1"
    assert NAME_MARKS - log.unused == {"@0", "@1", "@2"}


@given(CALLS, st.sampled_from([30, 200, 700]))
def test_no_mark_ever_means_another_name(calls: list[int], most_words: int) -> None:
    log, told = DriveLog(most_words), []
    for number in calls:
        told.append(f"Person {number}")
        log.add(call(told[-1]))
        kept = people(log)
        remaining = iter(told)
        assert len(log.words) <= most_words
        assert all(who in remaining for who in kept), "not in the order of what was told"
        assert kept[-1] == told[-1]
        assert len(kept) + log.dropped == len(told)
    assert len({*people(log)}) + len(log.unused) == NAMES


def test_with_more_names_than_marks_the_lines_of_the_oldest_go() -> None:
    log = DriveLog(10_000)
    for number in range(NAMES):
        log.add(call(f"Person {number}"))
    log.add(call("Person 0"))
    log.add(call("Anna"))
    assert people(log).count("Person 0") == 2
    assert "Person 1" not in people(log)
    assert log.dropped == 1


def test_words_are_the_same_object_until_the_log_changes() -> None:
    log = DriveLog(100)
    log.add(call("Anna"))
    before = log.words
    assert log.words is before
    log.add(Event(0, "fog"))
    assert log.words is not before


def test_a_new_drive_begins_with_nothing() -> None:
    log = DriveLog(100)
    log.add(call("Anna"))
    log.clear()
    assert (log.words, log.written, log.dropped, log.marked("anna")) == ((), 0, 0, "anna")


def test_what_has_no_letter_is_no_name() -> None:
    with pytest.raises(ValueError, match="not a name"):
        DriveLog(100).add(call("..."))


def test_an_engine_without_a_log_has_an_empty_one() -> None:
    log = DriveLog(0)
    log.add(call("Anna"))
    assert log.words == ()
