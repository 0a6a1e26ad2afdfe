"""What computer this is and how it fares: load, memory, heat, power, clock. NaN for what cannot be measured here.

What jetson-stats or NVML tell comes first (sources.py), then Linux' sysfs files, with those of a Jetson (L4T 35 and 36:
integrated GPU load, INA3221 power rails, nvpmodel's status), then psutil. Knows nothing about ROS.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from typing import Any

import psutil

from mm_edge.compute.sources import Figures, Source, hottest

THROTTLE_RATIO = 0.6
"""A busy processor clocked below this share of its maximum is being held back."""
BUSY = 0.5
GPU_LOADS = (
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
)
THERMAL_ZONES = "sys/class/thermal/thermal_zone*/temp"
THROTTLINGS = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count"
POWER_MODE = "var/lib/nvpmodel/status"
TOTAL_RAILS = ("VDD_IN", "POM_5V_IN", "VIN_SYS_5V0")
"""Jetson's rails that carry the whole board's power."""


@dataclass(frozen=True)
class ComputeState:
    """The fields are those of msg/ComputeState.msg; shares are in [0, 1]."""

    stamp_ns: int
    device: str
    cpu_load: float = nan
    gpu_load: float = nan
    memory_used: float = nan
    temperature_c: float = nan
    power_w: float = nan
    clock_ratio: float = nan
    gpu_clock_ratio: float = nan
    power_mode: str = ""
    throttled: bool = False
    frame_id: str = ""


class Device:
    """Reads this computer. `root` is "/" but in tests; the load is that since the last reading; `sources` are trusted
    more than its files, the first one most, `fallback` less. A source that fails is left out from then on."""

    def __init__(
        self,
        root: Path = Path("/"),
        cpu_percent: Callable[[], float] | None = None,
        sources: Sequence[Source] = (),
        fallback: Source | None = None,
    ) -> None:
        self._root = root
        self._cpu_percent = cpu_percent or psutil.cpu_percent
        self._cpu_percent()
        self.name = device_name(root)
        self.sources = [*sources]
        self._fallback = [fallback] if fallback else []
        self._throttlings = self._count_throttlings()

    def read(self, stamp_ns: int) -> ComputeState:
        figures: Figures = {}
        throttled = self._was_throttled()
        for told in (*_told(self.sources), self._own(), *_told(self._fallback)):
            throttled |= bool(told.pop("throttled", False))
            figures = {name: value for name, value in told.items() if _known(value)} | figures
        slow = figures.get("clock_ratio", 1.0) < THROTTLE_RATIO and figures.get("cpu_load", 0.0) > BUSY
        return ComputeState(stamp_ns=stamp_ns, device=self.name, throttled=throttled or slow, **figures)

    def close(self) -> None:
        """Let go of the sources."""
        for source in self.sources:
            with suppress(Exception):
                source.close()
        self.sources = []

    def _own(self) -> Figures:
        return {
            "cpu_load": self._cpu_percent() / 100,
            "gpu_load": self._first(GPU_LOADS) / 1000,
            "memory_used": psutil.virtual_memory().percent / 100,
            "temperature_c": hottest(number(zone) / 1000 for zone in self._root.glob(THERMAL_ZONES)),
            "power_w": self._power_w(),
            "clock_ratio": self._clock_ratio(),
            "power_mode": power_mode(self._root),
        }

    def _was_throttled(self) -> bool:
        """Whether the processor slowed itself down since the last reading (Intel counts that)."""
        before, self._throttlings = self._throttlings, self._count_throttlings()
        return self._throttlings > before

    def _count_throttlings(self) -> float:
        return sum(count for count in map(number, self._root.glob(THROTTLINGS)) if not isnan(count))

    def _clock_ratio(self) -> float:
        ratios = []
        for folder in self._root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq"):
            now, most = number(folder / "scaling_cur_freq"), number(folder / "cpuinfo_max_freq")
            if most > 0 and not isnan(now):
                ratios.append(min(1.0, now / most))
        return max(ratios, default=nan)

    def _power_w(self) -> float:
        """Volts times amperes of the rail that feeds the board."""
        for label in self._root.glob("sys/class/hwmon/hwmon*/in[0-9]*_label"):
            if text(label) in TOTAL_RAILS:
                channel = label.name.removeprefix("in").removesuffix("_label")
                millivolts = number(label.with_name(f"in{channel}_input"))
                return millivolts * number(label.with_name(f"curr{channel}_input")) / 1e6
        return nan

    def _first(self, places: tuple[str, ...]) -> float:
        return next((value for value in (number(self._root / p) for p in places) if not isnan(value)), nan)


def device_name(root: Path = Path("/")) -> str:
    """A board's own name (e.g. of a Jetson), else the processor's."""
    board = text(root / "proc/device-tree/model")
    if board:
        return board
    for line in text(root / "proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def power_mode(root: Path = Path("/")) -> str:
    """Jetson's power mode by its name, e.g. "MAXN", or "mode 3" when it has none; "" elsewhere or when unknown."""
    current = re.match(r"pmode:(\d+)\b", text(root / POWER_MODE), re.ASCII)
    return power_modes(root).get(int(current[1]), f"mode {int(current[1])}") if current else ""


def power_modes(root: Path = Path("/")) -> dict[int, str]:
    """The names of a Jetson's power modes, by number."""
    found = re.findall(r"POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)", text(root / "etc/nvpmodel.conf"), re.ASCII)
    return {int(number_of_mode): name.rstrip(">") for number_of_mode, name in found}


def _told(sources: list[Source]) -> list[Figures]:
    """What the sources tell; one that fails is taken out."""
    told = []
    for source in [*sources]:
        try:
            told.append(source.read())
        except Exception:
            sources.remove(source)
    return told


def _known(value: Any) -> bool:
    return value is not None and value != "" and value == value


def text(path: Path) -> str:
    """A file's content without the zero byte that device-tree strings end with; "" when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def number(path: Path) -> float:
    """NaN when the file cannot be read or holds none."""
    try:
        return float(text(path))
    except ValueError:
        return nan
