"""From a scene to a picture: a stylised road seen through the windscreen, drawn with OpenCV.

A pinhole camera over a flat road. What differs between drives (colours, trees, camera pitch, noise) follows from
`Scene.look`. Knows nothing about time, questions or sensors that fail.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ASPECT = 5 / 3
FOCAL = 1.85
"""Focal length in picture heights."""
CAMERA_M = 1.4
ROAD_HALF_WIDTH_M = {"city street": 5.2, "country road": 3.9, "highway": 7.6}
LAMPS = {"red": (255, 40, 30), "yellow": (255, 190, 20), "green": (40, 255, 110)}
REPEAT_M = 90.0
"""What stands beside the road comes again after this distance."""
FAR_M = 85.0
AHEAD_M = tuple(float(FAR_M * (k / 11) ** 2) for k in range(12))
"""Where the course of the road is given; straight between these, and denser where the picture shows more of it."""
CAMERA, STAINS, BACKGROUND = 11, 12, 14
"""Streams of random numbers of their own."""


@dataclass(frozen=True)
class Scene:
    """What is in view. Distances along the road in `_m`, sideways in `_side_m` (right is positive); "" is absent.

    bend_m: how far to the right the road leads, at each of AHEAD_M.
    """

    road: str
    weather: str
    night: bool
    travelled_m: float
    bend_m: tuple[float, ...]
    lead: str
    lead_gap_m: float
    lead_brakes: bool
    light: str
    light_m: float
    light_side_m: float
    sign: str
    sign_m: float
    pedestrian_m: float
    pedestrian_side_m: float
    look: int
    frame: int


def render(scene: Scene, height: int, surroundings: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """The picture [height, height * ASPECT, 3], RGB. `surroundings` [h, w, 3], RGB: what lies behind the road."""
    return _Painter(scene, height, surroundings).paint()


class _Painter:
    def __init__(self, scene: Scene, height: int, surroundings: NDArray[np.uint8] | None) -> None:
        self.scene = scene
        self.surroundings = surroundings
        self.slopes = (np.diff(scene.bend_m) / np.diff(AHEAD_M)).tolist()
        self.height, self.width = height, round(height * ASPECT)
        look = np.random.default_rng(scene.look)
        self.look = look
        self.focal = FOCAL * height
        self.centre = self.width * (0.5 + look.uniform(-0.03, 0.03))
        self.horizon = height * (0.42 + look.uniform(-0.04, 0.04))
        self.picture: Any = np.zeros((height, self.width, 3), np.uint8)
        self.noise = np.random.default_rng([scene.look, scene.frame])

    def paint(self) -> NDArray[np.uint8]:
        self._ground()
        if self.surroundings is not None:
            self._surround(self.surroundings)
        self._road()
        self._weathered()
        self._scenery()
        things = [(scene_m, paint) for scene_m, paint in self._things() if scene_m > 0]
        for _, paint in sorted(things, key=lambda thing: -thing[0]):
            paint()
        self._air()
        self._lamps()
        return self._film()

    def at(self, side_m: float, up_m: float, ahead_m: float) -> tuple[int, int]:
        """The pixel of a point that is `side_m` beside the middle of the lane."""
        scale = self.focal / ahead_m
        side_m += self.bend(ahead_m)
        return round(self.centre + side_m * scale), round(self.horizon + (CAMERA_M - up_m) * scale)

    def bend(self, ahead_m: float) -> float:
        """How far to the right the road leads."""
        piece = bisect(AHEAD_M, ahead_m, 1, len(AHEAD_M) - 1) - 1
        return self.scene.bend_m[piece] + (ahead_m - AHEAD_M[piece]) * self.slopes[piece]

    def visible(self, side_m: float, ahead_m: float, half_width_m: float) -> float:
        """`side_m`, or as near to it as the picture allows: no bend carries out of it what a fact speaks of."""
        metres_per_px = ahead_m / self.focal
        left_m = -self.centre * metres_per_px - self.bend(ahead_m) + half_width_m
        right_m = left_m + self.width * metres_per_px - 2 * half_width_m
        return min(max(side_m, left_m), right_m)

    def box(
        self, side_m: float, up_m: float, ahead_m: float, wide_m: float, high_m: float, colour: Iterable[float]
    ) -> None:
        """A filled rectangle that faces the camera; `side_m`, `up_m`: the middle of its lower edge."""
        left, top = self.at(side_m - wide_m / 2, up_m + high_m, ahead_m)
        right, bottom = self.at(side_m + wide_m / 2, up_m, ahead_m)
        cv2.rectangle(self.picture, (left, top), (max(left, right), max(top, bottom)), _rgb(colour), -1)

    # -- the still parts -----------------------------------------------------------------------------------------------

    def _ground(self) -> None:
        look, scene = self.look, self.scene
        tint = look.integers(-18, 18, 3)
        sky = {"clear": (135, 180, 230), "rain": (140, 146, 155), "fog": (185, 188, 190)}[scene.weather] + tint
        grass = {"city street": (125, 122, 118), "country road": (92, 128, 70), "highway": (112, 128, 84)}[scene.road]
        self.picture[: int(self.horizon)] = _rgb(sky)
        self.picture[int(self.horizon) :] = _rgb(np.array(grass) + tint)

    def _surround(self, photograph: NDArray[np.uint8]) -> None:
        """A piece of it over the sky, its lowest rows over the grass; the weather sets how much of it there is."""
        look = np.random.default_rng([self.scene.look, BACKGROUND])
        share = {"clear": 0.85, "rain": 0.45, "fog": 0.25}[self.scene.weather]
        high, wide, _ = photograph.shape
        top, left = look.integers(high // 4), look.integers(wide // 3)
        piece = photograph[top:, left : left + wide * 2 // 3]
        if look.random() < 0.5:
            piece = piece[:, ::-1]
        tone = look.uniform(0.75, 1.15) * look.uniform(0.93, 1.07, 3)
        if self.scene.weather != "clear":
            piece = np.repeat(piece.mean(axis=2, keepdims=True), 3, axis=2)
        piece = np.clip(piece * tone, 0, 255).astype(np.uint8)
        horizon = int(self.horizon)
        for rows, shown, part in (
            (slice(0, horizon), piece, share),
            (slice(horizon, self.height), piece[: -high // 5 : -1], 0.5 * share),
        ):
            under = self.picture[rows]
            over = cv2.resize(shown, (self.width, len(under)), interpolation=cv2.INTER_CUBIC)
            self.picture[rows] = cv2.addWeighted(over, part, under, 1 - part, 0)

    def _road(self) -> None:
        look, scene = self.look, self.scene
        asphalt = np.full(3, look.integers(70, 112))
        edge = ROAD_HALF_WIDTH_M[scene.road]
        self._strip(-edge, edge, 2.0, FAR_M, asphalt)
        paint = np.full(3, look.integers(205, 245))
        for side_m in (-edge + 0.3, edge - 0.3):
            self._strip(side_m - 0.08, side_m + 0.08, 2.0, FAR_M, paint)
        for side_m in (-1.9, 1.9) if scene.road == "highway" else (-1.9,):
            begin = 12.0 - scene.travelled_m % 12.0
            for ahead_m in np.arange(begin - 12.0, 60.0, 12.0):
                if ahead_m + 5 > 2.5:
                    self._strip(side_m - 0.08, side_m + 0.08, max(2.5, ahead_m), ahead_m + 5, paint)

    def _strip(self, left_m: float, right_m: float, near_m: float, far_m: float, colour: Iterable[float]) -> None:
        ahead_m = (near_m, *AHEAD_M[bisect(AHEAD_M, near_m) : bisect_left(AHEAD_M, far_m)], far_m)
        left = [self.at(left_m, 0, each) for each in ahead_m]
        wide = [(right_m - left_m) * self.focal / each for each in ahead_m]
        right = [(round(column + more), row) for (column, row), more in zip(left, wide, strict=True)]
        corners = [*left, *reversed(right)]
        cv2.fillPoly(self.picture, [np.array(corners, np.int32)], _rgb(colour), cv2.LINE_AA)

    def _scenery(self) -> None:
        """Houses and trees, far ones first; more of them in a city."""
        scene, look = self.scene, self.look
        count = {"city street": 16, "country road": 9, "highway": 5}[scene.road]
        where = look.uniform(0, REPEAT_M, count)
        sides = look.choice([-1.0, 1.0], count) * look.uniform(2.0, 9.0, count)
        sizes, shades = look.uniform(0.7, 1.3, count), look.integers(-35, 35, (count, 3))
        houses = look.random(count) < {"city street": 0.75, "country road": 0.15, "highway": 0.05}[scene.road]
        ahead_m = 7.0 + (where - scene.travelled_m) % REPEAT_M
        edge = ROAD_HALF_WIDTH_M[scene.road]
        for i in np.argsort(-ahead_m):
            side_m = sides[i] + np.sign(sides[i]) * (edge + 1.0)
            if houses[i]:
                self.box(side_m, 0, ahead_m[i], 6 * sizes[i], 9 * sizes[i], np.array((150, 132, 120)) + shades[i])
                for floor_m in (1.5, 4.5):
                    self.box(side_m, floor_m, ahead_m[i], 3.2 * sizes[i], 1.2, np.array((90, 100, 115)) + shades[i])
            else:
                self.box(side_m, 0, ahead_m[i], 0.4, 2.5, (85, 62, 45))
                middle = self.at(side_m, 3.6 * sizes[i] + 1, ahead_m[i])
                radius = max(1, round(1.9 * sizes[i] * self.focal / ahead_m[i]))
                cv2.circle(self.picture, middle, radius, _rgb(np.array((58, 98, 52)) + shades[i]), -1, cv2.LINE_AA)

    # -- what matters --------------------------------------------------------------------------------------------------

    def _things(self) -> list[tuple[float, Callable[[], None]]]:
        scene = self.scene
        found: list[tuple[float, Callable[[], None]]] = [
            (scene.lead_gap_m if scene.lead else 0.0, self._lead),
            (scene.light_m, self._light),
            (scene.sign_m, self._sign),
            (scene.pedestrian_m, self._pedestrian),
        ]
        oncoming_m = (self.look.uniform(0, 200) - 2.1 * scene.travelled_m) % 200
        if 8 < oncoming_m < 70 and self.look.random() < 0.6:
            found.append((oncoming_m, lambda: self._oncoming(oncoming_m)))
        other_m = (self.look.uniform(0, 260) - scene.travelled_m) % 260
        if 9 < other_m < 22 and self.look.random() < 0.7:
            found.append((other_m, lambda: self._other_sign(other_m)))
        return found

    def _lead(self) -> None:
        scene, gap_m = self.scene, self.scene.lead_gap_m
        truck = scene.lead == "truck"
        wide_m, high_m = (2.5, 3.3) if truck else (1.85, 1.45)
        shade = np.random.default_rng([scene.look, round(wide_m * 10)])
        colour = shade.integers(40, 225, 3)
        self.box(0, 0.0, gap_m, wide_m * 0.98, 0.5, (22, 22, 24))
        self.box(0, 0.35, gap_m, wide_m, high_m - 0.35, colour)
        if truck:
            self.box(0, 0.8, gap_m, wide_m * 0.9, high_m - 1.0, colour + 25)
            left, right = self.at(0, 0.8, gap_m), self.at(0, high_m - 0.2, gap_m)
            cv2.line(self.picture, left, right, _rgb(colour - 30), max(1, self.height // 150))
        else:
            self.box(0, 0.85, gap_m, wide_m * 0.76, 0.45, (62, 78, 92))
        self.box(0, 0.45, gap_m, 0.5, 0.14, (225, 225, 215))

    def _light(self) -> None:
        scene = self.scene
        self.box(scene.light_side_m, 0 if abs(scene.light_side_m) > 2 else 4.9, scene.light_m, 0.12, 4.9, (72, 74, 78))
        self.box(scene.light_side_m, 3.1, scene.light_m, 0.75, 1.9, (18, 18, 20))

    def _sign(self) -> None:
        scene = self.scene
        side_m = self.visible(3.3, scene.sign_m, 0.8)
        self.box(side_m, 0, scene.sign_m, 0.1, 2.0, (120, 122, 125))
        middle = self.at(side_m, 2.15, scene.sign_m)
        radius = 0.72 * self.focal / scene.sign_m
        self._disc(middle, radius, (205, 25, 30))
        self._disc(middle, radius * 0.78, (248, 248, 246))
        scale = radius * (1.25 if len(scene.sign) < 3 else 0.88) / 22
        weight = max(1, round(radius / 8))
        (wide, high), _ = cv2.getTextSize(scene.sign, cv2.FONT_HERSHEY_SIMPLEX, scale, weight)
        corner = (round(middle[0] - wide / 2), round(middle[1] + high / 2))
        cv2.putText(
            self.picture, scene.sign, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, (12, 12, 14), weight, cv2.LINE_AA
        )

    def _pedestrian(self) -> None:
        scene = self.scene
        shade = np.random.default_rng([scene.look, round(abs(scene.pedestrian_side_m) * 1e6)])
        ahead_m = scene.pedestrian_m
        side_m = self.visible(scene.pedestrian_side_m, ahead_m, 0.4)
        stride_m = 0.16 * np.sin(scene.frame / 120)
        coat, legs = shade.integers(30, 235, 3), shade.integers(20, 110, 3)
        self.box(side_m - 0.13 - stride_m, 0, ahead_m, 0.17, 0.85, legs)
        self.box(side_m + 0.13 + stride_m, 0, ahead_m, 0.17, 0.85, legs)
        self.box(side_m, 0.8, ahead_m, 0.52, 0.68, coat)
        self._disc(self.at(side_m, 1.63, ahead_m), 0.15 * self.focal / ahead_m, (214, 168, 138))

    def _oncoming(self, ahead_m: float) -> None:
        side_m = -3.4 if self.scene.road != "highway" else -11.0
        self.box(side_m, 0.0, ahead_m, 1.8, 0.5, (22, 22, 24))
        self.box(side_m, 0.35, ahead_m, 1.85, 1.1, self.look.integers(40, 225, 3))
        self.box(side_m, 0.9, ahead_m, 1.4, 0.42, (70, 86, 100))
        for lamp_m in (-0.65, 0.65):
            self._disc(self.at(side_m + lamp_m, 0.6, ahead_m), 0.16 * self.focal / ahead_m, (255, 250, 225))

    def _other_sign(self, ahead_m: float) -> None:
        """A sign that is not about speed."""
        side_m = ROAD_HALF_WIDTH_M[self.scene.road] + 0.8
        self.box(side_m, 0, ahead_m, 0.1, 2.0, (120, 122, 125))
        colour = (25, 80, 170) if self.look.random() < 0.5 else (235, 190, 40)
        self.box(side_m, 1.7, ahead_m, 1.1, 0.9, colour)

    def _disc(self, middle: tuple[int, int], radius: float, colour: Iterable[float]) -> None:
        cv2.circle(self.picture, middle, max(1, round(radius)), _rgb(colour), -1, cv2.LINE_AA)

    # -- light and weather ---------------------------------------------------------------------------------------------

    def _air(self) -> None:
        scene = self.scene
        picture = self.picture.astype(np.float32)
        rows = np.arange(self.height, dtype=np.float32)[:, None, None]
        if scene.weather == "fog":
            near = np.clip(np.abs(rows - self.horizon) / (0.55 * self.height), 0, 1)
            veil = (0.72 + 0.08 * self.look.random()) * (1 - near) + 0.15
            picture = picture * (1 - veil) + np.float32(196) * veil
        if scene.night:
            columns = np.arange(self.width, dtype=np.float32)[None, :, None]
            depth = np.clip((rows - self.horizon) / (self.height - self.horizon), 0, 1)
            beam = np.exp(-(((columns - self.centre) / (self.width * (0.22 + 0.2 * depth))) ** 2)) * (
                0.25 + 0.5 * depth
            )
            picture = picture * (0.22 + 0.58 * beam * (rows > self.horizon - 0.16 * self.height))
            picture[..., 2] *= 1.12
        self.picture = np.clip(picture, 0, 255).astype(np.uint8)
        if scene.weather == "rain":
            self._rain()
        if scene.night and scene.sign:
            self._sign()
        if scene.night and scene.pedestrian_m:
            lit = self.picture.copy()
            self._pedestrian()
            self.picture = cv2.addWeighted(self.picture, 0.55, lit, 0.45, 0)

    def _rain(self) -> None:
        layer = self.picture.copy()
        count = 45
        starts = self.noise.integers(0, (self.width, self.height), (count, 2))
        length = max(3, self.height // 14)
        for x, y in starts:
            cv2.line(layer, (int(x), int(y)), (int(x) - length // 4, int(y) + length), (205, 212, 220), 1, cv2.LINE_AA)
        self.picture = cv2.addWeighted(layer, 0.5, cv2.convertScaleAbs(self.picture, alpha=0.86), 0.5, 0)

    def _lamps(self) -> None:
        """What shines by itself is not dimmed by night or fog."""
        scene = self.scene
        if scene.light:
            for lamp, up_m in (("red", 4.65), ("yellow", 4.05), ("green", 3.45)):
                middle, radius = self.at(scene.light_side_m, up_m, scene.light_m), 0.26 * self.focal / scene.light_m
                if lamp == scene.light:
                    self._glow(middle, radius, LAMPS[lamp])
        if scene.lead and (scene.lead_brakes or scene.night):
            wide_m = 2.5 if scene.lead == "truck" else 1.85
            radius = (0.3 if scene.lead_brakes else 0.11) * self.focal / scene.lead_gap_m
            colour = (255, 25, 20) if scene.lead_brakes else (185, 16, 16)
            for side_m in (-wide_m * 0.4, wide_m * 0.4):
                middle = self.at(side_m, 0.82, scene.lead_gap_m)
                if scene.lead_brakes:
                    self._glow(middle, radius, colour)
                else:
                    self._disc(middle, radius, colour)

    def _glow(self, middle: tuple[int, int], radius: float, colour: tuple[int, int, int]) -> None:
        halo = self.picture.copy()
        cv2.circle(halo, middle, max(2, round(radius * 1.7)), _rgb(colour), -1, cv2.LINE_AA)
        self.picture = cv2.addWeighted(halo, 0.35, self.picture, 0.65, 0)
        self._disc(middle, radius, colour)

    def _film(self) -> NDArray[np.uint8]:
        """The camera: focus, exposure, tone curve, colour balance and sensor noise, which differ between drives."""
        look = np.random.default_rng([self.scene.look, CAMERA])
        blur_px = look.uniform(0.0, 0.7) * self.height / 96
        if blur_px > 0.25:
            self.picture = cv2.GaussianBlur(self.picture, (0, 0), blur_px)
        gain = look.uniform(0.72, 1.25) * (1.0 + self.noise.normal(0, 0.02)) * look.uniform(0.92, 1.08, 3)
        levels = np.arange(256, dtype=np.float64)[:, None] / 255
        curve = np.clip(255 * (gain * levels) ** look.uniform(0.8, 1.25), 0, 255)
        developed = cv2.LUT(self.picture, np.ascontiguousarray(curve[None].astype(np.uint8)))
        grain = self.noise.normal(0, look.uniform(1.0, 7.0), (self.height, self.width, 1)).astype(np.float32)
        return np.clip(developed.astype(np.float32) + grain, 0, 255).astype(np.uint8)

    def _weathered(self) -> None:
        """Stains and shades over road, grass and sky: nothing real is of one colour."""
        look = np.random.default_rng([self.scene.look, STAINS])
        drift = int(self.scene.travelled_m) % 64
        coarse = np.roll(look.normal(0, look.uniform(2.0, 9.0), (64, 20, 1)), drift, axis=0)[:12]
        stains = cv2.resize(coarse.astype(np.float32), (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        self.picture = np.clip(self.picture.astype(np.float32) + stains[:, :, None], 0, 255).astype(np.uint8)


def _rgb(colour: Iterable[float]) -> tuple[int, ...]:
    return tuple(min(255, max(0, int(channel))) for channel in colour)
