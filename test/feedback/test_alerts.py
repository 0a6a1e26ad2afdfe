"""When an alert is worth saying."""

from __future__ import annotations

from mm_edge.feedback.alerts import REARM_S, AlertGate
from mm_edge.feedback.utterance import Priority


def given(gate: AlertGate, *seen: tuple[float, str]) -> list[tuple[float, Priority]]:
    """When which priority was given, for (seconds, alert) in order."""
    said = [(now_s, gate(alert, now_s)) for now_s, alert in seen]
    return [(now_s, priority) for now_s, priority in said if priority is not None]


def test_hard_braking_is_said_at_once() -> None:
    assert given(AlertGate(10.0), (0.0, "lead_braking")) == [(0.0, Priority.URGENT)]


def test_a_flicker_is_not_said() -> None:
    assert given(AlertGate(10.0), (0.0, "siren"), (0.2, ""), (0.4, "siren"), (0.6, "")) == []


def test_a_lasting_alert_is_said_once_within_the_repeat_time() -> None:
    seen = [(0.2 * step, "red_light") for step in range(40)]
    assert given(AlertGate(10.0), *seen) == [(0.2, Priority.HIGH)]


def test_it_is_said_again_after_the_repeat_time() -> None:
    seen = [(0.2 * step, "red_light") for step in range(60)]
    assert len(given(AlertGate(5.0), *seen)) == 3


def test_an_alert_that_had_gone_counts_as_new() -> None:
    back_s = 0.2 + REARM_S + 0.1
    seen = [(0.0, "pedestrian"), (0.2, "pedestrian"), (0.4, ""), (back_s, "pedestrian"), (back_s + 0.2, "pedestrian")]
    assert [now_s for now_s, _ in given(AlertGate(60.0), *seen)] == [0.2, back_s + 0.2]


def test_a_new_drive_forgets_what_was_said() -> None:
    gate = AlertGate(60.0)
    gate("lead_braking", 0.0)
    gate.clear()
    assert gate("lead_braking", 1.0) == Priority.URGENT
