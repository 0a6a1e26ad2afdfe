"""The frame of the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mm_edge.bench import harness
from mm_edge.errors import UserError


def test_both_benchmarks_are_there() -> None:
    assert {"model", "ros"} <= set(harness.names())


def test_training_drives_are_refused() -> None:
    with pytest.raises(UserError, match="training"):
        harness.run("model", seed=5)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UserError, match="no benchmark"):
        harness.run("speed-of-light")


def test_the_json_holds_headline_and_conditions(tmp_path: Path) -> None:
    harness.write_json(tmp_path / "a" / "b.json", harness.Result({"x": 1.0}, []), {"machine": "m"})
    assert json.loads((tmp_path / "a" / "b.json").read_text())["headline"] == {"x": 1.0}


def test_wilson_interval_holds_the_share() -> None:
    low, high = harness.wilson(90, 100)
    assert low < 0.9 < high
