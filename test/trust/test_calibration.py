"""From raw confidence to probability."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.trust.calibration import Calibration
from mm_edge.trust.selection import expected_calibration_error


def overconfident(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Raw confidences, and outcomes that are right less often than those claim."""
    rng = np.random.default_rng(0)
    claimed = rng.uniform(0.5, 0.999, n)
    return claimed, rng.random(n) < 0.5 + 0.6 * (claimed - 0.5)


def test_fitting_removes_overconfidence() -> None:
    claimed, right = overconfident()
    fitted = Calibration.fit(claimed, right)
    probabilities = [fitted.probability(c) for c in claimed]
    assert expected_calibration_error(claimed, right) > 0.08
    assert expected_calibration_error(probabilities, right) < 0.03


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_confidence_is_never_less_probability(one: float, other: float) -> None:
    fitted = Calibration.fit(*overconfident(200))
    low, high = sorted([one, other])
    assert fitted.probability(low) <= fitted.probability(high) + 1e-12


def test_a_few_outcomes_do_not_tell_a_slope() -> None:
    sure = np.linspace(0.9, 0.99, 40)
    surprising = Calibration.fit(sure, np.arange(40) != 39)

    assert surprising.slope > 0.5
    assert surprising.probability(0.1) < 0.6


def test_many_outcomes_tell_it_whatever_was_thought_before() -> None:
    claimed, _ = overconfident(20_000)
    right = np.random.default_rng(1).random(20_000) < 0.9

    assert Calibration.fit(claimed, right).slope < 0.1


def test_what_is_no_number_is_not_believed() -> None:
    assert Calibration().probability(nan) == 0.0


def test_all_right_or_all_wrong_stays_finite() -> None:
    assert 0.5 < Calibration.fit([0.9] * 10, [True] * 10).probability(0.9) < 1
    assert 0 < Calibration.fit([0.9] * 10, [False] * 10).probability(0.9) < 0.5


@pytest.mark.parametrize(("confidences", "right"), [([], []), ([0.5], [True, False])])
def test_unequal_or_no_outcomes_are_refused(confidences: list[float], right: list[bool]) -> None:
    with pytest.raises(ValueError, match="as many outcomes"):
        Calibration.fit(confidences, right)
