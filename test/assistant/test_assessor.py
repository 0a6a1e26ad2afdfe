"""The evidence of a turn: the picture, the sensors, the outcomes, and what was asked."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import numpy as np
import pytest
import torch

from mm_edge.assistant.assessor import Answer, Assessor
from mm_edge.assistant.config import AssistantConfig
from mm_edge.engine.base import Percept
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.model.policy import STEPS
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.report import Verdict

GREY = np.full((4, 6, 3), 90, np.uint8)
LIGHT = Answer(0.95, "light", "fast", "is the light red")
SPEED = Answer(0.95, "speed", "fast", "how fast are we")


def percept(**logits: list[float]) -> Percept:
    rows = {name: np.array(row, np.float32) for name, row in logits.items()}
    facts = {"daylight": ("day", 0.99)}
    return Percept(torch.zeros(1, 2), torch.zeros(2), np.zeros(2, np.float32), facts, torch.zeros(STEPS, 2), rows)


@pytest.fixture
def assessor(constants: TrustConstants) -> Assessor:
    made = Assessor(constants)
    made.look(Observation(1, GREY), percept(), 0.0)
    return made


def test_a_familiar_picture_and_a_sure_draft_are_believed(assessor: Assessor) -> None:
    judgement = assessor.judge(LIGHT)

    assert judgement.verdict == Verdict.ACCEPTED
    assert judgement.reasons == ()


def test_a_strange_picture_lowers_what_is_said_of_the_scene(assessor: Assessor) -> None:
    strange = np.random.default_rng(0).integers(0, 255, (48, 80, 3)).astype(np.uint8)
    assessor.look(Observation(2, strange), percept(), 0.2)

    assert assessor.judge(LIGHT).verdict == Verdict.HEDGED
    assert assessor.judge(SPEED).verdict == Verdict.ACCEPTED


def test_no_frame_is_no_novelty(assessor: Assessor) -> None:
    assessor.look(Observation(2), percept(), 0.2)

    assert assessor.judge(LIGHT).novelty == 0.0


def test_an_old_picture_is_doubted_for_the_scene_an_old_state_for_the_vehicle(assessor: Assessor) -> None:
    assert "picture is 0.9 s old" in assessor.judge(LIGHT, image_age_ms=900.0, state_age_ms=900.0).reasons[0]
    assert "vehicle's state is 0.9 s old" in assessor.judge(SPEED, 900.0, 900.0).reasons[0]
    assert assessor.judge(replace(LIGHT, topic="when"), 900.0, 900.0).reasons == ()


@pytest.mark.parametrize("age_ms", [nan, -1e9])
def test_clocks_that_jump_say_nothing(assessor: Assessor, age_ms: float) -> None:
    assert assessor.judge(LIGHT, age_ms, age_ms).reasons == ()


def test_sensors_that_disagree_are_a_reason(assessor: Assessor) -> None:
    for number in range(12):
        assessor.look(Observation(number + 2, GREY, VehicleState(speed_mps=20.0)), percept(), 0.2 * number)

    assert "stands still" in assessor.judge(LIGHT).reasons[0]


def test_two_possible_values_are_asked_about(constants: TrustConstants) -> None:
    from mm_edge.trust.options import Options

    assessor = Assessor(replace(constants, options=Options({"light": 0.2})))
    assessor.look(Observation(1), percept(light=[-9.0, 2.0, -9.0, 1.8]), 0.0)

    judgement = assessor.judge(replace(LIGHT, confidence=0.5))

    assert judgement.verdict == Verdict.ASKED
    assert judgement.options == ("red", "green")


def test_a_contradiction_counts_against_the_last_answer(assessor: Assessor) -> None:
    assessor.said(assessor.judge(LIGHT), "light", 1.0)
    assessor.contradicted(2.0)

    assert assessor.risk_bound > 0.5


def test_only_what_was_said_plainly_counts(assessor: Assessor) -> None:
    assessor.said(assessor.judge(replace(LIGHT, confidence=0.5)), "light", 1.0)

    assessor.contradicted(2.0)

    assert isnan(assessor.risk_bound)


def test_right_answers_lower_the_bound_and_time_that_jumps_keeps_it(assessor: Assessor) -> None:
    for number in range(20):
        assessor.said(assessor.judge(LIGHT), "light", float(number))
    assessor.look(Observation(2, GREY), percept(), 100.0)
    before = assessor.risk_bound

    assessor.clear()

    assert before == assessor.risk_bound < 0.2


def test_a_successor_knows_how_answers_fared(assessor: Assessor, constants: TrustConstants) -> None:
    for number in range(20):
        assessor.said(assessor.judge(LIGHT), "light", float(number))
    assessor.look(Observation(2, GREY), percept(), 100.0)
    after, before = Assessor(constants), assessor.risk_bound

    after.take_over(assessor)
    assessor.said(assessor.judge(LIGHT), "light", 101.0)
    assessor.contradicted(102.0)

    assert after.risk_bound == before < assessor.risk_bound


def test_thresholds_can_be_set_and_given_back(assessor: Assessor) -> None:
    assessor.configure(AssistantConfig(accept_probability=0.99))
    assert assessor.judge(LIGHT).verdict == Verdict.HEDGED

    assessor.configure(AssistantConfig())
    assert assessor.judge(LIGHT).verdict == Verdict.ACCEPTED
