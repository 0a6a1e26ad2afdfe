"""Reliability and risk on the page."""

from __future__ import annotations

from math import nan

import pytest

from mm_edge.report.belief import LEAST_RISK, SIZE, charts, place
from mm_edge.trust.constants import Belief


def belief(**more: object) -> Belief:
    bins, curve = ((0.9, 0.8, 30), (0.99, 1.0, 10)), ((0.5, 0.0), (1.0, 0.1))
    fields: dict[str, object] = {"reliability": bins, "selection": curve} | more
    return Belief(("fast",), {}, 0.95, 0.4, **fields)  # type: ignore[arg-type]


def test_probabilities_lie_on_a_scale_of_odds() -> None:
    assert place(0.0) == place(0.6) == 0.0
    assert place(1.0) == SIZE
    assert place(0.99) - place(0.9) == pytest.approx(place(0.9) - place(0.45 / 0.95), abs=SIZE)
    assert place(0.6) < place(0.9) < place(0.99) < place(0.999)


def test_bins_are_dots_above_or_below_the_diagonal() -> None:
    found = charts(belief(), [])

    assert found is not None
    low, high = found.dots
    assert SIZE - low.y < low.x
    assert SIZE - high.y > high.x
    assert low.radius > high.radius
    assert found.n == 40


def test_the_risk_reaches_the_top_where_it_is_highest() -> None:
    found = charts(belief(), [])

    assert found is not None
    assert found.top == 0.1
    assert found.risk == f"{SIZE / 2:.1f},{SIZE:.1f} {SIZE:.1f},0.0"


def test_a_model_that_is_never_wrong_has_a_scale() -> None:
    found = charts(belief(selection=((1.0, 0.0),)), [])

    assert found is not None
    assert found.top == LEAST_RISK


def test_the_drives_confidences_are_ticks_once_each() -> None:
    found = charts(belief(), [0.9, 0.9, nan, 0.99])

    assert found is not None
    assert found.rug == [place(0.9), place(0.99)]


@pytest.mark.parametrize("nothing", [None, belief(reliability=()), belief(selection=())])
def test_nothing_measured_nothing_drawn(nothing: Belief | None) -> None:
    assert charts(nothing, [0.9]) is None
