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
from mm_edge.compute.planner import (
    OWN,
    SMALL,
    UNMEASURED,
    WATCH,
    Plan,
    PlanError,
    Planner,
    PlanTable,
    Reading,
    Way,
    Worth,
)
from mm_edge.engine.base import Context
from mm_edge.model.checkpoint import sha256

ONE, SPEEDY, QUALITY, VOTING = Plan("flow", 1), Plan("speedy", 24), Plan("quality", 24), Plan("voting", 24)
WORTHS = {
    ONE: Worth(0.90, 1.0, 500),
    SPEEDY: Worth(0.95, 1.1, 500),
    QUALITY: Worth(0.97, 2.0, 500),
    VOTING: Worth(0.9705, 5.0, 500),
}
READINGS = {
    "now": {Reading(): Worth(0.98, 1.0, 300), Reading(0.2): Worth(0.96, 1.0, 300), Reading(0.5): Worth(0.92, 1.0, 300)}
    | {Reading(whole=False): Worth(0.98, 1.0, 300)},
    "past": {Reading(): Worth(0.96, 1.0, 100), Reading(0.2): Worth(0.96, 1.0, 100), Reading(0.5): Worth(0.96, 1.0, 100)}
    | {Reading(whole=False): Worth(0.7, 1.0, 100)},
    WATCH: {Reading(): Worth(0.5, 1.0, 900)},
}
WAYS = Way("the whole log", 0.96, ("find",)), Way("its end", 0.70, ("find:short",))


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


@pytest.mark.parametrize(
    ("age_s", "whole", "share"),
    [
        (0.0, True, 0.975),
        (0.1, True, 0.96),
        (0.2, True, 0.96),
        (0.3, True, 0.93),
        (0.0, False, 0.91),
        (0.5, False, 0.865),
        (0.6, True, None),
    ],
)
def test_a_glance_is_worth_what_one_at_least_as_old_was_to_all_who_ask(age_s: float, whole: bool, share) -> None:
    table = PlanTable("", {}, None, READINGS)
    assert table.seen(age_s, whole) == (share if share is None else pytest.approx(share))
    assert PlanTable().seen(age_s, whole) is None


def test_parts_of_the_log_are_worth_what_they_are_to_a_class() -> None:
    table = PlanTable("", {}, None, READINGS)
    assert (table.found("past", True), table.found("past", False), table.found("hm", False)) == (0.96, 0.7, None)


@pytest.mark.parametrize(
    ("left_ms", "name", "why"),
    [
        (None, "the whole log", "right in 96.0%"),
        (100.0, "the whole log", "right in 96.0%"),
        (35.0, "its end", "right in 70.0%, others do not fit"),
        (2.0, "its end", "as none fits"),
        (-1.0, "its end", "as none fits"),
    ],
)
def test_less_time_buys_less_to_read(planner: Planner, left_ms, name: str, why: str) -> None:
    """Of which 10 ms are for the words."""
    for _ in range(10):
        planner.latency.observe("find", 30.0)
        planner.latency.observe("find:short", 10.0)
    way, told = planner.read(WAYS, left_ms, ("pass:flow",))
    assert way.name == name
    assert told.startswith(name)
    assert told.endswith(why)


def test_what_is_as_good_is_read_if_it_takes_less(planner: Planner) -> None:
    for _ in range(10):
        planner.latency.observe("find", 3.0)
        planner.latency.observe("find:short", 2.0)
    as_good = Way("its end", 0.96, ("find:short",))
    assert planner.read((WAYS[0], as_good), None, ())[0] is as_good


def test_the_small_rung_words_only_what_it_may(planner: Planner) -> None:
    small = Plan("quality", 24, rung=SMALL)
    planner.table.rows["now"] = WORTHS | {small: WORTHS[QUALITY]}
    for _ in range(10):
        planner.latency.observe("pass:small:quality", 5.0)
    assert planner.choose("now", None, 24).plan == QUALITY
    assert planner.choose("now", None, 24, rungs=(OWN, SMALL)).plan == small
    assert planner.choose("now", None, 24, "voting", (OWN, SMALL)).plan.rung == SMALL
    assert str(small) == "quality passes<=24 by small"


def test_the_quickest_pass_is_that_of_a_plan(planner: Planner) -> None:
    planner.latency.observe("pass:flow", 1.0)
    assert planner.quickest("now", 24) in {f"pass:{plan.decoder}" for plan in WORTHS}
    assert planner.quickest("now", 24, "voting") == "pass:voting"


def test_choosing_takes_less_than_half_a_millisecond(planner: Planner) -> None:
    for _ in range(300):
        planner.latency.settle(planner.latency.predict({"pass:flow": 1}, "flow"), 10.0)
    taken_s = []
    for _ in range(100):
        began_s = time.process_time()
        for _ in range(2):
            planner.read(WAYS, 30.0, (planner.quickest("now", 24),))
        planner.choose("now", 30.0, 24)
        taken_s.append(time.process_time() - began_s)
    assert median(taken_s) < 0.5e-3


def test_a_table_is_read_as_it_was_written_and_bound_to_its_weights(tmp_path: Path) -> None:
    weights, other = tmp_path / "w", tmp_path / "o"
    weights.write_text("weights")
    other.write_text("others")
    table = PlanTable(sha256(weights), {"now": WORTHS | {Plan("fast", 1, rung=SMALL): WORTHS[ONE]}}, None, READINGS)
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
        '{"format": 2, "weights_sha256": "", "plans": []}',
        '{"format": 3, "plans": [{}]}',
        '{"format": 3, "plans": [], "readings": [{}]}',
        '{"format": 3, "weights_sha256": "", "plans": [], "readings": [], "probe": {}}',
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "plans.json").write_text(content)
    with pytest.raises(PlanError):
        PlanTable.load(tmp_path / "plans.json", tmp_path / "w")


def test_weights_without_a_table_have_an_empty_one(tmp_path: Path) -> None:
    assert PlanTable.load(tmp_path / "none.json", tmp_path / "w") == PlanTable()
