"""One drive: roads, traffic and the vehicle's own motion over time, all from one integer seed.

Everything is a function of time, so that any instant can be asked for in any order. Knows nothing about pixels,
sentences or ROS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import nan

import numpy as np
from numpy.typing import NDArray

from mm_edge.model.observation import Observation, VehicleState
from mm_edge.world.course import Course, bends
from mm_edge.world.photographs import photograph
from mm_edge.world.render import AHEAD_M, Scene, render
from mm_edge.world.sound import sound

STEP_S = 0.1
"""Resolution of the tracks of speed and gap."""
CLOSE_M, MEDIUM_M = 15.0, 32.0
"""Up to CLOSE_M a lead vehicle is close, up to MEDIUM_M medium, beyond far."""
STANDING_MPS = 1.0
OVER_LIMIT_KMH = 4.0
"""Faster than the limit by this much is too fast; the drives keep clear of the grey zone below."""
SPEEDS_KMH = {"city street": (30, 50), "country road": (70, 80), "highway": (100, 120)}
SIGNS = {"city street": (30, 50, 70), "country road": (50, 70, 80, 100), "highway": (80, 100, 120)}
MOTIONS = {"steady": (-0.01, 0.01), "closing": (-0.22, -0.12), "opening": (0.12, 0.22), "braking hard": (-0.45, -0.3)}
"""Relative rate of change of the gap, per second, by what the lead vehicle does."""
GAP_M = (7.5, 60.0)
MOTION_LAG_S = 0.5
"""What the lead vehicle does counts from this long after it began: a change is seen only after a moment."""
PATH_STEPS, PATH_SPACING_S = 8, 0.5
WHEELBASE_M = 2.8
YAW_RATE_NOISE_RPS, STEERING_NOISE_RAD = 0.003, 0.0015
HEARD, COURSE, MOVED = 2, 3, 4
"""Streams of random numbers of their own."""


@dataclass(frozen=True)
class Interval:
    """Something that lasts from `start_s` to `end_s`. `value` says what, `side` where, in metres."""

    start_s: float
    end_s: float
    value: str
    side_m: float = 0.0

    def share(self, t_s: float) -> float:
        """How much of it has passed, 0 to 1."""
        return (t_s - self.start_s) / (self.end_s - self.start_s)


class Drive:
    """A drive of `duration_s` seconds. Raises ValueError for a negative seed or a duration that is not positive."""

    def __init__(self, seed: int, duration_s: float = 60.0) -> None:
        if seed < 0 or not duration_s > 0:
            raise ValueError(f"a drive needs a seed >= 0 and a duration > 0, got {seed} and {duration_s}")
        self.seed = seed
        self.duration_s = duration_s
        rng = np.random.default_rng([seed, 1])
        self.road = str(rng.choice(["city street", "country road", "highway"]))
        self.weather = str(rng.choice(["clear", "rain", "fog"], p=[0.5, 0.27, 0.23]))
        self.daylight = str(rng.choice(["day", "night"], p=[0.62, 0.38]))
        self._reports_limit = bool(rng.random() < 0.3)
        self._limit_kmh = int(rng.choice(SPEEDS_KMH[self.road]))
        self._has_microphone = bool(rng.random() < 0.85)
        self._unknown = {name for name in ("speed_mps", "energy_percent", "range_m", "gear") if rng.random() < 0.1}
        self._energy_percent, self._km_per_percent = rng.uniform(6, 100), rng.uniform(1.5, 5.0)
        self._signs = _intervals(rng, duration_s, (1.5, 3.0), (3, 9), [str(v) for v in SIGNS[self.road]])
        self._lights = _light_phases(rng, duration_s) if self.road != "highway" else []
        self._pedestrians = _pedestrians(rng, duration_s, self.road)
        self._sirens = _intervals(rng, duration_s, (4, 8), (10, 25), ["siren"])
        self._blackouts = _intervals(rng, duration_s, (2, 4), (25, 60), ["camera"])
        self._indicators = _intervals(rng, duration_s, (2, 5), (4, 12), ["left", "right", "both"], [0.44, 0.44, 0.12])
        self._leads, self._motions, self._gap_m = _lead(rng, duration_s)
        self._speed_kmh = _speed(rng, duration_s, self._limit_kmh, bool(rng.random() < 0.12))
        self._gear_still = int(rng.choice([1, 3, 4]))
        self._look = int(rng.integers(2**31))
        rng = np.random.default_rng([seed, COURSE])
        self._unknown |= {name for name in ("yaw_rate_rps", "steering_angle_rad") if rng.random() < 0.1}
        end_m = self._travelled_m(duration_s + PATH_STEPS * PATH_SPACING_S) + AHEAD_M[-1]
        self._course = Course(bends(rng, self.road, end_m, max(self._speed_kmh) / 3.6))
        self._states: dict[float, VehicleState] = {}
        self._truths: dict[float, dict[str, str]] = {}

    # -- what is true --------------------------------------------------------------------------------------------------

    def truth(self, t_s: float) -> dict[str, str]:
        """The value of every fact of schema.SCENE_FACTS at `t_s`, whether or not a sensor shows it."""
        if t_s not in self._truths:
            self._truths[t_s] = self._truth(t_s)
        return self._truths[t_s]

    def _truth(self, t_s: float) -> dict[str, str]:
        lead, sign = _at(self._leads, t_s), _at(self._signs, t_s)
        limit = sign.value if sign else str(self._limit_kmh) if self._reports_limit else "none"
        gap_m = self.gap_m(t_s)
        distance = "close" if gap_m <= CLOSE_M else "medium" if gap_m <= MEDIUM_M else "far"
        return {
            "road": self.road,
            "weather": self.weather,
            "daylight": self.daylight,
            "light": _value(self._lights, t_s),
            "limit": limit,
            "lead": lead.value if lead else "none",
            "lead_distance": distance if lead else "none",
            "lead_motion": self._lead_motion(t_s),
            "pedestrian": _value(self._pedestrians, t_s),
            "siren": _value(self._sirens, t_s),
        }

    def alert(self, t_s: float) -> str:
        """The most urgent thing to report unasked at `t_s`, one of schema.ALERTS, as far as the sensors show it."""
        facts, state = self.truth(t_s), self.state(t_s)
        sees, moving = self.sees(t_s), state.speed_mps > STANDING_MPS
        if sees and facts["lead_motion"] == "braking hard" and facts["lead_distance"] != "far":
            return "lead_braking"
        if sees and facts["pedestrian"] == "ahead":
            return "pedestrian"
        if sees and facts["light"] == "red" and moving:
            return "red_light"
        if self.over_limit(t_s) == "yes":
            return "over_limit"
        return "siren" if self.hears(t_s) and facts["siren"] == "siren" else "none"

    def over_limit(self, t_s: float) -> str:
        """Whether the vehicle is too fast by what it senses: "yes", "no", or "unknown"."""
        limit, speed_mps = self.sensed_limit(t_s), self.state(t_s).speed_mps
        if limit == "none" or np.isnan(speed_mps):
            return "unknown"
        return "yes" if speed_mps * 3.6 > int(limit) + OVER_LIMIT_KMH else "no"

    def sensed_limit(self, t_s: float) -> str:
        """The limit that a sign in view or else the vehicle tells, "none" when neither does."""
        if self.sees(t_s):
            return self.truth(t_s)["limit"]
        return str(self._limit_kmh) if self._reports_limit else "none"

    def sees(self, t_s: float) -> bool:
        return _at(self._blackouts, t_s) is None

    def hears(self, t_s: float) -> bool:
        return self._has_microphone

    def gap_m(self, t_s: float) -> float:
        return float(self._gap_m[self._index(t_s)])

    def path(self, t_s: float) -> NDArray[np.float32]:
        """Where the vehicle will be: float32 [PATH_STEPS, 2], PATH_SPACING_S apart.

        Metres forward and left of where it is at `t_s` (REP-103). After the drive's end it holds its last speed.
        """
        here_m = self._travelled_m(t_s)
        later_s = t_s + PATH_SPACING_S * np.arange(1, PATH_STEPS + 1)
        ahead_m = np.array([self._travelled_m(later) for later in later_s]) - here_m
        return self._course.ahead(here_m, ahead_m).astype(np.float32)

    # -- what is sensed ------------------------------------------------------------------------------------------------

    def observation(self, t_s: float, height: int = 96) -> Observation:
        """What the sensors show at `t_s`. The picture is [height, height * 5 / 3, 3]."""
        return Observation(round(t_s * 1e9), self.image(t_s, height), self.state(t_s), self.audio(t_s))

    def image(self, t_s: float, height: int = 96) -> NDArray[np.uint8] | None:
        """What the camera shows at `t_s`: RGB, [height, height * 5 / 3, 3]; None while it is lost."""
        return render(self.scene(t_s), height, photograph(self._look)) if self.sees(t_s) else None

    def audio(self, t_s: float) -> NDArray[np.float32] | None:
        """The second of sound up to `t_s`, mono at AUDIO_RATE_HZ; None without a microphone."""
        return sound(self._rng(t_s, HEARD), t_s, self._speed_at(t_s), self._siren_at(t_s)) if self.hears(t_s) else None

    def state(self, t_s: float) -> VehicleState:
        """The vehicle's signals at `t_s`; unknown ones are NaN. The angle is that of a bicycle of WHEELBASE_M."""
        if t_s not in self._states:
            self._states[t_s] = self._state(t_s)
        return self._states[t_s]

    def _state(self, t_s: float) -> VehicleState:
        index = self._index(t_s)
        speed_mps = self._speed_kmh[index] / 3.6
        ahead = self._speed_kmh[min(index + 1, len(self._speed_kmh) - 1)] / 3.6
        acceleration = (ahead - speed_mps) / STEP_S
        indicator = _at(self._indicators, t_s)
        travelled_m = self._travelled_m(t_s)
        energy = max(0.0, self._energy_percent - travelled_m / 1e3 / self._km_per_percent)
        curvature = self._course.curvature(travelled_m)
        noise = self._rng(t_s, MOVED).normal(0, (YAW_RATE_NOISE_RPS, STEERING_NOISE_RAD))
        values = {
            "speed_mps": float(speed_mps),
            "acceleration_mps2": float(acceleration),
            "yaw_rate_rps": float(speed_mps * curvature + noise[0]),
            "steering_angle_rad": float(np.arctan(WHEELBASE_M * curvature) + noise[1]),
            "throttle": float(_within(acceleration / 4, 0, 1)),
            "brake": float(_within(-acceleration / 8, 0, 1)),
            "energy_percent": float(energy),
            "range_m": float(energy * self._km_per_percent * 1e3),
            "speed_limit_mps": self._limit_kmh / 3.6 if self._reports_limit else nan,
            "gear": self._gear_still if speed_mps < STANDING_MPS else 4,
        }
        values.update({name: 0 if name == "gear" else nan for name in self._unknown})
        side = indicator.value if indicator else ""
        return VehicleState(
            **values,  # type: ignore[arg-type]
            left_indicator=side in ("left", "both"),
            right_indicator=side in ("right", "both"),
        )

    def scene(self, t_s: float) -> Scene:
        """What there is to draw at `t_s`."""
        lead, travelled_m = _at(self._leads, t_s), self._travelled_m(t_s)
        gap_m = self.gap_m(t_s) if lead else GAP_M[1]
        light, sign, person = _at(self._lights, t_s), _at(self._signs, t_s), _at(self._pedestrians, t_s)
        return Scene(
            road=self.road,
            weather=self.weather,
            night=self.daylight == "night",
            travelled_m=travelled_m,
            bend_m=tuple((-self._course.ahead(travelled_m, np.array(AHEAD_M))[:, 1]).tolist()),
            lead=lead.value if lead else "",
            lead_gap_m=gap_m,
            lead_brakes=self._lead_motion(t_s) == "braking hard",
            light=light.value if light else "",
            light_m=30.0 - 13.0 * light.share(t_s) if light else 0.0,
            light_side_m=light.side_m if light else 0.0,
            sign=sign.value if sign else "",
            sign_m=14.0 - 5.0 * sign.share(t_s) if sign else 0.0,
            pedestrian_m=min(14.0 - 6.0 * person.share(t_s), gap_m - 1.0) if person else 0.0,
            pedestrian_side_m=person.side_m if person else 0.0,
            look=self._look,
            frame=round(t_s * 1e3),
        )

    # -- inside --------------------------------------------------------------------------------------------------------

    @cached_property
    def _distance_m(self) -> np.ndarray:
        return np.append(0.0, np.cumsum(self._speed_kmh / 3.6)[:-1]) * STEP_S

    def _travelled_m(self, t_s: float) -> float:
        index = self._index(t_s)
        return float(self._distance_m[index] + (t_s - index * STEP_S) * self._speed_kmh[index] / 3.6)

    def _lead_motion(self, t_s: float) -> str:
        lead = _at(self._leads, t_s)
        return _value(self._motions, max(lead.start_s, t_s - MOTION_LAG_S)) if lead else "none"

    def _speed_at(self, t_s: float) -> float:
        return float(self._speed_kmh[self._index(t_s)]) / 3.6

    def _siren_at(self, t_s: float) -> float:
        siren = _at(self._sirens, t_s)
        return 0.0 if siren is None else siren.side_m

    def _index(self, t_s: float) -> int:
        return int(_within(t_s / STEP_S, 0, len(self._gap_m) - 1))

    def _rng(self, t_s: float, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, max(0, round(t_s * 1e3))])


