"""Which plan a deadline buys."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch

from mm_edge.compute.difficulty import Probe
from mm_edge.compute.latency_model import LatencyModel
from mm_edge.compute.planner import UNMEASURED, Plan, PlanError, Planner, PlanTable, Worth
from mm_edge.engine.base import Context
from mm_edge.model.checkpoint import sha256

ONE, SPEEDY, QUALITY, VOTING = Plan("flow", 1), Plan("speedy", 24), Plan("quality", 24), Plan("voting", 24)
WORTHS = {
    ONE: Worth(0.90, 1.0, 500),
    SPEEDY: Worth(0.95, 1.1, 500),
    QUALITY: Worth(0.97, 2.0, 500),
    VOTING: Worth(0.9705, 5.0, 500),
}


@pytest.fixture
def planner() -> Planner:
    """Every pass takes 10 ms."""
    latency = LatencyModel()
    for plan in WORTHS:
        for _ in range(10):
            latency.observe(f"pass:{plan.decoder}", 10.0)
    return Planner(PlanTable("", {"now": WORTHS}), latency)


@pytest.mark.parametrize(
    ("remaining_ms", "plan"), [(12.5, ONE), (14.0, SPEEDY), (25.0, QUALITY), (2000.0, QUALITY), (None, QUALITY)]
)
def test_more_time_buys_more_right_sentences_and_no_more_than_that(planner: Planner, remaining_ms, plan) -> None:
    assert planner.choose("now", remaining_ms, 24).plan == plan


@pytest.mark.parametrize(("remaining_ms", "why"), [(0.0, "has passed"), (-500.0, "has passed"), (3.0, "no plan fits")])
def test_there_is_always_an_answer(planner: Planner, remaining_ms: float, why: str) -> None:
    choice = planner.choose("now", remaining_ms, 24)
    assert choice.plan == ONE
    assert why in choice.reason


def test_what_brings_less_than_it_costs_is_not_bought(planner: Planner) -> None:
    planner.table.rows["now"] = {ONE: Worth(0.966, 1.0, 500), QUALITY: Worth(0.97, 2.0, 500)}
    assert planner.choose("now", None, 24).plan == ONE
    planner.table.rows["now"] = {ONE: Worth(0.96, 1.0, 500), QUALITY: Worth(0.97, 2.0, 500)}
    assert planner.choose("now", None, 24).plan == QUALITY


def test_rounds_that_are_seldom_needed_are_nearly_free(planner: Planner) -> None:
    planner.table.rows["now"] = {ONE: Worth(0.966, 1.0, 500), Plan("flow", 1, 2): Worth(0.97, 1.03, 500)}
    assert str(planner.choose("now", None, 24).plan) == "flow passes<=1 rounds<=2"


def test_hard_requests_have_plans_of_their_own() -> None:
    probe = Probe(np.zeros(2), np.ones(2), np.array([-1.0, 0.0]), 0.0, 0.5)
    table = PlanTable("", {"now": WORTHS, "hard now": WORTHS}, probe)
    nothing = torch.zeros(1)
    assert table.graded("now", Context(nothing, 1, claims=(((5, 0.3),),))) == "hard now"
    assert table.graded("now", Context(nothing, 1, claims=(((5, 0.9),),))) == "now"
    assert table.graded("watch", Context(nothing, 1, claims=(((5, 0.3),),))) == "watch"


def test_a_busier_machine_gets_cheaper_plans(planner: Planner) -> None:
    before = planner.choose("now", 30.0, 24).plan
    for _ in range(2):
        planner.latency.observe("pass:flow", 25.0)
    assert (before, planner.choose("now", 30.0, 24).plan) == (QUALITY, ONE)


def test_why_is_told_in_one_line(planner: Planner) -> None:
    assert planner.choose("now", 30.0, 24).reason == "right in 97.0% of 'now', 24.0 ms of 30.0 ms left"
    assert planner.choose("now", None, 24).reason.endswith("no deadline")


def test_no_plan_takes_more_passes_than_allowed(planner: Planner) -> None:
    assert planner.choose("now", None, 10).plan == ONE
    planner.table.rows["now"] = {QUALITY: WORTHS[QUALITY]}
    assert planner.choose("now", None, 10).plan == Plan("quality", 10)


def test_a_decoder_may_be_set(planner: Planner) -> None:
    choice = planner.choose("now", 1.0, 7, "voting")
    assert choice.plan == Plan("voting", 7)
    assert choice.reason == "set by the parameter decoder"


def test_without_a_table_the_plan_is_an_interruptible_one() -> None:
    choice = Planner().choose("now", 100.0, 24)
    assert choice.plan == Plan(UNMEASURED.decoder, 24)
    assert "nothing measured" in choice.reason


def test_time_that_is_no_number_is_refused(planner: Planner) -> None:
    with pytest.raises(ValueError, match="not a number"):
        planner.choose("now", float("nan"), 24)


def test_choosing_takes_less_than_half_a_millisecond(planner: Planner) -> None:
    for _ in range(300):
        planner.latency.settle(planner.latency.predict({"pass:flow": 1}, "flow"), 10.0)
    taken_s = []
    for _ in range(100):
        began_s = time.process_time()
        planner.choose("now", 30.0, 24)
        taken_s.append(time.process_time() - began_s)
    assert median(taken_s) < 0.5e-3


def test_a_table_is_read_as_it_was_written_and_bound_to_its_weights(tmp_path: Path) -> None:
    weights, other = tmp_path / "w", tmp_path / "o"
    weights.write_text("weights")
    other.write_text("others")
    table = PlanTable(sha256(weights), {"now": WORTHS})
    table.save(tmp_path / "plans.json")
    assert PlanTable.load(tmp_path / "plans.json", weights) == table
    with pytest.raises(PlanError, match="other weights"):
        PlanTable.load(tmp_path / "plans.json", other)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"format": 9, "plans": []}',
        '{"format": 2, "plans": [{}]}',
        '{"format": 2, "weights_sha256": "", "plans": [], "probe": {}}',
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "plans.json").write_text(content)
    with pytest.raises(PlanError):
        PlanTable.load(tmp_path / "plans.json", tmp_path / "w")


def test_weights_without_a_table_have_an_empty_one(tmp_path: Path) -> None:
    assert PlanTable.load(tmp_path / "none.json", tmp_path / "w") == PlanTable()
