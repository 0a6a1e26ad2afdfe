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


def test_other_weights_are_refused_where_they_are_not_measured() -> None:
    with pytest.raises(UserError, match="shipped weights alone"):
        harness.run("queue", weights=Path("other.safetensors"))


def test_the_json_holds_headline_and_conditions(tmp_path: Path) -> None:
    harness.write_json(tmp_path / "a" / "b.json", harness.Result({"x": 1.0}, []), {"machine": "m"})
    assert json.loads((tmp_path / "a" / "b.json").read_text())["headline"] == {"x": 1.0}


def test_wilson_interval_holds_the_share() -> None:
    low, high = harness.wilson(90, 100)
    assert low < 0.9 < high


def test_a_row_may_lack_what_others_have(capsys: pytest.CaptureFixture[str]) -> None:
    table: list[dict[str, object]] = [{"way": "first", "passes": 2.0}, {"way": "second"}, {"passes": 3.0, "other": 1}]
    conditions: dict[str, object] = {"bench": "b", "machine": "m", "commit": "c", "seconds": 1}
    harness.show(harness.Result({"x": 1.0}, table), conditions)
    said = capsys.readouterr().out
    assert "first" in said
    assert "second" in said
    assert "other" not in said, "columns are those of the first row"


def test_a_plot_is_saved_beside_the_json(tmp_path: Path) -> None:
    plot = harness.Plot("passes", "right", [("one", 1.0, 0.5), ("other", 2.0, 0.75)])
    harness.write_json(tmp_path / "a" / "b.json", harness.Result({"x": 1.0}, [], plot=plot), {})
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b.json", "b.png"]
    assert (tmp_path / "a" / "b.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_plot_there_is_no_picture(tmp_path: Path) -> None:
    harness.write_json(tmp_path / "b.json", harness.Result({}, []), {})
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(UserError, match="cannot write"):
        harness.write_json(tmp_path / "a" / "b.json", harness.Result({}, []), {})
