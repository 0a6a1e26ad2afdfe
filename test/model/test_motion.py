"""What takes several observations to tell."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mm_edge.model.features import SIGNALS, features, signals
from mm_edge.model.motion import Course, Motion
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.model.policy import STEPS

D, SLOTS = 16, 4
GUESS = torch.ones(1, STEPS, 2)


@pytest.fixture
def course() -> Course:
    torch.manual_seed(0)
    course = Course(SLOTS)
    torch.nn.init.normal_(course.head.weight)
    return course


def moving(*speeds_mps: float) -> Tensor:
    """Summaries [1, n, D + SIGNALS] of nothing but speeds, NaN: unknown."""
    told = signals(features([Observation(0, state=VehicleState(speed_mps=speed)) for speed in speeds_mps]).state)
    return torch.cat([torch.zeros(len(speeds_mps), D), told], 1)[None]


def later(course: Course, *speeds_mps: float) -> Tensor:
    known = moving(*speeds_mps)
    return course(known[:, :-1], known[:, -1], GUESS)


def test_signals_are_numbers_and_which_of_them_are_known() -> None:
    state = VehicleState(speed_mps=20.0, acceleration_mps2=-2.5, yaw_rate_rps=math.nan, steering_angle_rad=0.05)
    (told,) = signals(features([Observation(0, state=state)]).state)
    assert told.shape == (SIGNALS,)
    assert told.tolist() == pytest.approx([0.5, -0.5, 0.0, 0.5, 1.0, 1.0, 0.0, 1.0])


def test_at_first_a_course_is_the_guess() -> None:
    assert torch.equal(later(Course(SLOTS), 12.0, 11.0, 10.0), GUESS)


def test_how_the_vehicle_moved_until_now_tells_on_the_course(course: Course) -> None:
    assert not torch.allclose(later(course, 12.0, 11.0, 10.0), later(course, 10.0, 10.0, 10.0), atol=1e-3)


def test_moments_that_are_not_remembered_are_unknown_ones(course: Course) -> None:
    assert torch.allclose(later(course, 12.0, 10.0), later(course, math.nan, math.nan, math.nan, 12.0, 10.0), atol=1e-5)


def test_what_the_lead_vehicle_does_is_not_told_by_the_own_motion() -> None:
    motion = Motion(D, SLOTS)
    slow, fast = (moving(speed, speed) for speed in (3.0, 30.0))
    told = [motion(known[:, :-1], known[:, -1])[0] for known in (slow, fast)]
    assert torch.equal(*told)
