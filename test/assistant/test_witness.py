"""What the assistant perceives itself becomes an event once, and only when it was sure of it."""

from __future__ import annotations

from collections.abc import Iterable
from math import nan
from types import SimpleNamespace
from typing import Any

import pytest

from mm_edge.assistant.witness import Happened, Witness
from mm_edge.model.observation import VehicleState

STARTED, SUCCEEDED, FAILED, CANCELLED = range(4)
LOOK_S = 0.2


def watched(witness: Witness, speeds_mps: Iterable[float], start_s: float = 0.0, **facts: Any) -> list[Happened]:
    """What a look every LOOK_S adds; `light="red"` is a sure fact, `light=("red", 0.5)` an unsure one."""
    seen = {name: (value, 0.99) if isinstance(value, str) else value for name, value in facts.items()}
    found = []
    for index, speed_mps in enumerate(speeds_mps):
        found += witness.look(start_s + index * LOOK_S, seen, VehicleState(speed_mps=speed_mps), sees=True)
    return found


def cruise(seconds: float) -> list[float]:
    return [10.0] * round(seconds / LOOK_S)


def stand(seconds: float) -> list[float]:
    return [0.0] * round(seconds / LOOK_S)


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.mark.parametrize(
    ("name", "value", "event"),
    [
        ("limit", "50", ("limit", (50,))),
        ("pedestrian", "ahead", ("pedestrian", ())),
        ("siren", "siren", ("siren", ())),
        ("weather", "fog", ("fog", ())),
    ],
)
def test_what_lasts_is_told_once(witness: Witness, name: str, value: str, event: Happened) -> None:
    assert watched(witness, cruise(60), **{name: value}) == [event]


@pytest.mark.parametrize(
    "facts",
    [{"limit": "none"}, {"pedestrian": "left"}, {"siren": "none"}, {"weather": "clear"}, {"limit": ("50", 0.8)}],
)
def test_nothing_worth_telling_or_not_sure_enough(witness: Witness, facts: dict[str, Any]) -> None:
    assert watched(witness, cruise(5), **facts) == []


def test_a_flicker_is_not_told(witness: Witness) -> None:
    found = [watched(witness, [10.0], step, limit=("50", 0.5 + step % 2 * 0.45)) for step in range(10)]
    assert found == [[]] * 10


def test_a_sign_is_new_when_it_says_something_else_or_comes_back_later(witness: Witness) -> None:
    found = [
        *watched(witness, cruise(1), 0, limit="50"),
        *watched(witness, cruise(1), 5, limit="none"),
        *watched(witness, cruise(1), 10, limit="50"),
        *watched(witness, cruise(1), 15, limit="70"),
        *watched(witness, cruise(1), 40, limit="70"),
    ]
    assert found == [("limit", (50,)), ("limit", (70,)), ("limit", (70,))]


def test_a_limit_without_a_picture_is_no_sign(witness: Witness) -> None:
    looks = [witness.look(step, {"limit": ("50", 1.0)}, VehicleState(), sees=False) for step in range(5)]
    assert looks == [[]] * 5


def test_weather_is_told_when_it_changes(witness: Witness) -> None:
    changes = [
        watched(witness, cruise(1), 10.0 * n, weather=w) for n, w in enumerate(["clear", "rain", "rain", "clear"])
    ]
    assert changes == [[], [("rain", ())], [], [("clear", ())]]


def test_a_hard_brake_ahead_comes_from_the_alert(witness: Witness) -> None:
    alerts = ("lead_braking", "lead_braking", "", "over_limit")
    found = [witness.look(step, {}, VehicleState(), True, alert) for step, alert in enumerate(alerts)]
    assert found == [[("brake", ())], [], [], []]


@pytest.mark.parametrize(("light", "event"), [("red", ("red", (12,))), ("none", ("stop", (12,)))])
def test_standing_is_told_when_it_is_over(witness: Witness, light: str, event: Happened) -> None:
    watched(witness, cruise(2), 0)
    assert watched(witness, stand(12), 2, light=light) == []
    assert watched(witness, cruise(2), 14, light="green") == [event]


def test_short_standing_is_none(witness: Witness) -> None:
    assert watched(witness, [*cruise(2), *stand(1.4), *cruise(2)]) == []


def test_the_time_before_setting_out_is_no_stop(witness: Witness) -> None:
    assert watched(witness, [*stand(30), *cruise(2)]) == []


def test_trembling_while_standing_is_no_moving(witness: Witness) -> None:
    assert watched(witness, [*cruise(2), *[0.0, 0.5, -0.4] * 10, *cruise(2)]) == [("stop", (6,))]


def test_a_speed_lost_for_a_moment_is_no_end_and_for_long_is_unknown(witness: Witness) -> None:
    assert watched(witness, [*cruise(1), *stand(4), nan, nan, *stand(4), *cruise(1)]) == [("stop", (8,))]
    assert watched(witness, [*cruise(1), *stand(4), *[nan] * 40, *stand(1), *cruise(1)], 100) == []


def step(status: int, index: int = 1, count: int = 2, task: str = "pizza order", key: str = "t") -> SimpleNamespace:
    return SimpleNamespace(status=status, index=index, count=count, task=task, task_id=key)


def told(witness: Witness, *steps: SimpleNamespace) -> list[tuple[str, str]]:
    return [found for each in steps if (found := witness.step(each)) is not None]


def test_a_task_begins_with_its_first_step_and_is_done_with_its_last(witness: Witness) -> None:
    steps = [step(status, index) for index in (1, 2) for status in (STARTED, SUCCEEDED)]
    assert told(witness, *steps) == [("task", "pizza order"), ("done", "pizza order")]


@pytest.mark.parametrize("ending", [FAILED, CANCELLED])
def test_a_task_fails_once(witness: Witness, ending: int) -> None:
    assert told(witness, step(STARTED), step(ending), step(CANCELLED)) == [
        ("task", "pizza order"),
        ("failed", "pizza order"),
    ]


def test_tasks_are_told_apart_by_their_id(witness: Witness) -> None:
    steps = [step(STARTED, key="a"), step(STARTED, key="b", task="car wash"), step(SUCCEEDED, 2, key="a")]
    assert told(witness, *steps) == [("task", "pizza order"), ("task", "car wash"), ("done", "pizza order")]


def test_a_task_of_unknown_length_or_without_a_name_is_not_told_as_done(witness: Witness) -> None:
    assert told(witness, step(STARTED, count=0), step(SUCCEEDED, 0, 0)) == [("task", "pizza order")]
    assert told(witness, step(STARTED, task="", key="x"), step(FAILED, key="x")) == []
