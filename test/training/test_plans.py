"""What plans are worth, as it is shipped and as it is measured."""

from __future__ import annotations

import pytest

from mm_edge.compute.planner import PlanTable, Reading
from mm_edge.engine import open_engine, plans_path, weights_path
from mm_edge.generation import DECODERS
from mm_edge.training.plans import HANDED, PLANS, READINGS, UNASKED, measured, read


@pytest.mark.parametrize(("rung", "plans"), [("small", PLANS), ("large", PLANS + HANDED)])
def test_the_shipped_tables_belong_to_the_weights_and_have_every_plan_of_every_class(rung: str, plans) -> None:
    table = PlanTable.load(plans_path(rung), weights_path(rung))
    assert {*table.rows} == {"now", "past", "watch", "hard now", "hard past"}
    assert table.probe is not None
    assert all({*found} == {*plans} for found in table.rows.values())
    assert {kind: (*found,) for kind, found in table.readings.items()} == {
        "now": READINGS, "past": READINGS, "watch": UNASKED
    }  # fmt: skip


def test_every_plan_says_something_whole_from_the_first_pass_on() -> None:
    assert {plan.decoder for plan in PLANS} == {*DECODERS} - {"autoregressive", "speculative"}


def test_plans_are_measured_on_the_same_requests() -> None:
    (worths,) = measured(open_engine(weights_path("small")), drives=1, logs=0).values()
    assert {worth.n for worth in worths.values()} == {12}
    assert all(worth.accuracy > 0.7 and 1 <= worth.passes <= plan.max_passes for plan, worth in worths.items())


def test_readings_are_measured_on_the_same_requests() -> None:
    readings = read(open_engine(weights_path("small")), drives=1, logs=0)
    assert {*readings["now"]} == {*READINGS}
    assert {worth.n for worth in readings["now"].values()} == {readings["now"][Reading()].n}
    assert all(worth.passes == 1 for worth in readings["now"].values())
