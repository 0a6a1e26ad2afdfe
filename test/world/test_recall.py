"""Questions about the past, against another reading of the log's own words."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.model.events import EVENTS, LANDMARKS, Event
from mm_edge.model.network import STYLES
from mm_edge.world.grammar import write
from mm_edge.world.journey import Journey
from mm_edge.world.questions import WORDINGS, Question, right
from mm_edge.world.recall import (
    HISTORY,
    HISTORY_FAMILIES,
    MOST_STOPS,
    UNKNOWN,
    answer_history,
    ask_history,
    question_about,
)

SEEDS = st.integers(1_600_000, 1_699_999)
LENGTHS = st.sampled_from([16, 64, 256, 1024, 2048])
Line = tuple[str, ...]


def lines(words: list[str]) -> list[Line]:
    """(hour, minute, kind, name and numbers) of a log, read from its words alone."""
    found, left = [], iter(words)
    for kind in left:
        arguments = [next(left) for _ in EVENTS[kind]]
        found.append((next(left), next(left), kind, *arguments))
    return found


def asked_about(question: Question, journey: Journey, log: list[Line]) -> int | None:
    """The line that a question points to by its slot."""
    words = journey.names.marked(question.text).rstrip("?").split()
    for index in range(len(log) - 1, -1, -1):
        kind, rest = log[index][2], log[index][3:]
        entered = kind == "place" and rest[0] in words
        called = kind == "call" and question.family in ("when", "call_length") and rest[0] in words
        if entered or called or (kind in LANDMARKS and kind in words):
            return index
    return None


def expected(question: Question, journey: Journey) -> dict[str, str]:
    log = lines(journey.words)
    at = asked_about(question, journey, log)
    if question.family in ("last_caller", "last_limit"):
        kind, fact = ("call", "name") if question.family == "last_caller" else ("limit", "number")
        return {fact: next((each[3] for each in log[::-1] if each[2] == kind), UNKNOWN)}
    fact = {"after": "event", "call_before": "name", "when": "hour"}.get(question.family, "number")
    if at is None:
        return {fact: UNKNOWN}
    if question.family == "stops_since":
        return {fact: f"={[each[2] for each in log[at:]].count('stop')}"}
    if question.family == "after":
        return {fact: [*(each[2] for each in log), UNKNOWN][at + 1]}
    if question.family == "call_before":
        return {fact: next((each[3] for each in log[at::-1] if each[2] == "call"), UNKNOWN)}
    return (
        {fact: log[at][4]} if question.family == "call_length" else dict(zip(("hour", "minute"), log[at], strict=False))
    )


CHECKED = ("last_caller", "last_limit", "stops_since", "after", "call_before", "call_length", "when")


@settings(max_examples=400, deadline=None)
@given(SEEDS, LENGTHS, st.sampled_from(CHECKED))
def test_answers_follow_from_the_words_of_the_log(seed: int, tokens: int, family: str) -> None:
    journey = Journey(seed, tokens)
    question = ask_history(journey, np.random.default_rng(seed), family)
    assert question.facts == expected(question, journey)


@pytest.mark.parametrize("tokens", [64, 256, 1024, 2048])
@pytest.mark.parametrize("family", HISTORY_FAMILIES)
def test_every_family_has_answers_and_unknown_ones(family: str, tokens: int) -> None:
    asked = [
        ask_history(Journey(seed, tokens), np.random.default_rng(seed), family) for seed in range(1_600_000, 1_600_100)
    ]
    unknown = sum(UNKNOWN in question.facts.values() for question in asked)
    assert 0 < unknown < 85
    assert len({tuple(question.facts.values()) for question in asked}) >= 4


@pytest.mark.parametrize("tokens", [64, 1024])
def test_about_one_in_eight_has_no_answer_and_all_families_are_asked(tokens: int) -> None:
    rng = np.random.default_rng(1)
    asked = [ask_history(Journey(seed, tokens), rng) for seed in range(1_600_000, 1_600_400) for _ in range(5)]
    assert 0.08 < np.mean([UNKNOWN in question.facts.values() for question in asked]) < 0.16
    assert min(Counter(question.family for question in asked)[family] for family in HISTORY_FAMILIES) > 30


def test_an_empty_log_answers_nothing() -> None:
    journey, rng = Journey(1_600_000, 0), np.random.default_rng(1)
    assert all(UNKNOWN in ask_history(journey, rng, family).facts.values() for family in HISTORY_FAMILIES)


@settings(max_examples=300, deadline=None)
@given(SEEDS, LENGTHS, st.integers(1, STYLES))
def test_an_answer_can_be_written_and_read(seed: int, tokens: int, style: int) -> None:
    question = ask_history(Journey(seed, tokens), np.random.default_rng(seed))
    assert right(write(question.topic, question.facts, style), question)
    assert question.family != "stops_since" or question.facts["number"] in (
        UNKNOWN,
        *map("={}".format, range(MOST_STOPS + 1)),
    )


def past(*events: tuple[str, str]) -> Journey:
    """A journey on which these (kind, name) happen, a minute apart."""
    journey = Journey(0, 0)
    journey.events = tuple(
        Event(60.0 * minute, kind, name, (minute,) * EVENTS[kind].count("number"))
        for minute, (kind, name) in enumerate(events)
    )
    journey.latest = {key: index for index, (kind, name) in enumerate(events) for key in ((kind, ""), (kind, name))}
    return journey


@pytest.mark.parametrize(
    ("family", "about", "facts"),
    [
        ("doing", None, {"name": "taxi order"}),
        ("task_state", ("task", "pizza order"), {"state": "done", "name": "pizza order"}),
        ("task_state", ("task", "visa form"), {"state": "failed", "name": "visa form"}),
        ("task_state", ("task", "taxi order"), {"state": "running", "name": "taxi order"}),
        ("task_state", ("task", "bill payment"), {"state": "unknown"}),
        ("parked", None, {"name": "Garage B"}),
        ("charged", ("charge", "Garage A"), {"number": "7"}),
        ("arrival", None, {"name": "Bern", "km": "10", "min": "10"}),
        ("service", None, {"since": "unknown"}),
    ],
)
def test_what_a_log_answers(family: str, about: tuple[str, str] | None, facts: dict[str, str]) -> None:
    journey = past(
        ("task", "pizza order"), ("task", "taxi order"), ("failed", "taxi order"), ("task", "taxi order"),
        ("task", "visa form"), ("done", "pizza order"), ("park", "Garage A"), ("charge", "Garage A"),
        ("failed", "visa form"), ("park", "Garage B"), ("route", "Bern"),
    )  # fmt: skip
    found = answer_history(journey, family, about)
    assert {name: journey.names.filled(value) for name, value in found.items()} == facts


def test_a_typo_never_changes_a_name() -> None:
    rng, journey = np.random.default_rng(3), Journey(1_600_001, 512)
    known = (ask_history(journey, rng, "call_length") for _ in range(600))
    texts = [journey.names.marked(question.text) for question in known if UNKNOWN not in question.facts.values()]
    assert len(texts) > 400
    assert all("@" in text for text in texts)


def test_every_family_has_many_wordings_and_none_belongs_to_two() -> None:
    wordings = [wording for family in (WORDINGS | HISTORY).values() for wording in family]
    assert all(10 <= len(family) <= 16 for family in HISTORY.values())
    assert len(wordings) == len(set(wordings))
    assert not WORDINGS.keys() & HISTORY.keys()


@given(SEEDS, LENGTHS)
@settings(max_examples=60, deadline=None)
def test_what_is_known_stands_in_the_log_by_the_word_that_it_is_found_by(seed: int, tokens: int) -> None:
    journey, rng = Journey(seed, tokens), np.random.default_rng(seed)
    question = ask_history(journey, rng)
    if UNKNOWN not in question.facts.values():
        assert question.about in journey.words
    if question.about.startswith("@"):
        assert question.about in journey.names.marked(question.text).rstrip("?").split()


def test_a_name_that_the_log_never_held_is_about_nothing() -> None:
    journey = Journey(1_600_000, 64)
    assert question_about(journey, "call_length", "", ("call", "Nobody Known")).about == ""
    assert question_about(journey, "last_limit", "").about == "limit"
