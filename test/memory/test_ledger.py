"""The ledger states what follows from the log, and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.memory.ledger import MET, UNKNOWN, Ledger
from mm_edge.model.events import EVENTS, LANDMARKS, NUMBERS
from mm_edge.world.journey import Journey
from mm_edge.world.recall import answer_history

SEEDS = st.integers(0, 999_999)
LENGTHS = st.integers(0, 1200)
many = settings(max_examples=80, deadline=None)


def told(*lines: str) -> Ledger:
    ledger = Ledger()
    for line in lines:
        ledger.add(line.split())
    return ledger


def of(journey: Journey) -> Ledger:
    return told(*map(" ".join, journey.lines))


@many
@given(SEEDS, LENGTHS)
def test_stops_are_counted_since_everything_that_was_passed(seed: int, tokens: int) -> None:
    journey = Journey(seed, tokens)
    ledger = of(journey)
    places = {(kind, name) for kind, name in journey.latest if kind == "place" and name}

    for kind, name in {*places, *((kind, "") for kind in LANDMARKS)}:
        (right,) = answer_history(journey, "stops_since", (kind, name)).values()
        assert ledger.stated("<stops_since>", journey.names.mark(name) if name else kind) == right


@many
@given(SEEDS, LENGTHS)
def test_the_task_that_runs_is_the_latest_that_neither_worked_nor_failed(seed: int, tokens: int) -> None:
    journey = Journey(seed, tokens)
    (right,) = answer_history(journey, "doing").values()

    assert of(journey).stated("<doing>", "task") == right


@many
@given(SEEDS, LENGTHS)
def test_counts_and_latest_lines_are_those_of_the_log(seed: int, tokens: int) -> None:
    journey = Journey(seed, tokens)
    ledger, kinds = of(journey), [line[0] for line in journey.lines]

    assert ledger.counts == {kind: kinds.count(kind) for kind in kinds}
    assert ledger.latest == {line[0]: line[1 : 1 + len(EVENTS[line[0]])] for line in journey.lines}


@many
@given(SEEDS, LENGTHS)
def test_of_what_is_forgotten_nothing_is_stated(seed: int, tokens: int) -> None:
    journey = Journey(seed, tokens)
    ledger, before = of(journey), of(journey)
    marks = [journey.names.mark(name) for _, name in journey.latest if name]
    for mark in marks[::2]:
        ledger.forget(mark)

    for mark in marks:
        right = UNKNOWN if mark in marks[::2] else before.stated("<stops_since>", mark)
        assert ledger.stated("<stops_since>", mark) == right
    assert ledger.stated("<doing>", "task") not in marks[::2]
    assert not {word for words in ledger.latest.values() for word in words} & {*marks[::2]}
    assert ledger.counts == before.counts


def test_a_place_that_is_passed_again_counts_anew() -> None:
    lines = "place @3 =9 =0", "stop =20 =9 =1", "place @4 =9 =2", "stop =5 =9 =3"

    assert told(*lines).stated("<stops_since>", "@3") == "=2"
    assert told(*lines, "place @3 =9 =4").stated("<stops_since>", "@3") == "=0"


def test_a_task_that_begins_again_runs_again() -> None:
    lines = "task @1 =9 =0", "task @2 =9 =1", "failed @2 =9 =2"

    assert told(*lines).stated("<doing>", "task") == "@1"
    assert told(*lines, "task @2 =9 =3").stated("<doing>", "task") == "@2"
    assert told(*lines, "done @1 =9 =3").stated("<doing>", "task") == UNKNOWN


def test_a_count_beyond_the_marks_is_the_highest_mark() -> None:
    ledger = told("tunnel =9 =0", *["stop =20 =9 =1"] * (NUMBERS + 5))

    assert ledger.stated("<stops_since>", "tunnel") == f"={NUMBERS - 1}"


def test_an_empty_ledger_knows_nothing() -> None:
    assert {Ledger().stated("<stops_since>", about) for about in (*MET, "@0", "")} == {UNKNOWN}
    assert Ledger().stated("<doing>", "task") == UNKNOWN


def test_other_topics_are_not_counted() -> None:
    ledger = told("place @3 =9 =0", "call @5 =12 =9 =5")

    assert [ledger.stated(topic, "@3") for topic in ("<when>", "<location>", "stops_since", "")] == [None] * 4
