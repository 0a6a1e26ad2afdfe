"""How long what is planned will take on this machine as it is now: learnt from what things took.

A stage ("encode", "find", "pass:quality", ...) has a sample of its last durations, freed of the load under which
they were taken. The load is one factor for all stages, since they slow down together: it is what recent durations were
relative to the usual ones. How far off predictions were, relative to themselves, gives the quantiles of the next one;
no distribution is assumed. As what comes may vary more than what came, the 99th percentile is tracked besides: it grows
with every duration beyond it, and shrinks a hundredth as much with every other (Angelopoulos et al. 2023, "Conformal
PID control for time series prediction", section 2.1). What is known of the machine (ComputeState) comes before
durations can show it: a lower clock makes everything slower by as much. Durations are passed in, and all is in
milliseconds. Knows nothing about clocks or plans.
"""

from __future__ import annotations

import json
import platform
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import exp, inf, isfinite
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from mm_edge.compute.device import BUSY, ComputeState, device_name, power_mode

SAMPLE = 64
"""Durations that a stage remembers."""
RATIOS = 300
"""Errors that are remembered of a kind of prediction: enough for three beyond the 99th percentile."""
ENOUGH = 50
"""With fewer errors of its own, a kind of prediction takes those of its family: of the same beginning up to ":"."""
FIRST_RATIO = 1.2
"""Before anything was predicted, so much longer than predicted counts as possible."""
LOAD_WINDOW, FAST_WINDOW = 16, 3
"""Durations whose median is the load that the sample is freed of, and the one that is believed at once."""
FORGETTING = 0.1
"""Weight of one duration by which the machine seems to be faster again."""
BEYOND, TRACKING = 0.01, 0.03
"""Share of the durations that may be beyond a 99th percentile, and by how much it grows with each, as a logarithm."""
FARTHEST = 0.5
"""The most that is tracked, either way."""
SHORTEST_MS = 1e-3
"""Durations count as this at least: a clock may stand still during a turn."""
STRAINED = 0.9
"""Above this load of the processor, others wait for it too: the longest that was ever seen may come again."""
LOWEST_RATIO = 0.01
"""No processor that works is clocked lower than this share of its maximum."""
COARSEST_MS = 20.0
"""A clock's tick is no longer than this."""
FORMAT = 3

Counts = Mapping[str, float]
"""Stages -> how often each is gone through."""


class ProfileError(Exception):
    """The profile cannot be read, or belongs to another machine, engine or model."""


@dataclass(frozen=True)
class Identity:
    """What durations depend on. engine: its name, with the precision; power_mode: as in ComputeState, of a Jetson."""

    machine: str
    cores: int
    threads: int
    engine: str
    weights_sha256: str
    power_mode: str = ""


def this_machine(engine: str, threads: int, weights_sha256: str) -> Identity:
    name, cores = device_name() or platform.machine(), psutil.cpu_count() or 1
    return Identity(name, cores, threads, engine, weights_sha256, power_mode())


@dataclass(frozen=True)
class Prediction:
    """kind: with whose errors its own is booked; usual_ms: without the error of such predictions; p99_ms: on a strained
    machine the longest that was seen."""

    kind: str
    usual_ms: float
    p50_ms: float
    p99_ms: float


