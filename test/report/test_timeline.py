"""Tasks on a line of time: places in percent, figures in words, and what a broken recording shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.bags.build import build
from mm_edge.report.page import KINDS, write_page
from mm_edge.report.recording import AUDIO, KEPT, Recording
from mm_edge.report.timeline import MOST_TASKS, MOST_TICKS, Scale, clock, lines, tasks

STARTED, SUCCEEDED, FAILED = 0, 1, 2


def step(index: int, status: int = STARTED, result: str = "", **fields: Any) -> Any:
    values = {"task_id": "t", "task": "drive to Anna", "index": index, "count": 2, "name": f"step {index}"}
    return build("mm_edge/msg/TaskStep", {**values, "status": status, "result": result, **fields})


def said(name: str, text: str, kind: int = 4) -> Any:
    return build("mm_edge/msg/Utterance", {"id": name, "text": text, "kind": kind})


def status(name: str, state: int) -> Any:
    return build("mm_edge/msg/SpeechStatus", {"utterance_id": name, "state": state})


def recording(steps: list[tuple[float, Any]], **topics: list[tuple[float, Any]]) -> Recording:
    named = {f"/{name.replace('__', '/')}": timed for name, timed in topics.items()} | {"/task_step": steps}
    return Recording(Path("drive.mcap"), 10**18, 60.0, {topic: [] for topic in (*KEPT, AUDIO)} | named)


STEPS = [(10.0, step(1)), (14.0, step(1, SUCCEEDED, "here")), (14.5, step(2)), (20.0, step(2, FAILED, "no signal"))]


def test_a_step_lies_between_its_messages() -> None:
    (line,) = lines(recording(STEPS), KINDS)
    assert [(bar.label, bar.kind, bar.text) for bar in line.steps] == [
        ("1 step 1", "ok", "here"),
        ("2 step 2", "bad", "no signal"),
    ]
    first, second = line.steps
    assert first.left + first.width < second.left
    assert first.left == pytest.approx(100 * 0.5 / 13.5)
    assert line.figures == "10 s · 0 words · longest silence 10.0 s"


def test_what_was_heard_meanwhile_is_under_it() -> None:
    heard = recording(
        STEPS,
        utterance=[
            (10.0, said("a", "OK, step 1.")),
            (12.0, said("b", "A siren.", 3)),
            (40.0, said("c", "Much later.")),
        ],
        speech__status=[(10.1, status("a", 1)), (12.0, status("a", 3)), (12.1, status("b", 1)), (13.0, status("b", 2))],
    )
    (line,) = lines(heard, KINDS)
    assert [(bar.label, bar.kind, bar.text, bar.at) for bar in line.said] == [
        ("1", "progress cut", "OK, step 1. (cut off)", "0:10.1"),
        ("2", "alert", "A siren.", "0:12.1"),
    ]
    assert line.figures == "10 s · 5 words · longest silence 7.0 s"


def test_what_was_never_heard_is_not_shown() -> None:
    muted = recording(STEPS, utterance=[(10.0, said("a", "OK."))], speech__status=[(10.0, status("a", 5))])
    assert lines(muted, KINDS)[0].said == []


def test_a_step_without_an_end_is_open_and_a_broken_message_left_out() -> None:
    (line,) = lines(recording([(10.0, step(1)), (11.0, step(0)), (12.0, step(2, 77))]), KINDS)
    assert [bar.kind for bar in line.steps] == ["open"]


def test_a_task_that_runs_again_is_another_one() -> None:
    again = [(t_s + 30.0, message) for t_s, message in STEPS]
    done = [*STEPS[:3], (20.0, step(2, SUCCEEDED))]
    assert [task.began_s for task in tasks([*done, *again])] == [10.0, 40.0]


def test_only_so_many_tasks_are_shown() -> None:
    many = [(float(n), step(1, task_id=str(n))) for n in range(2 * MOST_TASKS)]
    assert len(lines(recording(many), KINDS)) == MOST_TASKS


@given(st.floats(0, 1e5), st.floats(0.1, 1e5))
def test_ticks_are_few_and_in_order(start_s: float, lasts_s: float) -> None:
    ticks = Scale(start_s, start_s + lasts_s).ticks()
    places = [place for place, _ in ticks]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert len(ticks) <= max(MOST_TICKS, lasts_s / 3600) + 1


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"), [(65.24, 1, "1:05.2"), (5.0, 0, "0:05"), (600.0, 0, "10:00"), (59.99, 0, "1:00")]
)
def test_times_as_on_a_clock(seconds: float, digits: int, shown: str) -> None:
    assert clock(seconds, digits) == shown


def test_the_page_has_the_line_only_where_there_is_a_task(tmp_path: Path) -> None:
    write_page(recording(STEPS), tmp_path / "with.html")
    write_page(recording([]), tmp_path / "without.html")
    text = re.sub(r"<[^>]+>", " ", (tmp_path / "with.html").read_text())
    assert "drive to Anna" in text
    assert "no signal" in text
    assert "Tasks" not in re.sub(r"<[^>]+>", " ", (tmp_path / "without.html").read_text())
