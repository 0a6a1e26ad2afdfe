"""How the figures about deadlines come about, from trials that nobody ran."""

from __future__ import annotations

import os
from math import isclose

import psutil
import pytest

from mm_edge.assistant.thinking import Made
from mm_edge.bench._policy import Trial
from mm_edge.bench._reading import READS_ALL
from mm_edge.bench.deadline import (
    CHEAPEST,
    HOPE,
    LARGE,
    PLANNED,
    _headline,
    _plot,
    above_cheapest,
    busy,
    loads,
    most_right,
    overheads_ms,
    urgent,
)
from mm_edge.compute.latency_model import LatencyModel
from mm_edge.compute.planner import Plan, PlanTable, Worth
from mm_edge.generation import DECODERS

LOADS = [name for name, _ in loads()]
MADE = Made(None, (), Plan("flow", 1), "", 10.0, 9.0)  # type: ignore[arg-type]
TABLE = PlanTable(
    "",
    {
        "now": {Plan("flow", 1): Worth(0.9, 1.0, 100), Plan("quality", 8): Worth(0.96, 2.0, 100)},
        "past": {Plan("flow", 1): Worth(0.7, 1.0, 900), Plan("quality", 8): Worth(0.8, 2.0, 900)},
    },
)


def trials(total_ms: float, deadline_ms: float = 100.0, is_right: bool = True) -> list[Trial]:
    return [Trial(load, place, deadline_ms, total_ms, is_right, MADE) for load in LOADS for place in range(10)]


def headline(**named: list[Trial]) -> dict[str, float]:
    found = {name: named.get(name, trials(50.0)) for name in (PLANNED, *DECODERS, HOPE, LARGE, READS_ALL)}
    return _headline(found, above_cheapest(found), [0.1])


def test_a_right_sentence_that_is_late_counts_as_wrong() -> None:
    figures = headline(hope=trials(150.0), planned=trials(90.0))
    assert (figures["hope_miss_rate"], figures["hope_retention"]) == (1.0, 0.0)
    assert (figures["miss_rate"], figures["quality_retention"]) == (0.0, 1.0)


def test_the_best_fixed_decoder_misses_no_more_than_the_planner() -> None:
    wrong = trials(50.0, is_right=False)
    half = len(wrong) // 2
    others = {name: wrong for name in DECODERS}
    others |= {"quality": trials(150.0), "flow": trials(50.0)[:half] + wrong[half:]}
    figures = headline(**others)
    assert figures["best_fixed_miss_rate"] == 0.0
    assert figures["best_fixed_retention"] == pytest.approx(0.5)


def test_deadlines_that_nothing_could_keep_are_told_apart() -> None:
    figures = headline(planned=trials(60.0, 40.0) + trials(60.0), flow=trials(50.0))
    assert figures["miss_rate"] == 0.0
    assert figures["miss_rate_all"] == 0.5


def test_the_error_of_a_prediction_is_that_of_its_99th_percentile() -> None:
    figures = headline()
    assert isclose(figures["prediction_error_p99_percent"], 10.0)
    assert figures["beyond_p99_percent"] == 0.0


def test_hope_takes_what_is_right_most_often() -> None:
    assert most_right(TABLE) == "quality"


def test_the_plot_has_the_share_of_right_sentences_at_each_deadline() -> None:
    plot = _plot({name: trials(150.0 if name == HOPE else 50.0) for name in (PLANNED, *DECODERS, HOPE, LARGE)})
    assert {(name, y) for name, _, y in plot.points} >= {(CHEAPEST, 1.0), (PLANNED, 1.0), (HOPE, 0.0)}


def test_choosing_is_timed() -> None:
    assert all(ms > 0 for ms in overheads_ms(TABLE, LatencyModel()))


def test_always_large_has_its_own_figures() -> None:
    figures = headline(**{LARGE: trials(150.0)})
    assert (figures["always_large_miss_rate"], figures["always_large_retention"]) == (1.0, 0.0)


def test_the_thread_that_answers_is_urgent_and_the_busy_processes_are_not() -> None:
    before = {*psutil.Process().children()}
    with urgent() as scheduling, busy(1):
        (child,) = {*psutil.Process().children()} - before
        urgency = os.sched_getparam(0).sched_priority
        assert (os.sched_getparam(child.pid).sched_priority, child.nice()) == (0, 0)
    assert (scheduling == f"SCHED_RR {urgency}") == (urgency > 0)
    assert os.sched_getparam(0).sched_priority == 0


def test_busy_processes_end() -> None:
    before = {*psutil.Process().children()}
    with busy(2):
        assert len({*psutil.Process().children()} - before) == 2
    assert {*psutil.Process().children()} == before
