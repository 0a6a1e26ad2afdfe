"""Which values are possible when none is sure."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.trust.options import MISCOVERAGE, SURE, Options, probabilities


def unsure(n: int, seed: int) -> list[tuple[np.ndarray, int]]:
    """Pictures of three values, the true one drawn by the probabilities themselves."""
    rng = np.random.default_rng(seed)
    odds = rng.dirichlet((2.0, 2.0, 0.5), size=n)
    return [(p, int(rng.choice(3, p=p))) for p in odds]


def test_the_true_value_is_possible_as_often_as_promised() -> None:
    options = Options.fit({"light": unsure(2000, 0)})
    names = ("red", "green", "none")
    held = [
        names[true] in options("light", dict(zip(names, p.tolist(), strict=True)))
        for p, true in unsure(4000, 1)
        if p.max() < SURE
    ]

    assert np.mean(held) == pytest.approx(1 - MISCOVERAGE, abs=0.02)


def test_few_pictures_leave_everything_possible() -> None:
    options = Options.fit({"light": unsure(5, 0), "lead": []})
    odds = {"red": 0.7, "green": 0.2999, "none": 0.0001}

    assert options("light", odds) == options("lead", odds) == options("unheard-of", odds) == ("red", "green", "none")


def test_pictures_that_are_sure_are_not_fitted_to() -> None:
    sure = [(np.array((0.99, 0.01)), 1)] * 500

    assert Options.fit({"light": sure}).floors == {"light": 0.0}


def test_a_sure_value_is_the_only_one() -> None:
    assert Options({})("light", {"red": 0.95, "green": 0.05}) == ("red",)


@pytest.mark.parametrize("odds", [{}, {"red": nan, "green": 0.5}])
def test_no_probabilities_no_options(odds: dict[str, float]) -> None:
    assert Options({})("light", odds) == ()


@given(st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4))
def test_logits_become_probabilities(row: list[float]) -> None:
    found = probabilities({"light": np.array(row, np.float32)})["light"]

    assert list(found) == ["none", "red", "yellow", "green"]
    assert sum(found.values()) == pytest.approx(1.0)
    assert list(found.values())[int(np.argmax(row))] == max(found.values())
