"""How effort that adapts is compared with effort that is fixed."""

from __future__ import annotations

import pytest

from mm_edge.bench._effort import ADAPTIVE, BUDGETS, Effort, efforts, equal, headline, rows
from mm_edge.compute.planner import PlanTable
from mm_edge.engine import open_engine, plans_path, weights_path


def effort(right: int, passes: float) -> Effort:
    return Effort([True] * right + [False] * (100 - right), [passes] * 100)  # type: ignore[list-item]


@pytest.fixture
def found() -> dict[str, Effort]:
    fixed = dict(zip(BUDGETS, (90, 92, 95, 96, 96), strict=True))
    return {f"best of {budget}": effort(right, budget) for budget, right in fixed.items()} | {
        f"rounds, {budget}": effort(right, 1.2) for budget, right in fixed.items()
    }


def test_compute_is_saved_against_the_smallest_effort_that_is_as_often_right(found) -> None:
    figures = headline(found | {ADAPTIVE: effort(95, 1.5)})
    assert figures["compute_saved_at_equal_accuracy"] == pytest.approx(0.5)
    assert figures["rounds_gain_points"] == pytest.approx(6.0)
    assert figures["sequential_over_parallel_compute_ratio"] == pytest.approx(1.2 / 4)


def test_an_effort_that_nothing_equals_is_measured_by_the_best(found) -> None:
    assert equal(found, 0.99) == found["best of 4"]


def test_every_policy_answers_every_request() -> None:
    table = PlanTable.load(plans_path("small"), weights_path("small"))
    found = efforts(open_engine(weights_path("small")), table, 1_500_000, drives=1, logs=0)
    assert {len(each.right) for each in found.values()} == {12}
    assert [found[f"best of {budget}"].mean_passes for budget in BUDGETS] == [*BUDGETS]
    assert all(found[f"rounds, {budget}"].mean_passes <= budget for budget in BUDGETS)
    assert all(each.accuracy > 0.8 for each in found.values())
    assert len(rows(found)) == 2 * len(BUDGETS) + 1