def _at(intervals: list[Interval], t_s: float) -> Interval | None:
    return next((interval for interval in intervals if interval.start_s <= t_s < interval.end_s), None)


def _within(value: float, low: float, high: float) -> float:
    """numpy's takes twenty times as long for a single number."""
    return min(max(value, low), high)


def _value(intervals: list[Interval], t_s: float) -> str:
    interval = _at(intervals, t_s)
    return interval.value if interval else "none"


def _intervals(
    rng: np.random.Generator,
    duration_s: float,
    lasts_s: tuple[float, float],
    pause_s: tuple[float, float],
    values: list[str],
    chances: list[float] | None = None,
) -> list[Interval]:
    """Intervals with pauses between them; the drive may begin inside one. `side_m` is a share in (0, 1)."""
    found, t_s = [], rng.uniform(-lasts_s[1], pause_s[1])
    while t_s < duration_s:
        end_s = t_s + rng.uniform(*lasts_s)
        found.append(Interval(t_s, end_s, str(rng.choice(values, p=chances)), rng.uniform(0.3, 1.0)))
        t_s = end_s + rng.uniform(*pause_s)
    return found


def _light_phases(rng: np.random.Generator, duration_s: float) -> list[Interval]:
    """Traffic lights that are passed one after another; some change colour while they are in view."""
    phases = []
    for seen in _intervals(rng, duration_s, (3, 6), (3, 10), ["red", "yellow", "green"], [0.45, 0.2, 0.35]):
        side_m = float(rng.choice([0.0, 3.2, -3.2])) + rng.uniform(-0.5, 0.5)
        following = {"green": "yellow", "yellow": "red", "red": "green"}[seen.value]
        middle_s = rng.uniform(seen.start_s + 1, seen.end_s - 1) if rng.random() < 0.4 else seen.end_s
        phases.append(Interval(seen.start_s, middle_s, seen.value, side_m))
        if middle_s < seen.end_s:
            phases.append(Interval(middle_s, seen.end_s, following, side_m))
    return phases


