"""Whether the sensors tell of the same world."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest

from mm_edge.model.observation import VehicleState
from mm_edge.trust.agreement import MOVING_PARKED, STANDING_PICTURE, Agreement, stale

DRIVING, PARKED, STANDING = (
    VehicleState(speed_mps=20.0, gear=4),
    VehicleState(speed_mps=20.0, gear=1),
    VehicleState(speed_mps=0.0, gear=4),
)
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 80, 3)).astype(np.uint8)


def looks(agreement: Agreement, state: VehicleState, count: int, noise: float = 0.0, begin: int = 0) -> None:
    rng = np.random.default_rng(1)
    for number in range(begin, begin + count):
        shown = np.clip(PICTURE + rng.normal(0, noise, PICTURE.shape), 0, 255).astype(np.uint8)
        agreement.look(shown, number + 1, state, 0.2 * number)


def test_a_picture_that_stands_still_on_the_move_is_doubted() -> None:
    agreement = Agreement()
    looks(agreement, DRIVING, 4)
    assert agreement.doubts(about_scene=True) == ()

    looks(agreement, DRIVING, 4, begin=4)

    assert agreement.doubts(about_scene=True) == (STANDING_PICTURE,)
    assert agreement.doubts(about_scene=False) == ()


@pytest.mark.parametrize(("state", "noise"), [(STANDING, 0.0), (VehicleState(), 0.0), (DRIVING, 25.0)])
def test_a_vehicle_that_stands_or_a_picture_that_changes_is_no_disagreement(state: VehicleState, noise: float) -> None:
    agreement = Agreement()
    looks(agreement, state, 20, noise)

    assert agreement.doubts(about_scene=True) == ()


def test_the_same_frame_looked_at_again_is_no_evidence() -> None:
    agreement = Agreement()
    for number in range(20):
        agreement.look(PICTURE, 1, DRIVING, 0.1 * number)

    assert agreement.doubts(about_scene=True) == ()


def test_a_moving_picture_ends_the_doubt() -> None:
    agreement = Agreement()
    looks(agreement, DRIVING, 10)
    agreement.look(PICTURE[:, ::-1], 11, DRIVING, 2.0)

    assert agreement.doubts(about_scene=True) == ()


@pytest.mark.parametrize("picture", [None, PICTURE])
def test_a_lost_camera_or_a_long_gap_begins_anew(picture: np.ndarray | None) -> None:
    agreement = Agreement()
    looks(agreement, DRIVING, 10)
    agreement.look(picture, 11, DRIVING, 30.0)
    agreement.look(PICTURE, 12, DRIVING, 30.2)

    assert agreement.doubts(about_scene=True) == ()


def test_driving_in_park_is_doubted_for_what_the_vehicle_says() -> None:
    agreement = Agreement()
    looks(agreement, PARKED, 8, noise=25.0)

    assert agreement.doubts(about_scene=False) == (MOVING_PARKED,)
    assert agreement.doubts(about_scene=True) == ()


def test_time_that_begins_anew_forgets() -> None:
    agreement = Agreement()
    looks(agreement, PARKED, 8)
    agreement.clear()

    assert agreement.doubts(about_scene=True) == agreement.doubts(about_scene=False) == ()


def test_an_old_input_is_doubted() -> None:
    (doubt,) = stale("picture", 800.0)

    assert doubt.reason == "the picture is 0.8 s old"
    assert doubt.factor < 1


@pytest.mark.parametrize("age_ms", [nan, -5000.0, 0.0, 100.0])
def test_an_unknown_age_or_a_clock_that_jumped_says_nothing(age_ms: float) -> None:
    assert stale("picture", age_ms) == ()
