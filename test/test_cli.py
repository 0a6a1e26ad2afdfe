"""The command line: every command explains itself, and a mistake is answered in words, never with a traceback."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from mm_edge import __version__, ask, cli
from mm_edge.bench import harness
from mm_edge.errors import UserError
from mm_edge.share import share_path

COMMANDS = sorted(command.callback.__name__ for command in cli.app.registered_commands if command.callback)

STYLE = re.compile(r"\x1b\[[\d;]*m")
"""Colours, which some CI machines ask for."""


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def cause(self) -> str:
        """The one line that says what is wrong, without the frame around a wrong option."""
        framed = re.findall(r"│ (.*?) *│", self.err)
        (line,) = framed or self.err.splitlines()
        return line


Call = Callable[..., Answer]


@pytest.fixture
def mm_edge(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """`mm_edge(*arguments)`: what the command answers, in a wide terminal."""
    monkeypatch.setenv("COLUMNS", "300")

    def call(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["mm-edge", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = (STYLE.sub("", text) for text in capsys.readouterr())
        return Answer(int(ended.value.code or 0), out, err)

    return call


def test_the_readme_shows_commands_that_there_are() -> None:
    shown = re.findall(r"^mm-edge ([a-z]+)", share_path("README.md").read_text(), re.MULTILINE)

    assert {"up", "ask", "replay", "doctor"} <= set(shown)
    assert set(shown) <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself(command: str, option: str, mm_edge: Call) -> None:
    answer = mm_edge(command, option)

    assert answer.code == 0
    assert f"mm-edge {command}" in answer.out
    assert len(answer.out.splitlines()) > 5


def test_help_names_every_command(mm_edge: Call) -> None:
    answer = mm_edge("--help")

    assert answer.code == 0
    assert [name for name in COMMANDS if name not in answer.out] == []


def test_it_says_which_version_it_is(mm_edge: Call) -> None:
    assert mm_edge("--version") == Answer(0, f"mm-edge {__version__}\n", "")


WRONG = {
    "frobnicate": "No such command 'frobnicate'",
    "--loud": "No such option: --loud",
    "replay": "Missing argument 'bag'",
    "replay a.mcap --loud": "No such option: --loud",
    "replay a.mcap b.mcap": "unexpected extra argument",
    "replay a.mcap --map": "'--map' requires an argument",
    "replay /nowhere/a.mcap": "/nowhere/a.mcap: no such bag",
    "bench speed-of-light": "no benchmark named 'speed-of-light'; there are: ",
    "bench model --seed 5": "seed 5 belongs to the training drives",
    "bench model --seed -1": "'--seed'",
    "bench model --seed many": "'--seed'",
    "demo --seed 5": "drive 5 is one of those that the model was trained on",
    "demo --seconds 0": "'--seconds'",
    "demo --seconds nan": "'--seconds'",
    "world --seconds 1e9": "'--seconds'",
    "world --seed -1": "'--seed'",
    "world --seed one": "'--seed'",
    "world --out drive.db3 --seconds 1 --seed 1600000": "drive.db3: the name of a recording must end in .mcap",
    "ask": "Missing argument 'text'",
    "ask hello --deadline soon": "'soon' is no duration; write for example 500ms or 2s",
    "up --params-file /nowhere/p.yaml": "/nowhere/p.yaml: no such parameter file",
    "up --namespace 2nd-car": "'2nd-car' is no namespace",
    "train --steps 0": "'--steps'",
    "train /nowhere/recipe.yaml": "/nowhere/recipe.yaml cannot be read",
    "export --precision fp7": "fp7",
    "doctor now": "unexpected extra argument",
}


@pytest.mark.parametrize(("line", "cause"), WRONG.items())
def test_a_mistake_is_told_in_one_line(line: str, cause: str, mm_edge: Call) -> None:
    answer = mm_edge(*line.split())

    assert answer.code == cli.USER_ERROR
    assert cause in answer.cause
    assert "Traceback" not in answer.err


def test_an_unknown_backend_is_told_in_one_line(mm_edge: Call) -> None:
    answer = mm_edge("export", "--backend", "abacus")

    assert answer.code == cli.USER_ERROR
    assert "no engine named 'abacus'" in answer.cause


def test_parameters_that_are_no_yaml_are_told_in_one_line(mm_edge: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("assistant: [")

    answer = mm_edge("up", "--params-file", tmp_path / "mine.yaml")

    assert answer.code == cli.USER_ERROR
    assert "mine.yaml: while parsing" in answer.cause


@pytest.mark.parametrize("line", ["up", "ask hello --deadline 1s"])
def test_a_wrong_domain_is_told_in_one_line(line: str, mm_edge: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "robot")

    answer = mm_edge(*line.split())

    assert answer.code == cli.USER_ERROR
    assert "ROS_DOMAIN_ID is 'robot'" in answer.cause


@pytest.mark.parametrize(("option", "deadline_ms"), [("", 500.0), ("--deadline 1.5s", 1500.0)])
def test_a_question_has_half_a_second_or_what_it_is_given(
    option: str, deadline_ms: float, mm_edge: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(ask, "run", lambda **given: asked.append(given))

    answer = mm_edge("ask", "hello", *option.split(), "--namespace", "car")

    assert answer.code == 0
    assert asked == [{"text": "hello", "deadline_ms": deadline_ms, "namespace": "car"}]


def test_a_drive_that_cannot_be_written_is_told_in_one_line(mm_edge: Call, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    answer = mm_edge("world", "--seed", "1600000", "--seconds", "1", "--out", tmp_path / "taken" / "drive.mcap")

    assert answer.code == cli.USER_ERROR
    assert "taken: cannot be written" in answer.cause


def test_an_empty_bag_is_told_in_one_line(mm_edge: Call, tmp_path: Path) -> None:
    (tmp_path / "empty.db3").touch()

    answer = mm_edge("replay", tmp_path / "empty.db3", "--out", tmp_path / "out")

    assert answer.code == cli.USER_ERROR
    assert "empty.db3: not an .db3 file" in answer.cause


def test_a_cause_may_hold_anything(mm_edge: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UserError("[bold]100 % {full}[/bold]")

    monkeypatch.setattr(harness, "run", fail)

    assert mm_edge("bench", "model") == Answer(cli.USER_ERROR, "", "mm-edge: [bold]100 % {full}[/bold]\n")


def test_without_a_name_bench_lists_what_there_is(mm_edge: Call) -> None:
    answer = mm_edge("bench")

    assert (answer.code, answer.out.split()) == (0, harness.names())


@pytest.mark.parametrize("text", ["500ms", "0.5s", "500", " 500 ms "])
def test_a_duration_is_read_in_milliseconds(text: str) -> None:
    assert cli.milliseconds(text) == 500.0


@pytest.mark.parametrize("text", ["", "soon", "-5ms", "5m", "1e3", "nan", "1,5s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no duration"):
        cli.milliseconds(text)