def _pedestrians(rng: np.random.Generator, duration_s: float, road: str) -> list[Interval]:
    pause_s = {"city street": (3, 9), "country road": (6, 16), "highway": (15, 40)}[road]
    sides = {"left": (-4.2, -2.6), "right": (2.6, 4.2), "ahead": (-0.9, 0.9)}
    seen = _intervals(rng, duration_s, (2, 4), pause_s, list(sides))
    return [Interval(i.start_s, i.end_s, i.value, rng.uniform(*sides[i.value])) for i in seen]


def _lead(rng: np.random.Generator, duration_s: float) -> tuple[list[Interval], list[Interval], np.ndarray]:
    """Lead vehicles, what they do, and the gap in metres on the grid of STEP_S."""
    leads = _intervals(rng, duration_s, (6, 18), (2, 8), ["car", "truck"])
    motions: list[Interval] = []
    gap_m = np.full(int(duration_s / STEP_S) + 2, GAP_M[1])
    for lead in leads:
        t_s, gap = lead.start_s, float(np.exp(rng.uniform(np.log(9), np.log(55))))
        while t_s < lead.end_s:
            motion = _next_motion(rng, gap)
            rate = rng.uniform(*MOTIONS[motion])
            end_s = min(lead.end_s, t_s + (rng.uniform(1.5, 2.5) if motion == "braking hard" else rng.uniform(2.5, 5)))
            motions.append(Interval(t_s, end_s, motion))
            for index in range(max(0, int(t_s / STEP_S)), min(len(gap_m), int(end_s / STEP_S) + 1)):
                gap_m[index] = _within(gap * np.exp(rate * (index * STEP_S - t_s)), *GAP_M)
            gap, t_s = float(_within(gap * np.exp(rate * (end_s - t_s)), *GAP_M)), end_s
    return leads, motions, gap_m


