"""How good probabilities are."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.trust.selection import (
    aurc,
    auroc,
    bootstrap,
    expected_calibration_error,
    reliability,
    risk_coverage,
    risks,
)


def test_calibrated_probabilities_come_to_what_they_say() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1.0, 20_000)

    assert expected_calibration_error(p, rng.random(20_000) < p) < 0.02
    assert expected_calibration_error(p, rng.random(20_000) < p - 0.2) == pytest.approx(0.2, abs=0.02)


def test_bins_hold_everything_once() -> None:
    bins = reliability([0.1, 0.9, 0.5, 0.7], [False, True, True, False], bins=2)

    assert bins == [(pytest.approx(0.3), 0.5, 2), (pytest.approx(0.8), 0.5, 2)]


def test_knowing_what_is_wrong_costs_least() -> None:
    right = np.array([True] * 80 + [False] * 20)
    knows, guesses = np.linspace(1, 0, 100), np.full(100, 0.8)

    assert risks(knows, right)[79] == 0.0
    assert aurc(knows, right) < aurc(guesses, right) == pytest.approx(0.2)


def test_equal_probabilities_give_no_order() -> None:
    labels = np.array([True, False, True, False])

    assert risks(np.ones(4), labels).tolist() == risks(np.ones(4), ~labels).tolist() == [0.5] * 4


def test_a_curve_ends_with_all_answers() -> None:
    curve = risk_coverage(np.linspace(0, 1, 1000), np.arange(1000) % 4 > 0)

    assert len(curve) <= 100
    assert curve[-1] == (1.0, pytest.approx(0.25))


def test_no_answers_no_figures() -> None:
    assert isnan(expected_calibration_error([], []))
    assert isnan(aurc([], []))
    assert isnan(auroc([], [1.0]))
    assert risk_coverage([], []) == []
    assert all(map(isnan, bootstrap(lambda at: 0.0, [])))


@pytest.mark.parametrize("label", [True, False])
def test_one_class_of_labels_has_figures(label: bool) -> None:
    p, labels = np.linspace(0.6, 0.9, 30), np.full(30, label)

    assert aurc(p, labels) == (0.0 if label else 1.0)
    assert 0 <= expected_calibration_error(p, labels) <= 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_what_is_told_apart_one_way_is_told_apart_the_other_way(familiar: list[float], novel: list[float]) -> None:
    assert auroc(familiar, novel) == pytest.approx(1 - auroc(novel, familiar))


def test_intervals_are_wider_where_answers_go_together() -> None:
    values = np.repeat(np.random.default_rng(0).random(20) < 0.5, 10)

    def mean(at: np.ndarray) -> float:
        return float(values[at].mean())

    apart, together = (bootstrap(mean, groups) for groups in (range(200), np.repeat(range(20), 10).tolist()))

    assert together[1] - together[0] > 2 * (apart[1] - apart[0])
