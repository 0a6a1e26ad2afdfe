"""The live view: a turn in a terminal, a line per sentence without one, and what must not break it."""

from __future__ import annotations

import io
from math import nan
from typing import Any

import pytest
from rich.console import Console

from mm_edge.bags.build import build
from mm_edge.report.view import KINDS, View

UTTERANCE, SCENE = "mm_edge/msg/Utterance", "mm_edge/msg/SceneReport"
LATENCY, TRUST, MEMORY = "mm_edge/msg/LatencyReport", "mm_edge/msg/TrustReport", "mm_edge/msg/MemoryReport"


def said(text: str, kind: int = 0) -> Any:
    return build(UTTERANCE, {"text": text, "kind": kind})


def console(terminal: bool = True, width: int = 100) -> Console:
    return Console(record=True, force_terminal=terminal, width=width, height=40, file=io.StringIO())


def shown(view: View, on: Console) -> str:
    on.print(view)
    return on.export_text()


def a_turn(view: View) -> None:
    scene = {"names": ["light", "limit"], "values": ["red", "50"], "probabilities": [0.9, 0.4]}
    latency = {"deadline_ms": 500.0, "total_ms": 120.0, "slack_ms": 380.0, "deadline_met": True, "draft_ms": 61.5}
    view.receive("scene", build(SCENE, scene))
    view.receive("latency", build(LATENCY, latency))
    view.receive("trust", build(TRUST, {"confidence": 0.8, "novelty": 0.25, "verdict": 1}))
    view.receive("memory", build(MEMORY, {"physical_length": 12, "capacity": 32, "bytes": 16384}))
    view.receive("utterance", said("The light is red."))


def test_a_turn_is_shown_with_its_time_its_trust_and_its_memory() -> None:
    on = console()
    view = View("drive 1600000", 60.0, console=on)
    a_turn(view)

    page = shown(view, on)

    for part in ("drive 1600000", "of 60 s", "light", "red", "380 ms left of 500", "61.5 ms", "with doubt", "0.25"):
        assert part in page
    assert "12 of 32 slots" in page
    assert "16 KiB" in page
    assert "The light is red." in page


def test_what_is_going_on_stands_above_what_is_said() -> None:
    on = console()
    view = View("drive", 60.0, console=on)
    view.receive("speech/ducking", build("std_msgs/msg/Float32", {"data": -12.0}))
    view.receive("glance", build("std_msgs/msg/String", {"data": "1/3 find a charger"}))

    assert "what it says: 1/3 find a charger" in shown(view, on)


def test_before_the_first_turn_there_is_nothing_yet() -> None:
    on = console()

    assert "nothing yet" in shown(View("drive", 60.0, console=on), on)


def test_in_a_terminal_it_is_redrawn_and_left_standing() -> None:
    on = console()
    with View("drive", 60.0, console=on) as view:
        a_turn(view)

    assert "The light is red." in on.export_text()


@pytest.mark.parametrize(("terminal", "live"), [(False, True), (True, False)], ids=["no terminal", "not wanted"])
def test_without_a_terminal_every_sentence_is_a_line(terminal: bool, live: bool) -> None:
    on = console(terminal)
    with View("drive", 60.0, live=live, console=on) as view:
        a_turn(view)
        view.receive("utterance", said("A siren, from behind.", 3))

    assert on.export_text().splitlines() == [
        "   0.0 s    answer  The light is red.",
        "   0.0 s     alert  A siren, from behind.",
    ]


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_every_kind_of_sentence_has_its_word(kind: int) -> None:
    on = console(terminal=False)
    with View("drive", 60.0, console=on) as view:
        view.receive("utterance", said("Something.", kind))

    assert on.export_text().split()[2:-1] == KINDS[kind].split()


def test_markup_in_a_sentence_is_text() -> None:
    on = console(terminal=False)
    with View("drive", 60.0, console=on) as view:
        view.receive("utterance", said("[bold]not[/red] markup"))

    assert "[bold]not[/red] markup" in on.export_text()


def test_figures_that_are_unknown_do_not_end_the_view() -> None:
    on = console()
    view = View("drive", 60.0, console=on)
    for topic, kind in (("latency", LATENCY), ("trust", TRUST), ("memory", MEMORY)):
        view.receive(topic, build(kind, unknown=nan))

    assert "deadline" in shown(view, on)


def test_the_newest_sentence_is_seen_in_a_narrow_terminal() -> None:
    on = console(width=60)
    view = View("drive", 60.0, console=on)
    for number in range(12):
        view.receive("utterance", said(f"Sentence {number} tells at some length of what lies ahead of us on the road."))

    assert "Sentence 11" in shown(view, on)
