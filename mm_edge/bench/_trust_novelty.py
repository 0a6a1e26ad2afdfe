"""What the novelty of pictures is worth: generated ones against photographs and a camera that fails.

Photographs and clips lie in the folder that the variable MM_EDGE_FOOTAGE names, else in one beside the repository;
without them only failures of the camera are told of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mm_edge.engine.base import Engine
from mm_edge.model.observation import Observation
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.novelty import ALARM, sight
from mm_edge.trust.options import SURE, probabilities
from mm_edge.trust.selection import auroc
from mm_edge.world.drive import Drive

FOOTAGE = "MM_EDGE_FOOTAGE"
NEARBY = Path(__file__).resolve().parents[2].parent / "shared" / "data"
MOMENTS_S = (3.0, 8.0)
PHOTOGRAPHS, GENERATED = "photographs", "generated"
HEIGHTS = (96, 240)
Picture = NDArray[np.uint8]
Taken = tuple[Drive, float, Picture]
"""A drive, when a picture of it was taken, and the picture."""


def footage(every: int) -> list[Picture]:
    """Photographs, and every so many frames of clips, as they are, [h, w, 3], RGB; none without a folder."""
    folder = Path(os.environ.get(FOOTAGE, NEARBY))
    found = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted(folder.glob("stills/*.jpg"))]
    for path in sorted(folder.glob("clips/*.mp4")):
        found += [frame for number, frame in enumerate(_frames(path)) if number % every == 0]
    return [np.asarray(cv2.cvtColor(each, cv2.COLOR_BGR2RGB), np.uint8) for each in found if each is not None]


def _frames(path: Path) -> Iterator[Picture]:
    clip = cv2.VideoCapture(str(path))
    while True:
        there, frame = clip.read()
        if not there:
            return
        yield np.asarray(frame, np.uint8)


def generated(seed: int, drives: int) -> list[Taken]:
    """Two moments of every drive, where there is a picture."""
    found = []
    for number in range(seed, seed + drives):
        drive = Drive(number, max(MOMENTS_S) + 2.0)
        for t_s in MOMENTS_S:
            picture = drive.image(t_s, HEIGHTS[number % len(HEIGHTS)])
            if picture is not None:
                found.append((drive, t_s, picture))
    return found


def _black(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.zeros_like(picture)


def _covered(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dirt, out of focus, on most of the lens."""
    high, wide, _ = picture.shape
    dirt = np.zeros((high, wide), np.float32)
    for _ in range(12):
        centre = (int(rng.integers(wide)), int(rng.integers(high)))
        cv2.circle(dirt, centre, int(high * rng.uniform(0.15, 0.35)), 1.0, -1)
    dirt = cv2.GaussianBlur(dirt, (0, 0), high * 0.03)[..., None]  # type: ignore[assignment]
    return (picture * (1 - dirt) + np.array((40, 35, 30)) * dirt).astype(np.uint8)


def _half(picture: Picture, rng: np.random.Generator) -> Picture:
    """Something in front of one half."""
    blocked = picture.copy()
    blocked[:, : picture.shape[1] // 2] = rng.integers(0, 60, 3)
    return blocked


def _noisy(picture: Picture, rng: np.random.Generator) -> Picture:
    """A sensor at night, far too short of light."""
    grain = rng.normal(0, rng.uniform(20, 50), picture.shape)
    return np.clip(picture * 0.25 + grain, 0, 255).astype(np.uint8)


def _upside_down(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.ascontiguousarray(picture[::-1, ::-1])


def _blurred(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), picture.shape[0] * 0.05), np.uint8)


def _dazzled(picture: Picture, rng: np.random.Generator) -> Picture:
    return np.clip(picture * 3.0 + 80, 0, 255).astype(np.uint8)


FAILURES: Mapping[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "black": _black,
    "lens covered with dirt": _covered,
    "one half blocked": _half,
    "noise at night": _noisy,
    "upside down": _upside_down,
    "out of focus": _blurred,
    "dazzled": _dazzled,
}


def scores(engine: Engine, constants: TrustConstants, pictures: Sequence[Picture]) -> NDArray[np.float64]:
    found = []
    for picture in pictures:
        percept = engine.encode(Observation(0, picture))
        found.append(constants.novelty.score(sight(picture, percept)))
    return np.array(found)


def measured(
    engine: Engine, constants: TrustConstants, pictures: Sequence[Taken], clips_every: int
) -> dict[str, NDArray[np.float64]]:
    """Scores of generated pictures, of the same ones by a camera that fails, and of photographs if there are any."""
    plain = [picture for *_, picture in pictures]
    rng = np.random.default_rng(47)
    found = {GENERATED: scores(engine, constants, plain)}
    for name, fail in FAILURES.items():
        found[name] = scores(engine, constants, [fail(picture, rng) for picture in plain])
    photographs = footage(clips_every)
    return found | ({PHOTOGRAPHS: scores(engine, constants, photographs)} if photographs else {})


def separation(found: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Kind of picture -> how well its scores are told from those of generated ones."""
    return {name: auroc(found[GENERATED], each) for name, each in found.items() if name != GENERATED}


def alarmed(found: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Kind of picture -> the share that raises the alarm."""
    return {name: float((each > ALARM).mean()) for name, each in found.items()}


def option_sets(engine: Engine, constants: TrustConstants, pictures: Sequence[Taken]) -> list[tuple[int, bool]]:
    """For every fact that a generated picture leaves unsure: how many values are possible, and whether the true one is
    among them."""
    found = []
    for drive, t_s, picture in pictures:
        odds = probabilities(engine.encode(Observation(0, picture, audio=drive.audio(t_s))).logits)
        for fact in set(odds) & set(SCENE_FACTS) - {"limit"}:
            if max(odds[fact].values()) < SURE:
                possible = constants.options(fact, odds[fact])
                found.append((len(possible), drive.truth(t_s)[fact] in possible))
    return found
