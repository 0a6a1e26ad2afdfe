"""Generated logs: the same from the same seed, as long as they should be, and quickly made."""

from __future__ import annotations

import re
from time import process_time

import numpy as np
import pytest

from mm_edge.model.events import EVENTS, NAMES
from mm_edge.world.journey import ABSENT, ALWAYS, PEOPLE, PLACES, SPOTS, TASKS, Journey
from mm_edge.world.questions import WORDINGS
from mm_edge.world.recall import HISTORY, HISTORY_FAMILIES, ask_history

SEEDS = range(1_600_000, 1_600_040)


def test_a_seed_is_a_journey() -> None:
    one, two, other = Journey(SEEDS[0], 256), Journey(SEEDS[0], 256), Journey(SEEDS[1], 256)
    assert one.events == two.events
    assert one.words == two.words != other.words


@pytest.mark.parametrize("tokens", [0, 1, 16, 64, 128, 1024, 2048])
def test_a_log_fills_its_length(tokens: int) -> None:
    for seed in SEEDS:
        journey = Journey(seed, tokens)
        assert tokens - 8 <= len(journey.words) <= tokens
        assert [event.time_s for event in journey.events] == sorted(event.time_s for event in journey.events)


def test_no_mark_stands_for_two_names_and_any_may_come_first() -> None:
    journeys = [Journey(seed, 2048) for seed in SEEDS]
    for journey in journeys:
        named = {event.name for event in journey.events if event.name}
        marks = {word for word in journey.words if word.startswith("@")}
        assert len(named) == len(marks) <= 56
    first = {next(word for word in journey.words if word.startswith("@")) for journey in journeys}
    assert len(first) > NAMES / 4


def test_every_kind_occurs_though_not_on_every_journey() -> None:
    counts = {kind: sum((kind, "") in Journey(seed, 2048).latest for seed in SEEDS) for kind in EVENTS}
    assert all(count == len(SEEDS) for kind, count in counts.items() if kind in ALWAYS)
    assert all(count > 0 for count in counts.values())
    assert sum(counts.values()) < len(SEEDS) * (len(EVENTS) - ABSENT * 10)


def test_some_logs_tell_three_times_as_much_as_others() -> None:
    called = sorted(sum(event.kind in ("call", "place") for event in Journey(seed, 1024).events) for seed in SEEDS)
    assert called[-5] > 2.5 * called[4]


def test_tasks_end_once_they_began() -> None:
    for seed in SEEDS:
        running: set[str] = set()
        for event in Journey(seed, 2048).events:
            if event.kind == "task":
                assert event.name not in running
                running.add(event.name)
            elif event.kind in ("done", "failed"):
                running.remove(event.name)


def test_no_name_is_part_of_another_or_of_a_question() -> None:
    names = (*PEOPLE, *PLACES, *SPOTS, *TASKS)
    texts = [wording for wordings in (WORDINGS | HISTORY).values() for wording in wordings]
    whole = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), re.IGNORECASE)
    assert len({name.casefold() for name in names}) == len(names)
    assert not [text for text in texts if whole.search(text)]
    parts = [(one, two) for one in names for two in names if f" {one} ".lower() in f" {two} ".lower()]
    assert parts == [(name, name) for name in names]


@pytest.mark.parametrize(("seed", "tokens"), [(-1, 10), (1, -1)])
def test_a_journey_that_cannot_be(seed: int, tokens: int) -> None:
    with pytest.raises(ValueError, match="a journey needs"):
        Journey(seed, tokens)


def test_a_journey_takes_under_three_milliseconds_with_a_question_of_each_family() -> None:
    def once_s(seed: int) -> float:
        began = process_time()
        journey, rng = Journey(seed, 1024), np.random.default_rng(seed)
        for family in HISTORY_FAMILIES:
            ask_history(journey, rng, family)
        return process_time() - began

    rounds = 20  # of a machine that may be busy with something else for a while
    assert min(once_s(seed) for _ in range(rounds) for seed in SEEDS) < 0.003
