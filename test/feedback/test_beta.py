"""Quantiles of a Beta distribution, against what is known in closed form and by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.feedback.beta import below, quantile

COUNTS = st.floats(0.5, 200)


@given(st.floats(0.01, 0.99), COUNTS)
def test_with_one_failure_less_than_none_it_is_a_root(share: float, a: float) -> None:
    assert quantile(share, a, 1.0) == pytest.approx(share ** (1 / a), abs=1e-9)


@given(st.floats(0.01, 0.99), COUNTS, COUNTS)
def test_it_is_the_inverse_of_the_distribution(share: float, a: float, b: float) -> None:
    assert below(quantile(share, a, b), a, b) == pytest.approx(share, abs=1e-6)


@given(st.floats(0.01, 0.99), COUNTS, COUNTS)
def test_its_mirror_image(share: float, a: float, b: float) -> None:
    assert quantile(share, a, b) == pytest.approx(1 - quantile(1 - share, b, a), abs=1e-9)


def test_it_is_what_sampling_finds() -> None:
    sample = np.random.default_rng(0).beta(18.0, 4.0, 200_000)
    assert quantile(0.1, 18.0, 4.0) == pytest.approx(np.quantile(sample, 0.1), abs=0.002)


@pytest.mark.parametrize("wrong", [(0.0, 1, 1), (1.0, 1, 1), (0.5, 0, 1), (0.5, 1, -1), (float("nan"), 1, 1)])
def test_what_has_no_quantile_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        quantile(*wrong)
