"""Wording of doubt, and of what a task's steps say."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.feedback.progress import FAILED, MAX_CHARACTERS, STARTED, SUCCEEDED, progress, sentence
from mm_edge.feedback.utterance import Priority
from mm_edge.feedback.wording import hedged, unsure


def test_doubt_is_put_in_front() -> None:
    assert hedged("The light is red.") == "I think the light is red."
    assert hedged("I see no pedestrian.") == "I think I see no pedestrian."
    assert hedged("I do not know that.") == "I do not know that."
    assert hedged("Careful, a siren.") == "Careful, perhaps a siren."
    assert hedged("") == ""


def test_unsure_names_the_topic() -> None:
    assert unsure("light") == "I am not sure about the traffic light."
    assert unsure("alert:siren") == "I am not sure about sirens."
    assert unsure("something else") == "I am not sure."


def step(**fields: object) -> SimpleNamespace:
    header = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id="")
    values = {"task_id": "t", "task": "parking", "index": 2, "count": 3, "name": "find a spot", "result": ""}
    return SimpleNamespace(header=header, status=STARTED, **(values | fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Step 2 of 3: find a spot."),
        ({"status": SUCCEEDED, "result": "level two"}, "Find a spot: level two."),
        ({"status": FAILED, "result": "no\nspot left."}, "Find a spot failed: no spot left."),
        ({"name": ""}, ""),
        ({"status": 77}, ""),
    ],
)
def test_a_step_in_one_sentence(fields: dict[str, object], said: str) -> None:
    values = vars(step()) | fields
    assert sentence(SimpleNamespace(**values)) == said


def test_a_failed_step_matters_more_and_endless_text_is_cut() -> None:
    values = vars(step()) | {"status": FAILED, "result": "word " * 10_000}
    utterance = progress(SimpleNamespace(**values), ManualClock(5))
    assert utterance is not None
    assert utterance.priority == Priority.NORMAL
    assert len(utterance.text) < 2 * MAX_CHARACTERS
