"""Generated drives: the same from the same seed, and sensed as they are true."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.model.observation import AUDIO_RATE_HZ
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.world.course import COURSE_STEP_M, SIDEWAYS_MPS2, Course
from mm_edge.world.drive import (
    CLOSE_M,
    GAP_M,
    MEDIUM_M,
    MOTION_LAG_S,
    MOTIONS,
    PATH_SPACING_S,
    PATH_STEPS,
    STEP_S,
    WHEELBASE_M,
    Drive,
)

SEEDS = range(1_600_000, 1_600_060)
LATER_S = PATH_SPACING_S * np.arange(1, PATH_STEPS + 1)


def test_a_seed_is_a_drive() -> None:
    for t_s in (1.0, 7.7):
        one, two = (Drive(1_600_003, 10.0).observation(t_s) for _ in range(2))
        assert one.state == two.state or isnan(one.state.speed_mps)
        assert (one.image is None) == (two.image is None)
        assert one.image is None or np.array_equal(one.image, two.image)  # type: ignore[arg-type]


def test_an_instant_does_not_depend_on_what_was_asked_before() -> None:
    direct, after = Drive(1_600_004, 10.0), Drive(1_600_004, 10.0)
    after.observation(1.0)
    assert direct.truth(6.0) == after.truth(6.0)
    assert np.array_equal(direct.image(6.0), after.image(6.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("height", [96, 240])
def test_pictures_and_sound_have_their_shapes(height: int) -> None:
    drive = next(d for d in (Drive(seed, 5.0) for seed in SEEDS) if d.sees(2.0) and d.hears(2.0))
    image, heard = drive.image(2.0, height), drive.audio(2.0)
    assert image is not None
    assert heard is not None
    assert image.shape == (height, height * 5 // 3, 3)
    assert heard.shape == (AUDIO_RATE_HZ,)
    assert np.abs(heard).max() <= 1


def test_everything_happens_somewhere() -> None:
    seen: dict[str, set[str]] = {name: set() for name in SCENE_FACTS}
    for seed in SEEDS:
        for t_s in np.arange(0.5, 13.5, 1.0):
            for name, value in Drive(seed, 14.0).truth(t_s).items():
                seen[name].add(value)
    assert {name: sorted(values) for name, values in seen.items()} == {
        name: sorted(values) for name, values in SCENE_FACTS.items()
    }


@settings(max_examples=100, deadline=None)
@given(st.integers(1_600_000, 1_699_999), st.floats(0, 9.9))
def test_words_for_the_gap_agree_with_its_length(seed: int, t_s: float) -> None:
    drive = Drive(seed, 10.0)
    lowest = {"close": 0.0, "medium": CLOSE_M, "far": MEDIUM_M}
    distance = drive.truth(t_s)["lead_distance"]
    assert distance == "none" or drive.gap_m(t_s) >= lowest[distance]


def test_what_the_sensors_do_not_show_is_not_known() -> None:
    blind = [(d, t) for d in (Drive(s, 40.0) for s in SEEDS) for t in (3.0, 20.0, 33.0) if not d.sees(t)]
    assert blind
    assert all(drive.image(t_s) is None for drive, t_s in blind)
    assert not any(drive.alert(t_s) in ("lead_braking", "red_light", "pedestrian") for drive, t_s in blind)


@pytest.mark.parametrize(("seed", "duration_s"), [(-1, 10.0), (1, 0.0), (1, float("nan"))])
def test_a_drive_that_cannot_be(seed: int, duration_s: float) -> None:
    with pytest.raises(ValueError, match="a drive needs"):
        Drive(seed, duration_s)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1 / 75, 1 / 75).filter(lambda curvature: abs(curvature) > 1e-4), st.floats(0, 100))
def test_a_road_of_constant_curvature_is_an_arc(curvature: float, travelled_m: float) -> None:
    ahead_m = np.linspace(0.0, 85.0, 18)
    arc = np.stack([np.sin(curvature * ahead_m), 1 - np.cos(curvature * ahead_m)], axis=1) / curvature
    course = Course(np.full(round(200 / COURSE_STEP_M), curvature))
    assert course.ahead(travelled_m, ahead_m) == pytest.approx(arc, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1 / 75, 1 / 75), min_size=150, max_size=150), st.floats(0, 60))
def test_a_road_is_as_long_as_it_is_far(curvature: list[float], travelled_m: float) -> None:
    points = Course(np.array(curvature)).ahead(travelled_m, np.arange(0, 81.0))
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).sum() == pytest.approx(80.0, rel=1e-3)


@pytest.mark.parametrize("t_s", [0.0, 4.0, 13.9])
def test_a_path_is_as_long_as_the_speed_says(t_s: float) -> None:
    for drive in (Drive(seed, 14.0) for seed in SEEDS):
        path = drive.path(t_s)
        steps_m = np.linalg.norm(np.diff(path, axis=0, prepend=0), axis=1)
        times_s = t_s + STEP_S * np.arange(PATH_STEPS * PATH_SPACING_S / STEP_S) + STEP_S / 2
        travelled_m = sum(drive.state(time_s).speed_mps for time_s in times_s) * STEP_S
        assert path.shape == (PATH_STEPS, 2)
        assert path.dtype == np.float32
        assert isnan(travelled_m) or steps_m.sum() == pytest.approx(travelled_m, rel=0.01, abs=0.01)


def test_a_path_at_constant_speed_on_a_straight_road_is_a_straight_line() -> None:
    after_s, straight = 14.15, 0  # past the last step of the track of speed
    for drive in (Drive(seed, 14.0) for seed in SEEDS):
        speed_mps, path = drive.state(after_s).speed_mps, drive.path(after_s)
        if np.abs(drive.scene(after_s).bend_m).max() > 1e-6 or isnan(speed_mps) or path[-1, 0] > 85:
            continue
        straight += 1
        assert path == pytest.approx(np.outer(LATER_S * speed_mps, (1, 0)), abs=1e-3)
    assert straight > 5


def test_the_signals_agree_with_the_path() -> None:
    for drive in (Drive(seed, 14.0) for seed in SEEDS):
        state, (x_m, y_m) = drive.state(6.0), drive.path(6.0)[0]
        curvature = np.tan(state.steering_angle_rad) / WHEELBASE_M
        if not isnan(curvature) and x_m > 1:
            assert 2 * y_m / x_m**2 == pytest.approx(curvature, abs=0.005)
        if not isnan(state.yaw_rate_rps + state.speed_mps + curvature):
            assert state.yaw_rate_rps == pytest.approx(state.speed_mps * curvature, abs=0.015 + 0.003 * state.speed_mps)
            assert abs(state.yaw_rate_rps) * state.speed_mps <= SIDEWAYS_MPS2 + 0.015 * state.speed_mps


@pytest.mark.parametrize("signal", ["yaw_rate_rps", "steering_angle_rad"])
def test_some_vehicles_do_not_tell_how_they_turn(signal: str) -> None:
    unknown = [isnan(getattr(Drive(seed, 1.0).state(0.5), signal)) for seed in range(1_600_000, 1_600_400)]
    assert 0.05 < np.mean(unknown) < 0.15


def test_roads_bend_both_ways_and_run_straight() -> None:
    left_m = np.array([drive.path(5.0)[-1, 1] for drive in (Drive(seed, 14.0) for seed in SEEDS)])
    assert min((left_m > 1).sum(), (left_m < -1).sum(), (abs(left_m) < 0.1).sum()) > 5


def test_what_the_lead_vehicle_does_is_what_it_did_a_moment_ago() -> None:
    compared = set()
    for drive in (Drive(seed, 14.0) for seed in SEEDS):
        for t_s in np.arange(1.05, 13.0, 0.5):
            around = {drive.truth(t_s + shift_s)["lead_motion"] for shift_s in (-0.2, 0.0, 0.2)}
            before_s = t_s - MOTION_LAG_S
            gaps_m = drive.gap_m(before_s), drive.gap_m(before_s + STEP_S)
            there = drive.truth(before_s)["lead"] != "none"
            if len(around) > 1 or not there or any(gap_m in GAP_M for gap_m in gaps_m):
                continue
            (motion,) = around
            low, high = MOTIONS.get(motion, (nan, nan))
            if motion != "none":
                assert low - 0.01 <= np.log(gaps_m[1] / gaps_m[0]) / STEP_S <= high + 0.01
                compared.add(motion)
    assert compared == set(MOTIONS)


def test_brake_lights_agree_with_the_fact() -> None:
    for drive in (Drive(seed, 14.0) for seed in SEEDS):
        for t_s in np.arange(0.0, 14.0, 0.25):
            assert drive.scene(t_s).lead_brakes == (drive.truth(t_s)["lead_motion"] == "braking hard")
