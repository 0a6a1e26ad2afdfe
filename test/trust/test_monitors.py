"""What is watched while a drive lasts."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.trust.monitors import AGREED, DISTRUST, LEVEL, PATIENCE_S, Drift, Outcomes, Risk

DAY, NIGHT = {"daylight": ("day", 0.99)}, {"daylight": ("night", 0.99)}


def risk(wrong: int, n: int) -> Risk:
    found = Risk()
    for index in range(n):
        found.add(index < wrong)
    return found


def test_nothing_is_known_before_the_first_outcome() -> None:
    assert isnan(Risk().bound())


def test_the_bound_falls_with_right_answers_and_rises_with_wrong_ones() -> None:
    assert risk(0, 1).bound() > risk(0, 10).bound() > risk(0, 100).bound()
    assert risk(0, 100).bound() < risk(3, 100).bound() < risk(50, 100).bound()


def test_a_hundred_right_answers_promise_less_than_a_twentieth_wrong() -> None:
    assert 0.02 < risk(0, 100).bound() < 0.06


@settings(max_examples=60)
@given(st.integers(0, 200), st.integers(1, 200))
def test_the_bound_is_never_below_what_was_counted(wrong: int, n: int) -> None:
    bound = risk(min(wrong, n), n).bound()

    assert min(wrong, n) / n <= bound + 1e-9 <= 1.0 + 1e-9


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_the_bound_holds_at_every_moment_of_nearly_every_drive(share: float) -> None:
    broken = 0
    for seed in range(200):
        found = Risk()
        outcomes = np.random.default_rng(seed).random(150) < share
        bounds = []
        for number, wrong in enumerate(outcomes):
            found.add(bool(wrong))
            if number % 5 == 0:
                bounds.append(found.bound())
        broken += min(bounds) < share

    assert broken / 200 <= LEVEL


def test_calibrated_answers_raise_no_alarm() -> None:
    alarms = 0
    for seed in range(20):
        rng, drift = np.random.default_rng(seed), Drift()
        for p in rng.uniform(0.9, 0.999, 200):
            drift.add(float(p), bool(rng.random() > p))
            alarms += drift.alarm

    assert alarms == 0


def test_overconfidence_raises_the_alarm_even_after_good_times() -> None:
    drift = Drift()
    for _ in range(500):
        drift.add(0.98, wrong=False)
    assert not drift.alarm

    for _ in range(8):
        drift.add(0.98, wrong=True)

    assert drift.alarm


def test_a_probability_that_is_no_number_is_not_counted() -> None:
    drift = Drift()
    for _ in range(50):
        drift.add(nan, wrong=True)

    assert not drift.alarm


def test_an_answer_that_nobody_contradicts_counts_as_right() -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "light", {}, 0.0)
    outcomes.look({}, PATIENCE_S)
    assert outcomes.risk.n == 0

    outcomes.look({}, PATIENCE_S + 0.1)

    assert (outcomes.risk.wrong, outcomes.risk.n) == (0, 1)


def test_a_correction_is_of_the_last_answer() -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "light", {}, 0.0)
    outcomes.said(0.99, "lead", {}, 1.0)

    assert outcomes.corrected(2.0)
    outcomes.look({}, 20.0)

    assert (outcomes.risk.wrong, outcomes.risk.n) == (1, 2)


def test_a_correction_that_comes_too_late_is_of_nothing() -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "light", {}, 0.0)

    assert not outcomes.corrected(PATIENCE_S + 1.0)
    assert outcomes.risk.wrong == 0


def test_later_pictures_contradict_a_lasting_fact() -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "daylight", DAY, 0.0)
    for number in range(AGREED):
        outcomes.look(NIGHT, 0.2 * (number + 1))

    assert (outcomes.risk.wrong, outcomes.risk.n) == (1, 1)


@pytest.mark.parametrize("between", [DAY, {"daylight": ("night", 0.5)}, {}])
def test_a_flicker_contradicts_nothing(between: dict[str, tuple[str, float]]) -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "daylight", DAY, 0.0)
    for number in range(AGREED * 2):
        outcomes.look(between if number % 2 else NIGHT, 0.2 * (number + 1))

    assert outcomes.risk.n == 0


def test_a_fact_that_may_change_is_not_verified_by_later_pictures() -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "light", {"light": ("red", 0.99)}, 0.0)
    for number in range(AGREED * 2):
        outcomes.look({"light": ("green", 0.99)}, 0.2 * (number + 1))

    assert outcomes.risk.wrong == 0


def test_corrections_lead_to_distrust() -> None:
    outcomes = Outcomes()
    for number in range(8):
        outcomes.said(0.99, "light", {}, float(number))
        outcomes.corrected(number + 0.5)

    assert outcomes.doubts() == (DISTRUST,)


def test_time_that_begins_anew_leaves_what_was_counted() -> None:
    outcomes = Outcomes()
    outcomes.said(0.99, "light", {}, 0.0)
    outcomes.corrected(0.5)
    outcomes.said(0.99, "light", {}, 1.0)

    outcomes.clear()
    outcomes.look({}, 100.0)

    assert (outcomes.risk.wrong, outcomes.risk.n) == (1, 1)
