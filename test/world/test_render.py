"""Pictures: they follow the road, keep in view what facts speak of, and borrow only surroundings from photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mm_edge.errors import UserError
from mm_edge.world.course import BENDS, Course
from mm_edge.world.drive import Drive
from mm_edge.world.photographs import PHOTOGRAPHS, photograph
from mm_edge.world.render import AHEAD_M, Scene, render

HEIGHT, WIDTH = 96, 160
LOOKS = range(12)
ABSENT = {"lead": "", "light": "", "sign": "", "pedestrian_m": 0.0}
EMPTY = Scene(
    road="city street",
    weather="clear",
    night=False,
    travelled_m=0.0,
    bend_m=(0.0,) * len(AHEAD_M),
    lead="",
    lead_gap_m=60.0,
    lead_brakes=False,
    light="",
    light_m=0.0,
    light_side_m=0.0,
    sign="",
    sign_m=0.0,
    pedestrian_m=0.0,
    pedestrian_side_m=0.0,
    look=1,
    frame=0,
)


def bend(radius_m: float) -> tuple[float, ...]:
    """The tightest to the right, and to the left when negative."""
    return tuple(-Course(np.full(100, -1 / radius_m)).ahead(0.0, np.array(AHEAD_M))[:, 1])


def columns(scene: Scene, **absent: object) -> NDArray[np.int64]:
    """Where the picture changes when something is taken away."""
    change = np.abs(render(scene, HEIGHT).astype(int) - render(replace(scene, **absent), HEIGHT))  # type: ignore[arg-type]
    return np.unique(np.nonzero(change.max(axis=2) > 25)[1])


def test_a_thing_is_where_the_road_leads() -> None:
    ahead = replace(EMPTY, lead="car", lead_gap_m=40.0)
    right, straight, left = (
        columns(replace(ahead, bend_m=bend_m), lead="").mean() for bend_m in (bend(150.0), EMPTY.bend_m, bend(-150.0))
    )
    assert right > straight + 10
    assert left < straight - 10


def test_the_road_itself_bends() -> None:
    bent = np.abs(render(replace(EMPTY, bend_m=bend(100.0)), HEIGHT).astype(int) - render(EMPTY, HEIGHT))
    assert bent[HEIGHT // 2 :].max() > 40


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(
    "there",
    [
        {"lead": "truck", "lead_gap_m": 60.0},
        {"lead": "car", "lead_gap_m": 30.0},
        {"light": "red", "light_m": 30.0, "light_side_m": -3.7},
        {"light": "red", "light_m": 30.0, "light_side_m": 3.7},
        {"light": "red", "light_m": 17.0, "light_side_m": 3.7},
        {"sign": "50", "sign_m": 14.0},
        {"sign": "100", "sign_m": 9.0},
        {"pedestrian_m": 14.0, "pedestrian_side_m": 4.2},
        {"pedestrian_m": 6.5, "pedestrian_side_m": -4.2},
    ],
)
def test_no_bend_carries_out_of_the_picture_what_a_fact_speaks_of(side: int, there: dict[str, object]) -> None:
    tightest_m, _, _ = BENDS["city street"]
    (what,) = ABSENT.keys() & there.keys()
    for look in LOOKS:
        scene = replace(EMPTY, bend_m=bend(side * tightest_m), look=look, **there)  # type: ignore[arg-type]
        changed = columns(scene, **{what: ABSENT[what]})
        assert len(changed) > 1
        assert changed.min() >= 1
        assert changed.max() <= WIDTH - 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one photograph: green over black."""
    pixels = np.zeros((90, 160, 3), np.uint8)
    pixels[:50, :, 1] = 200
    cv2.imwrite(str(tmp_path / "one.png"), pixels)
    monkeypatch.setenv(PHOTOGRAPHS, str(tmp_path))
    return tmp_path


def test_some_drives_have_a_photograph_behind_them(folder: Path) -> None:
    found = [photograph(look) for look in range(300)]
    shown = next(each for each in found if each is not None)
    assert 0.2 < np.mean([each is not None for each in found]) < 0.4
    assert (shown == (0, 200, 0)).all()


def test_a_photograph_is_seen_above_the_road_and_changes_nothing_on_it(folder: Path) -> None:
    scene = replace(EMPTY, sign="50", sign_m=10.0, road="highway")
    plain, shown = render(scene, HEIGHT), render(scene, HEIGHT, np.full((28, 96, 3), (0, 200, 0), np.uint8))
    assert shown[:20].mean(axis=(0, 1)).argmax() == 1
    assert plain[:20].mean(axis=(0, 1)).argmax() == 2
    assert np.array_equal(plain[-20:, 40:120], shown[-20:, 40:120])


def test_without_a_folder_there_are_no_photographs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = next(d for d in (Drive(seed, 5.0) for seed in range(1_600_000, 1_600_060)) if d.sees(2.0))
    monkeypatch.delenv(PHOTOGRAPHS)
    assert np.array_equal(drive.image(2.0), render(drive.scene(2.0), HEIGHT))  # type: ignore[arg-type]
    assert all(photograph(look) is None for look in range(50))


@pytest.mark.parametrize("name", ["notes.txt", "broken.jpg"])
def test_a_folder_without_photographs_is_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_text("no picture")
    monkeypatch.setenv(PHOTOGRAPHS, str(tmp_path))
    with pytest.raises(UserError, match=PHOTOGRAPHS):
        [photograph(look) for look in range(50)]
