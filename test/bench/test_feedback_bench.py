"""How the figures about feedback come about: the claims' own rules, the tasks, and the time line of a voice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mm_edge.bench import _feedback_tasks as tasks
from mm_edge.bench._feedback_claims import unsupported
from mm_edge.bench._feedback_play import Adaptive, Spoken, Telling, Voice, at_the_end, planning_and_results
from mm_edge.bench._feedback_tasks import (
    KINDS,
    LONGEST_S,
    SHORTEST_S,
    Scene,
    Step,
    car_bench,
    car_bench_path,
    generated,
)
from mm_edge.bench.feedback import RELIABLE, Series, _plot, claims, learnt, ratio
from mm_edge.feedback.policy import EVERYTHING

SCENE = Scene(
    "t",
    "drives",
    "drive to Anna",
    (Step(1, "find Anna", "Lime Street", 0.0, 3.0), Step(2, "plan the route", "42 minutes", 3.5, 9.0)),
)


def lasts_s(text: str) -> float:
    return len(text.split()) / 3


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("text", "early_s", "late_s"),
    [
        ("Find Anna: Lime Street.", 2.9, 3.0),
        ("Lime Street.", 2.9, 3.0),
        ("Find Anna: done.", 2.9, 3.0),
        ("Step 1: done.", 2.9, 3.0),
        ("Find Anna: Lime Street. Plan the route: 42 minutes.", 8.9, 9.0),
        ("Done. Plan the route: 42 minutes.", 8.9, 9.0),
        ("Drive to Anna: done.", 8.9, 9.0),
        ("Now: plan the route.", 3.4, 3.5),
        ("Plan the route: 2 seconds so far.", 3.4, 5.5),
        ("One step left.", 2.9, 3.0),
        ("Drive to Anna: one step left.", 2.9, 3.0),
    ],
)
def test_a_claim_is_supported_from_its_message_on(text: str, early_s: float, late_s: float) -> None:
    assert unsupported(text, early_s, SCENE.messages()) != []
    assert unsupported(text, late_s, SCENE.messages()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Find Anna failed.",
        "Find Anna: Elm Street.",
        "Two steps left.",
        "Now: find Anna.",
        "Still: find Anna.",
        "Find a charger: done.",
        "Done, but step 2 is unknown.",
        "Everything went well.",
        "Done. Plan the route: 43 minutes.",
        "OK, drive to Anna: five steps.",
    ],
)
def test_what_no_message_says_is_never_supported(text: str) -> None:
    assert unsupported(text, 9.0, SCENE.messages()) != []


def test_a_policy_that_speaks_too_soon_is_found_out() -> None:
    honest = planning_and_results(SCENE, lasts_s)
    hasty = replace(honest, spoken=[replace(each, published_s=each.published_s - 1.0) for each in honest.spoken])
    assert claims([honest, at_the_end(SCENE, lasts_s)]) == 0
    assert claims([hasty]) == 5


def test_silence_is_what_lies_between_sentences_while_the_task_runs() -> None:
    told = Telling(SCENE, spoken=[Spoken("OK.", 0, 0.5, 1.0, True), Spoken("Find Anna: Lime.", 3, 3.0, 4.0)])
    assert told.longest_silence_s == 5.0
    assert (told.words, told.first_sound_s, told.first_content_s) == (3, 0.5, 3.0)
    assert at_the_end(SCENE, lasts_s).longest_silence_s == 9.0


def test_words_that_were_said_before_are_repeated() -> None:
    spoken = [Spoken("Find the charger.", 0, 0, 1), Spoken("The charger was found.", 2, 2, 3)]
    assert Telling(SCENE, spoken=spoken).redundancy == pytest.approx(1 / 4)


def test_a_voice_says_one_sentence_after_the_other() -> None:
    voice = Voice(lasts_s)
    first, second = voice.say("three words long", 0.0), voice.say("one", 0.1)
    assert first.ended_s == second.began_s


@pytest.mark.parametrize("count", [3, 6])
def test_generated_tasks_have_the_steps_of_the_study(count: int) -> None:
    scene = generated(rng(), 0, next(iter(KINDS)), count)
    assert len(scene.steps) == count
    assert all(SHORTEST_S <= step.ended_s - step.began_s <= LONGEST_S for step in scene.steps)
    assert scene == generated(rng(), 0, next(iter(KINDS)), count)
    assert not generated(rng(), 0, next(iter(KINDS)), count, fails=True).steps[-1].works


def test_disturbed_messages_lead_to_no_false_claim_and_no_long_silence() -> None:
    scenes = [replace(generated(rng(n), n, kind, 6), noise=n) for n, kind in enumerate([*KINDS] * 8)]
    told = [Adaptive(lasts_s).tell(scene) for scene in scenes]
    assert claims(told) == 0
    assert max(each.longest_silence_s for each in told) <= 4.0


def test_a_series_says_less_and_everything_again_after_a_failure() -> None:
    series = learnt(rng(), lasts_s)
    assert len(series) == 2 * len(KINDS)
    for each in series:
        assert ratio(each.counted, [planning_and_results(told.scene, lasts_s) for told in each.counted]) < 0.6
        assert each.recovery == 1
    assert {name for name, _, _ in _plot(series, lasts_s).points} == {"3 steps", "6 steps"}


def test_a_series_that_never_recovers_says_so() -> None:
    told = [Telling(SCENE, level) for level in (1, 1, EVERYTHING)]
    assert Series([told[0]] * (RELIABLE + 1), told[0], told).recovery == 3
    assert Series([told[0]], told[0], told[:2]).recovery == 3


def test_transcripts_become_tasks(tmp_path: Path) -> None:
    call = {"id": "a", "function": {"name": "find_poi", "arguments": "{}"}}
    trajectory = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [call, {**call, "id": "b"}, {**call, "id": "lost"}]},
        {"role": "tool", "tool_call_id": "a", "content": '{"status": "SUCCESS", "result": {"name_of": "Bo", "x": []}}'},
        {"role": "tool", "tool_call_id": "b", "content": "no JSON"},
    ]
    path = tmp_path / "transcripts.json"
    path.write_text(json.dumps([{"traj": trajectory}, {"traj": trajectory[:1]}]))
    (scene,) = car_bench(path, rng())
    assert [(step.name, step.result, step.works) for step in scene.steps] == [
        ("find poi", "name of bo", True),
        ("find poi", "", False),
    ]
    assert scene.steps[0].began_s == scene.steps[1].began_s == 0.0


def test_without_the_transcripts_there_is_no_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tasks, "BESIDE", tmp_path / "none.json")
    monkeypatch.delenv(tasks.CAR_BENCH, raising=False)
    assert car_bench_path() is None


def test_the_tasks_of_car_bench_are_told_without_a_false_claim() -> None:
    path = car_bench_path()
    if path is None:
        pytest.skip(f"no transcripts of CAR-bench; set {tasks.CAR_BENCH} to their path")
    scenes = car_bench(path, rng())
    told = [Adaptive(lasts_s).tell(scene) for scene in scenes]
    assert len(scenes) == 100
    assert claims(told) == 0
    assert max(each.longest_silence_s for each in told) <= 4.0
