"""What plans are worth, as it is shipped and as it is measured."""

from __future__ import annotations

from mm_edge.compute.planner import PlanTable
from mm_edge.engine import open_engine, plans_path, weights_path
from mm_edge.generation import DECODERS
from mm_edge.training.plans import PLANS, measured


def test_the_shipped_table_belongs_to_the_weights_and_has_every_plan_of_every_class() -> None:
    table = PlanTable.load(plans_path("small"), weights_path("small"))
    assert {*table.rows} == {"now", "past", "watch", "hard now", "hard past"}
    assert table.probe is not None
    assert all({*plans} == {*PLANS} for plans in table.rows.values())


def test_every_plan_says_something_whole_from_the_first_pass_on() -> None:
    assert {plan.decoder for plan in PLANS} == {*DECODERS} - {"autoregressive", "speculative"}


def test_plans_are_measured_on_the_same_requests() -> None:
    (worths,) = measured(open_engine(weights_path("small")), drives=1, logs=0).values()
    assert {worth.n for worth in worths.values()} == {12}
    assert all(worth.accuracy > 0.7 and 1 <= worth.passes <= plan.max_passes for plan, worth in worths.items())