class LatencyModel:
    """Stages never seen take as long as what is longest of those with the same beginning up to ":", else no time."""

    def __init__(self) -> None:
        self._stages: dict[str, deque[float]] = {}
        self._usual: dict[str, float] = {}
        self._recent: deque[float] = deque(maxlen=LOAD_WINDOW)
        self._ratios: dict[str, deque[float]] = {}
        self._families: dict[str, deque[float]] = {}
        self._quantiles: dict[str, tuple[float, float]] = {}
        self._tracked: dict[str, float] = {}
        """Family -> logarithm of the factor on its 99th percentiles."""
        self.load = 1.0
        """How many times longer than usual everything takes now."""
        self._slowdown = 1.0
        self._best_ratios: dict[str, float] = {}
        """The highest clocks so far, under which durations are usual ones."""
        self._mode = ""
        self._modes: dict[str, tuple[float, float, list[float]]] = {}
        """Power mode -> load, slowdown and recent durations when it was left."""
        self._strained = False
        self._tick_ms = inf

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that were seen."""
        return tuple(self._stages)

    @property
    def slowdown(self) -> float:
        """How many times longer everything takes because the machine is throttled, as far as is known; 1: it is not."""
        return min(self._slowdown, max(1.0, self.load))

    def machine(self, state: ComputeState | None) -> None:
        """Expect what the machine's state does to durations before they show it; None: it is not known, they tell.

        A power mode that was there before gets back the load that it had.
        """
        strained = state is not None and (state.throttled or state.cpu_load > STRAINED)
        if strained != self._strained:
            self._strained = strained
            self._quantiles.clear()
        if state is None:
            return
        if state.power_mode != self._mode:
            self._change_mode(state.power_mode)
        slowdown = self._clocks(state)
        if slowdown is not None and slowdown != self._slowdown:
            self._rescale(slowdown / self._slowdown)
            self._slowdown = slowdown

    def observe(self, stage: str, ms: float) -> None:
        """Book one duration. Raises ValueError for what is no duration."""
        if not (isfinite(ms) and ms >= 0):
            raise ValueError(f"{stage} cannot have taken {ms} ms")
        ms = self._counted(ms)
        usual = self._usual.get(stage)
        slow = median(self._recent) if self._recent else 1.0  # without this one: nothing is its own measure
        if usual is not None:
            self._recent.append(ms / usual)
            self._follow()
        sample = self._stages.setdefault(stage, deque(maxlen=SAMPLE))
        sample.append(ms / slow)
        self._usual[stage] = median(sample)

    def predict(self, counts: Counts, kind: str) -> Prediction:
        """Of these stages in a row."""
        usual_ms = self.load * sum(times * self._usual_ms(stage) for stage, times in counts.items())
        middle, high = self._errors(kind)
        tracked = self._tracked.get(_beginning(kind), 0.0)
        high *= exp(max(0.0, tracked) if self._strained else tracked)
        return Prediction(kind, usual_ms, usual_ms * middle, usual_ms * max(middle, high))

    def settle(self, prediction: Prediction, ms: float) -> None:
        """Book what a predicted duration turned out to be; nothing is learnt from one that was predicted blindly."""
        if not (isfinite(ms) and ms >= 0):
            raise ValueError(f"{prediction.kind} cannot have taken {ms} ms")
        if prediction.usual_ms <= 0:
            return
        ratio = self._counted(ms) / prediction.usual_ms
        self._track(_beginning(prediction.kind), ms > prediction.p99_ms)
        self._ratios.setdefault(prediction.kind, deque(maxlen=RATIOS)).append(ratio)
        self._family(prediction.kind).append(ratio)
        self._quantiles.clear()

    # -- kept on disk -------------------------------------------------------------------------------------------------

    def save(self, path: Path, identity: Identity) -> None:
        """Write `path` in one go. Raises OSError."""
        document = {
            "format": FORMAT,
            "identity": asdict(identity),
            "stages_ms": {stage: _rounded(sample) for stage, sample in self._stages.items()},
            "ratios": {kind: _rounded(ratios) for kind, ratios in self._ratios.items()},
            "families": {family: _rounded(ratios) for family, ratios in self._families.items()},
            "tracked": self._tracked,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(document) + "\n")
        part.replace(path)

    @classmethod
    def load_profile(cls, path: Path, identity: Identity) -> LatencyModel:
        """Raises ProfileError when there is none, it is damaged, or it is not one of `identity`."""
        try:
            document = json.loads(path.read_text())
            known = {"power_mode": "", **document["identity"]}
            model = cls()
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}, expected {FORMAT}")
            model._stages = {name: _sample(values, SAMPLE) for name, values in document["stages_ms"].items()}
            model._ratios = {name: _sample(values, RATIOS) for name, values in document["ratios"].items()}
            model._families = {name: _sample(values, RATIOS) for name, values in document["families"].items()}
            model._tracked = {name: _between(float(value)) for name, value in document["tracked"].items()}
            model._usual = {name: median(sample) for name, sample in model._stages.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProfileError(f"{path}: {error}") from error
        other = [name for name, value in asdict(identity).items() if known.get(name) != value]
        if other:
            raise ProfileError(f"{path} is a profile of another {', '.join(other)}")
        return model

    # -- inside -------------------------------------------------------------------------------------------------------

    def _counted(self, ms: float) -> float:
        """A duration by a clock of coarse ticks: one of none took between none and one."""
        if 0 < ms <= COARSEST_MS:
            self._tick_ms = min(self._tick_ms, ms)
        return max(SHORTEST_MS, ms if ms > 0 or self._tick_ms == inf else self._tick_ms / 2)

    def _clocks(self, state: ComputeState) -> float | None:
        """How many times slower the clocks are than the highest ones so far; None when that cannot be told: what is
        idle lowers its clock by itself."""
        known = {"cpu": (state.clock_ratio, state.cpu_load), "gpu": (state.gpu_clock_ratio, state.gpu_load)}
        ratios = {
            name: ratio
            for name, (ratio, load) in known.items()
            if LOWEST_RATIO <= ratio <= 1 and (state.throttled or load > BUSY)
        }
        for name, ratio in ratios.items():
            best = self._best_ratios.get(name, 1.0 if state.throttled else ratio)
            self._best_ratios[name] = max(best, ratio)
        return max((self._best_ratios[name] / ratio for name, ratio in ratios.items()), default=None)

    def _rescale(self, factor: float) -> None:
        """What turns out not to be slower must not seem fast when it is over."""
        load = max(self.load * factor, min(self.load, 1.0))
        factor, self.load = load / self.load, load
        self._recent = deque((ratio * factor for ratio in self._recent), maxlen=LOAD_WINDOW)

    def _change_mode(self, mode: str) -> None:
        self._modes[self._mode] = (self.load, self._slowdown, [*self._recent])
        self._mode = mode
        if mode in self._modes:
            self.load, self._slowdown, recent = self._modes[mode]
            self._recent = deque(recent, maxlen=LOAD_WINDOW)

    def _follow(self) -> None:
        """A slower machine is believed when two of the last three durations say so, a faster one only gradually."""
        now = median([*self._recent][-FAST_WINDOW:])
        faster = now < self.load
        self.load = self.load + FORGETTING * (now - self.load) if faster else now

    def _track(self, family: str, beyond: bool) -> None:
        self._tracked[family] = _between(self._tracked.get(family, 0.0) + TRACKING * (beyond - BEYOND))

    def _usual_ms(self, stage: str) -> float:
        known = self._usual.get(stage)
        if known is not None:
            return known
        return max((ms for name, ms in self._usual.items() if _beginning(name) == _beginning(stage)), default=0.0)

    def _family(self, kind: str) -> deque[float]:
        return self._families.setdefault(_beginning(kind), deque([FIRST_RATIO], maxlen=RATIOS))

    def _errors(self, kind: str) -> tuple[float, float]:
        found = self._quantiles.get(kind)
        if found is None:
            own = self._ratios.get(kind, ())
            ratios = sorted(own if len(own) >= ENOUGH else self._family(kind))
            found = self._quantiles[kind] = quantile(ratios, 0.5), quantile(ratios, 1.0 if self._strained else 0.99)
        return found


def _beginning(name: str) -> str:
    return name.partition(":")[0]


def _between(tracked: float) -> float:
    if not isfinite(tracked):
        raise ValueError("what was tracked is no number")
    return min(FARTHEST, max(-FARTHEST, tracked))


def quantile(ordered: list[float], share: float) -> float:
    """Between the two nearest of sorted values."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _rounded(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def _sample(values: Any, most: int) -> deque[float]:
    numbers = [float(value) for value in values]
    if not numbers or not all(isfinite(value) and value > 0 for value in numbers):
        raise ValueError("a sample has no durations, or such as cannot be")
    return deque(numbers, maxlen=most)
