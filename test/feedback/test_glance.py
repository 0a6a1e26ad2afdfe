"""One line for a screen, short enough for a glance; and whether the driver is busy."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_steps import began, failed, found, journey, step

from mm_edge.feedback.demand import LASTS_S, Demand
from mm_edge.feedback.glance import MOST_CHARACTERS, MOST_WORDS, SHOWN_S, line, until_s
from mm_edge.feedback.tasks import CANCELLED, TaskBook
from mm_edge.model.observation import VehicleState


def after(*messages: object, closed: bool = False) -> list:
    book = TaskBook()
    for message in messages:
        book.take(message, 10.0)
    for task in book:
        task.closed = closed
    return [*book]


@pytest.mark.parametrize(
    ("messages", "shown"),
    [
        ((), ""),
        ((began(1),), "1/3 find Anna"),
        ((began(1), found(1)), "1/3 drive to Anna"),
        ((began(1, count=0),), "1/? find Anna"),
        ((began(1), failed(1)), "failed: find Anna"),
        ((began(1), step(1, CANCELLED)), "cancelled: drive to Anna"),
        ((began(1, options=["home", "the office", "the gym"]),), "home or the office?"),
        ((began(1), began(2, task_id="u")), "2/3 find a charger +1"),
        (tuple(message for _, message in journey()), "done: drive to Anna"),
    ],
)
def test_a_task_in_one_line(messages: tuple[object, ...], shown: str) -> None:
    assert line(after(*messages), now_s=11.0) == shown


def test_the_end_stays_for_a_while() -> None:
    tasks = after(began(1, count=1), found(1, count=1), closed=True)
    assert line(tasks, 10.0 + SHOWN_S / 2) == "done: drive to Anna"
    assert line(tasks, 10.0 + SHOWN_S) == ""
    assert (until_s(tasks, 11.0), until_s(tasks, 30.0)) == (10.0 + SHOWN_S, inf)


def test_a_mute_is_shown() -> None:
    assert line([], 0.0, muted=True) == "muted"
    assert line(after(began(1)), 11.0, muted=True) == "muted, 1/3 find Anna"


@given(st.text(min_size=1, max_size=300), st.text(max_size=300), st.booleans())
def test_no_line_is_longer_than_a_glance(name: str, task: str, muted: bool) -> None:
    tasks = after(began(1, name=f"x{name}", task=task), began(2, name=f"y {name}", task=task, task_id="u"))
    shown = line(tasks, 11.0, muted)
    assert len(shown.split()) <= MOST_WORDS
    assert len(shown) <= MOST_CHARACTERS
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("signals", "busy"),
    [
        ({"acceleration_mps2": -4.0}, True),
        ({"speed_mps": 8.0, "yaw_rate_rps": 0.3}, True),
        ({"speed_mps": 8.0, "left_indicator": True}, True),
        ({"speed_mps": -2.0}, True),
        ({"speed_mps": 30.0}, False),
        ({"speed_mps": 0.0, "yaw_rate_rps": 0.3, "left_indicator": True}, False),
        ({}, False),
        ({"speed_mps": nan, "yaw_rate_rps": nan, "acceleration_mps2": nan}, False),
    ],
)
def test_what_makes_a_driver_busy(signals: dict[str, float], busy: bool) -> None:
    demand = Demand()
    demand.look(VehicleState(**signals), 10.0)  # type: ignore[arg-type]
    assert demand.high(10.1) == busy
    assert not demand.high(10.0 + LASTS_S)