def _next_motion(rng: np.random.Generator, gap_m: float) -> str:
    if gap_m < 10:
        return str(rng.choice(["steady", "opening"], p=[0.3, 0.7]))
    if gap_m > 42:
        return str(rng.choice(["steady", "closing", "braking hard"], p=[0.4, 0.4, 0.2]))
    return str(rng.choice(list(MOTIONS), p=[0.35, 0.22, 0.21, 0.22]))


def _speed(rng: np.random.Generator, duration_s: float, limit_kmh: int, parked: bool) -> np.ndarray:
    """Speed in km/h on the grid of STEP_S: it follows targets that are clearly below, or clearly above, the limit."""
    count = int(duration_s / STEP_S) + 2
    if parked:
        return np.zeros(count)
    targets, t_s = np.zeros(count), 0.0
    while t_s < duration_s + STEP_S:
        end_s = t_s + rng.uniform(4, 10)
        mood = rng.random()
        share = rng.uniform(0.65, 0.96) if mood < 0.62 else rng.uniform(1.2, 1.45) if mood < 0.87 else 0.0
        targets[int(t_s / STEP_S) : int(end_s / STEP_S) + 1] = share * limit_kmh
        t_s = end_s
    speed = np.empty(count)
    speed[0] = targets[0]
    for index in range(1, count):
        change = _within((targets[index] - speed[index - 1]) * 0.4, -22, 13) * STEP_S * 2
        speed[index] = max(0.0, speed[index - 1] + change)
    speed[(speed < STANDING_MPS * 3.6) & (targets == 0)] = 0.0
    return speed
