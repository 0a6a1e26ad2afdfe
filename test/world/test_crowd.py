"""Requests in people's own words."""

from __future__ import annotations

from mm_edge.world.crowd import REFUSED, ROUTES, crowd
from mm_edge.world.journey import Journey
from mm_edge.world.questions import WORDINGS
from mm_edge.world.recall import HISTORY, answer_history


def test_every_route_ends_in_a_family_of_questions() -> None:
    assert {*ROUTES.values(), REFUSED} <= (WORDINGS | HISTORY).keys()
    assert crowd("train").keys() == crowd("test").keys() == {*ROUTES.values(), REFUSED}


def test_nothing_to_measure_with_is_trained_with() -> None:
    train, test = ({text for texts in crowd(split).values() for text in texts} for split in ("train", "test"))
    assert len(train & test) / len(test) < 0.01


def test_the_splits_are_those_of_the_source() -> None:
    sizes = {split: sum(map(len, crowd(split).values())) for split in ("train", "test")}
    assert sizes == {"train": 15_100, "test": 5_500}


def test_what_a_log_answers_needs_no_name() -> None:
    journey = Journey(1_600_000, 0)
    assert all("unknown" in answer_history(journey, family).values() for family in {*ROUTES.values()} & HISTORY.keys())


def test_every_route_has_requests_of_both_splits() -> None:
    assert all(len(texts) >= 100 for texts in crowd("train").values())
    assert all(len(texts) >= 30 for texts in crowd("test").values())
