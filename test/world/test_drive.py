"""Generated drives: the same from the same seed, and sensed as they are true."""

from __future__ import annotations

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.model.observation import AUDIO_RATE_HZ
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.world.drive import CLOSE_M, MEDIUM_M, Drive

SEEDS = range(1_600_000, 1_600_060)


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
