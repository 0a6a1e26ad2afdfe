"""Lines of the log, and names and numbers that stand as marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.model.events import EVENTS, NAMES, SOMEONE, Event, Names, line

WORD = st.text("abcxyz'", min_size=1, max_size=4).filter(lambda word: word.strip("'") != "")
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)


def test_a_line_holds_kind_name_numbers_and_time() -> None:
    names = Names([3, 1])
    assert line(Event(14 * 3600 + 35 * 60 + 59, "call", "Anna", (4,)), names) == ["call", "@3", "=4", "=14", "=35"]
    assert line(Event(86_400 + 60, "route", "Bern", (120, 95)), names) == ["route", "@1", "=120", "=95", "=0", "=1"]
    assert line(Event(0, "fog"), names) == ["fog", "=0", "=0"]


def test_a_number_beyond_the_marks_is_clipped() -> None:
    assert line(Event(0, "service", numbers=(-3, 1000)), Names())[1:3] == ["=0", "=199"]


@pytest.mark.parametrize(
    ("time_s", "kind", "name", "numbers"),
    [(0, "sneeze", "", ()), (0, "place", "", ()), (0, "fog", "Bern", ()), (0, "call", "Anna", ()), (-1, "fog", "", ())],
)
def test_an_event_that_cannot_be(time_s: float, kind: str, name: str, numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"no such kind|takes|time of day"):
        Event(time_s, kind, name, numbers)


def test_a_kind_is_one_lower_case_word() -> None:
    assert all(kind.isalpha() and kind.islower() for kind in EVENTS)


def test_names_are_found_whole_longest_first_and_in_any_case() -> None:
    names = Names()
    assert [names.mark(name) for name in ("Mill", "Mill Haven", "Anna", "ANNA")] == ["@0", "@1", "@2", "@2"]
    assert names.marked("was ANNA's call before mill  haven or mill") == "was @2's call before @1 or @0"
    assert names.marked("annabel at the miller") == "annabel at the miller"
    assert names.filled("@2 was in @1.") == "Anna was in Mill Haven."


def test_nobody_can_type_a_mark() -> None:
    names = Names()
    names.mark("@n=na")
    assert names.marked("who is @0 =5 nna") == "who is 0 5 @0"
    assert names.filled("@0") == "nna"


@pytest.mark.parametrize(
    ("text", "filled"),
    [("At =14 =5.", "At 14:05."), ("=7 minutes, =8 stops", "7 minutes, 8 stops"), ("@63", SOMEONE)],
)
def test_numbers_are_filled(text: str, filled: str) -> None:
    assert Names().filled(text) == filled


def test_the_name_unused_for_longest_gives_up_its_mark() -> None:
    names = Names(range(3))
    for name in ("a", "b", "c", "a"):
        names.mark(name)
    assert names.mark("d") == "@1"
    assert [names.marked(name) for name in "abcd"] == ["@0", "b", "@2", "@1"]


@pytest.mark.parametrize("order", [[], [1, 1], [NAMES], [-1]])
def test_an_order_that_cannot_be(order: list[int]) -> None:
    with pytest.raises(ValueError, match="order"):
        Names(order)


@pytest.mark.parametrize("name", ["", " ", "@=", "?!"])
def test_a_name_needs_a_letter(name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Names().mark(name)


@given(st.lists(NAME, max_size=NAMES), st.lists(NAME, max_size=8), st.permutations(range(NAMES)))
def test_what_is_marked_is_filled_again(known: list[str], said: list[str], order: list[int]) -> None:
    names = Names(order)
    for name in known:
        names.mark(name)
    text = " ".join(said)
    assert names.filled(names.marked(text)) == text
    assert all(names.filled(names.mark(name)) == name for name in known)
