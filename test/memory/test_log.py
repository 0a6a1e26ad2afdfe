"""The text of a drive: bounded, the oldest forgotten first, and no mark that means two names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.memory.log import NAME_MARKS, DriveLog
from mm_edge.model.events import NAMES, SOMEONE, Event

CALLS = st.lists(st.integers(0, 99), max_size=250)
"""With whom: more people than there are marks."""


def call(who: str, time_s: float = 0.0) -> Event:
    return Event(time_s, "call", who, (3,))


def words(log: DriveLog) -> list[str]:
    return [word for line in log.lines for word in line]


def people(log: DriveLog) -> list[str]:
    """Who calls, line by line, by what the marks mean now."""
    return [log.filled(word) for word in words(log) if word in NAME_MARKS]


def test_lines_stand_in_the_order_in_which_they_were_told() -> None:
    log = DriveLog(100)
    added = [log.add(event) for event in (Event(3600, "tunnel"), call("Anna", 7260), Event(0, "red", numbers=(30,)))]
    assert " ".join(words(log)) == "tunnel =1 =0 call @0 =3 =2 =1 red =30 =0 =0"
    assert added[1] == (["call", "@0", "=3", "=2", "=1"], "")


def test_requests_are_marked_and_answers_filled() -> None:
    log = DriveLog(100)
    log.add(call("Anna", 7260))
    assert log.marked("when did anna call") == "when did @0 call"
    assert log.filled("@0 called at =2 =1, not @5.") == f"Anna called at 2:01, not {SOMEONE}."
    assert log.unused == NAME_MARKS - {"@0"}


def test_only_the_latest_lines_are_kept_but_names_are_not_forgotten() -> None:
    log = DriveLog(40)
    log.add(call("Anna"))
    for number in range(30):
        log.add(Event(60.0 * number, "rain"))
    assert len(words(log)) == 39
    assert words(log)[-1] == "=29"
    assert log.marked("when did anna call") == "when did @0 call"


@given(CALLS, st.sampled_from([30, 200, 700]))
def test_no_mark_ever_means_another_name(calls: list[int], most_words: int) -> None:
    log, told = DriveLog(most_words), []
    for number in calls:
        told.append(f"Person {number}")
        added, reused = log.add(call(told[-1]))
        kept, remaining = people(log), iter(told)
        assert len(words(log)) <= most_words
        assert all(who in remaining for who in kept), "not in the order of what was told"
        assert kept[-1] == told[-1]
        assert reused in ("", added[1])
    assert len(log.unused) == NAMES - min(NAMES, len({*told}))


def test_with_more_names_than_marks_the_name_not_heard_of_for_longest_goes() -> None:
    log = DriveLog(10_000)
    for number in range(NAMES):
        log.add(call(f"Person {number}"))
    assert log.add(call("Person 0"))[1] == ""
    assert log.add(call("Anna"))[1] == "@1"
    assert people(log).count("Person 0") == 2
    assert "Person 1" not in people(log)


@given(CALLS)
def test_a_log_goes_on_from_what_was_kept_of_it(calls: list[int]) -> None:
    first, second = DriveLog(100), DriveLog(100)
    for number in calls:
        first.add(call(f"Person {number}"))
    second.restore(json.loads(json.dumps(first.state())))
    assert (second.lines, second.unused) == (first.lines, first.unused)
    for number in (3, 120, 121):
        assert second.add(call(f"Person {number}")) == first.add(call(f"Person {number}"))
    assert people(second) == people(first)


def test_a_new_drive_begins_with_nothing() -> None:
    log = DriveLog(100)
    log.add(call("Anna"))
    log.clear()
    assert (log.lines, log.marked("anna"), log.unused) == ((), "anna", NAME_MARKS)


def test_what_has_no_letter_is_no_name() -> None:
    with pytest.raises(ValueError, match="not a name"):
        DriveLog(100).add(call("..."))
