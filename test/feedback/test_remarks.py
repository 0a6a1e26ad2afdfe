"""The sentences about a task: one clause each, of nothing but what its messages said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_steps import began, failed, found, step

from mm_edge.feedback import remarks
from mm_edge.feedback.config import FeedbackConfig, SpeakerConfig
from mm_edge.feedback.explaining import explained
from mm_edge.feedback.remarks import Doubt, Speech
from mm_edge.feedback.tasks import Step, Task, TaskBook
from mm_edge.feedback.voice import open_voice

CONFIG = FeedbackConfig()
SPEECH = Speech(CONFIG.words_per_minute, CONFIG.clause_s)
DOUBT = Doubt(plain=0.7, hedged=0.4)


def after(*messages: object) -> tuple[Task, Step]:
    book = TaskBook()
    for message in messages:
        book.take(message, 0.0)
    (task,) = book
    return task, task.steps[max(task.steps)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"result": "level two"}, "Find Anna: level two."),
        ({}, "Find Anna: done."),
        ({"result": "along the river to the old town"}, "Along the river to the old town."),
        ({"result": "Lime Street. It is the third house behind the old town hall"}, "Lime Street."),
        ({"result": "a very long way around the old town with no end in sight"}, "Find Anna: done."),
        (
            {"name": "find the way around the old town hall", "result": "long, and longer " * 4},
            "Step 1: done.",
        ),
        ({"result": "level two", "confidence": 0.9}, "Find Anna: level two."),
        ({"result": "level two", "confidence": 0.5}, "Find Anna: probably level two."),
        ({"result": "level two", "confidence": 0.1}, "Find Anna: I am not sure."),
    ],
)
def test_a_result_in_one_clause(fields: dict[str, object], said: str) -> None:
    assert remarks.result(SPEECH, after(found(1, **fields))[1], DOUBT) == said


@pytest.mark.parametrize(
    ("result", "said", "corrected"),
    [
        ("", "Find Anna failed.", "Correction: find Anna failed."),
        ("no signal", "Find Anna failed: no signal.", "Correction: failed: no signal."),
        ("the line was busy again", "Failed: the line was busy again.", "Correction: find Anna failed."),
    ],
)
def test_a_failure_says_why_if_there_is_room(result: str, said: str, corrected: str) -> None:
    _, failure = after(failed(1, result))
    assert remarks.failure(SPEECH, failure) == said
    assert remarks.correction(SPEECH, failure, DOUBT) == corrected


def test_results_leave_out_the_names_where_more_fit_so() -> None:
    task, _ = after(found(1, "Lime Street"), found(2, "bay four"))
    steps = [task.steps[1], task.steps[2]]
    assert remarks.results(SPEECH, steps[:1], DOUBT) == (1, "Find Anna: Lime Street.")
    assert remarks.results(SPEECH, steps, DOUBT) == (2, "Lime Street. Bay four.")


NAMES = st.text(min_size=1, max_size=200).map(lambda text: f"x{text}")


@given(NAMES, NAMES, NAMES, st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.integers(0, 200))
def test_no_words_make_a_remark_longer_than_a_clause(
    name: str, task_name: str, result: str, confidence: float, count: int
) -> None:
    fields = {"name": name, "task": task_name, "confidence": confidence, "count": count}
    task, ended = after(began(1, **fields), found(1, result, **fields))
    _, broken = after(failed(1, result, **fields))
    for text in (
        remarks.acknowledgement(SPEECH, task),
        remarks.taken_on(SPEECH, task),
        remarks.now(SPEECH, ended),
        remarks.result(SPEECH, ended, DOUBT),
        remarks.done(SPEECH, task, ""),
        remarks.failure(SPEECH, broken),
        remarks.correction(SPEECH, ended, DOUBT),
        remarks.correction(SPEECH, broken, DOUBT),
        remarks.cancelled(SPEECH, task),
        remarks.remaining(SPEECH, task, several=True),
        remarks.still(SPEECH, task, ended, 99.0, 0),
        remarks.still(SPEECH, task, ended, 99.0, 1),
        remarks.in_background(SPEECH, task, ended),
        remarks.given_up(SPEECH, task),
    ):
        assert SPEECH.lasts_s(text) <= CONFIG.clause_s


def test_a_quicker_voice_takes_less_time() -> None:
    assert Speech(350.0, 2.5).lasts_s("The light is red.") == SPEECH.lasts_s("The light is red.") / 2


@pytest.mark.parametrize(
    "text", ["OK, find a charger first.", "Plan the route: 42 minutes.", "Two steps left.", "Find Anna: Lime Street."]
)
def test_the_model_of_speech_is_that_of_the_voice(text: str) -> None:
    pytest.importorskip("espeakng_loader")
    voice, samples = open_voice(SpeakerConfig()), []
    voice.speak(text, lambda piece: samples.append(piece.size) or True)  # type: ignore[func-returns-value]
    assert SPEECH.lasts_s(text) == pytest.approx(sum(samples) / voice.sample_rate_hz, abs=0.5)


def test_why_tells_the_newest_results_and_the_weightiest_reason() -> None:
    task, _ = after(found(1, "a"), found(2, "b"), began(3))
    untold = [task.steps[1], task.steps[2]]
    assert explained(task, untold, 1, ("it works in 90% at least", "the user asked for less")) == (
        "Drive to Anna: 2 of 3 steps are done, plan the route runs. Find Anna: a. Find a charger: b. "
        "I say only milestones, since the user asked for less."
    )
    assert explained(None, [], 0, ()) == ""
    assert explained(after(step(1, count=0))[0], [], 3, ()) == "Drive to Anna: 0 steps are done, find Anna runs."
