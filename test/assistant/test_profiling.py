"""What is known about times before anybody asks, with the shipped model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.profiling import keep, known_times, profile_path
from mm_edge.compute.latency_model import Identity, LatencyModel
from mm_edge.compute.planner import Plan, PlanTable, Worth
from mm_edge.engine import open_engine, weights_path

HERE = Identity("a processor", 2, 1, "torch/fp32", "abc")
READ = {"encode", "understand", "understand:short", "find", "find:short", "find:scene"}
TABLE = PlanTable("", {"now": {Plan("flow", 1): Worth(0.9, 1.0, 9), Plan("quality", 2): Worth(0.9, 1.5, 9)}})


@pytest.fixture(scope="module")
def engine():
    return open_engine(weights_path("small"))


def test_a_machine_is_measured_once_and_another_one_anew(engine, tmp_path: Path) -> None:
    clock = SystemClock()
    first = known_times(engine, TABLE, clock, HERE, tmp_path)
    written = profile_path(tmp_path, HERE).read_text()
    known_times(engine, TABLE, clock, HERE, tmp_path)
    assert {*first.stages} >= READ | {"pass:flow", "pass:quality", "tell:quality"}
    assert first.predict({"encode": 1, "find": 1, "pass:flow": 1}, "turn").p99_ms > 0.5
    assert profile_path(tmp_path, HERE).read_text() == written
    known_times(engine, TABLE, clock, replace(HERE, machine="another"), tmp_path)
    assert '"another"' in profile_path(tmp_path, HERE).read_text()


def test_a_profile_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "profiles").write_text("a file where the folder should be")
    assert not keep(LatencyModel(), HERE, tmp_path)
