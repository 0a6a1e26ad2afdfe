"""How the figures about requests that wait come about, from fates that nobody had."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_edge.assistant.request import Request, Stakes
from mm_edge.bench.queue import BURST, EDF, LOADS, SHARED, SOONEST_MS, Asked, Fate, drawn, fate, headline, rows
from mm_edge.feedback.wording import NOT_SURE_YET

LATE = SimpleNamespace(deadline_met=False)
IN_TIME = SimpleNamespace(deadline_met=True)
HOUSES: Any = {SHARED: SimpleNamespace(looks=[IN_TIME, IN_TIME]), EDF: SimpleNamespace(looks=[IN_TIME, LATE])}


def fates(answered: float) -> list[Fate]:
    """Of every load, this share of the requests with high stakes, and none of the others."""
    return [
        Fate(load, stakes, stakes == Stakes.HIGH and number < 10 * answered, -5.0)
        for load in LOADS
        for stakes in Stakes
        for number in range(10)
    ]


def test_an_answer_counts_if_it_is_one_and_in_time() -> None:
    asked = Asked(Request(0, "q", "what is ahead", 100.0), 10.0)
    words = [(10.05, "The road is free."), (10.2, "The road is free."), (10.05, NOT_SURE_YET)]
    assert [fate(1.0, asked, at_s, SimpleNamespace(text=text)).answered for at_s, text in words] == [  # type: ignore[arg-type]
        True, False, False
    ]  # fmt: skip
    assert fate(1.0, asked, 10.2, SimpleNamespace(text="")).late_ms == pytest.approx(100)  # type: ignore[arg-type]


def test_the_headline_is_of_the_middle_load_and_of_both_queues() -> None:
    figures = headline({SHARED: fates(0.9), EDF: fates(0.3)}, HOUSES)
    assert figures["shared_answered_high_stakes"] == pytest.approx(0.9)
    assert figures["edf_answered"] == pytest.approx(0.1)
    assert (figures["shared_looks_late"], figures["edf_looks_late"]) == (0.0, 0.5)
    assert figures["n"] == 90


def test_every_load_has_a_row_for_each_queue() -> None:
    table = rows({SHARED: fates(0.9), EDF: fates(0.3)})
    assert len(table) == 2 * len(LOADS)
    assert (table[0]["n"], table[0]["high stakes"], table[0]["low stakes"]) == (30, 0.9, 0.0)


def test_a_burst_is_of_different_requests_with_possible_deadlines() -> None:
    burst = drawn(np.random.default_rng(1), ["a", "b"], 50.0, 3)
    assert len({request.id for request in burst}) == BURST
    assert {request.stakes for request in burst} == set(Stakes)
    assert all(SOONEST_MS <= request.deadline_ms <= 2 * SOONEST_MS for request in burst)
