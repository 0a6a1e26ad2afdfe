"""What libraries tell about the computer: jetson-stats on a Jetson, NVML for other NVIDIA cards, psutil elsewhere.

A source gives some fields of ComputeState by name, and leaves out what it does not know. None but psutil has to be
installed. Knows nothing about what the figures are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from math import isfinite
from typing import Any, Protocol

import psutil

Figures = dict[str, Any]
HELD_BACK = 0x4 | 0x8 | 0x20 | 0x40 | 0x80
"""NVML's reasons for a lower clock that are heat or power: software power cap, hardware slowdown, software and hardware
thermal slowdown, power brake (nvml.h, nvmlClocksEventReasons)."""
SENSIBLE_C = (-40.0, 200.0)


class Source(Protocol):
    name: str

    def read(self) -> Figures:
        """Fields of ComputeState. May raise anything; the source is then left out."""

    def close(self) -> None: ...


class Jtop:
    """jetson-stats 4: its service reads the board, a thread of this client keeps the newest figures."""

    name = "jtop"

    def __init__(self, client: Any = None) -> None:
        """Raises when there is no package, no service or no right to use it."""
        self._jtop = client or import_module("jtop").jtop(interval=1.0)
        self._jtop.start()

    def read(self) -> Figures:
        if not self._jtop.ok(spin=True):
            raise ConnectionError("the service of jetson-stats went away")
        figures: Figures = {}
        for gpu in self._jtop.gpu.values():
            figures["gpu_load"] = gpu["status"]["load"] / 100
            figures["gpu_clock_ratio"] = _share(gpu["freq"].get("cur"), gpu["freq"].get("max"))
        sensors = self._jtop.temperature.values()
        figures["temperature_c"] = hottest(sensor["temp"] for sensor in sensors if sensor.get("online", True))
        figures["power_w"] = self._jtop.power["tot"]["power"] / 1000
        if self._jtop.nvpmodel is not None:
            figures["power_mode"] = str(self._jtop.nvpmodel)
        return figures

    def close(self) -> None:
        self._jtop.close()


class Nvml:
    """The first NVIDIA card. What a card does not support is left out."""

    name = "nvml"

    def __init__(self, library: Any = None) -> None:
        """Raises when there is no package, driver or card."""
        self._nvml = library or import_module("pynvml")
        self._nvml.nvmlInit()
        self._card = self._nvml.nvmlDeviceGetHandleByIndex(0)

    def read(self) -> Figures:
        nvml, card = self._nvml, self._card
        clock = nvml.NVML_CLOCK_SM
        known: dict[str, Callable[[], Any]] = {
            "gpu_load": lambda: nvml.nvmlDeviceGetUtilizationRates(card).gpu / 100,
            "temperature_c": lambda: float(nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU)),
            "power_w": lambda: nvml.nvmlDeviceGetPowerUsage(card) / 1000,
            "gpu_clock_ratio": lambda: _share(
                nvml.nvmlDeviceGetClockInfo(card, clock), nvml.nvmlDeviceGetMaxClockInfo(card, clock)
            ),
            "power_mode": lambda: f"{nvml.nvmlDeviceGetEnforcedPowerLimit(card) / 1000:.0f} W",
            "throttled": lambda: bool(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(card) & HELD_BACK),
        }
        figures: Figures = {}
        for name, read in known.items():
            with suppress(nvml.NVMLError):
                figures[name] = read()
        return figures

    def close(self) -> None:
        self._nvml.nvmlShutdown()


class Psutil:
    """Clock and heat where Linux' sysfs does not tell them."""

    name = "psutil"

    def __init__(self, library: Any = psutil) -> None:
        self._psutil = library

    def read(self) -> Figures:
        figures: Figures = {}
        clock = self._psutil.cpu_freq() if hasattr(self._psutil, "cpu_freq") else None
        if clock is not None:
            figures["clock_ratio"] = _share(clock.current, clock.max)
        if hasattr(self._psutil, "sensors_temperatures"):
            chips = self._psutil.sensors_temperatures().values()
            figures["temperature_c"] = hottest(sensor.current for chip in chips for sensor in chip)
        return figures

    def close(self) -> None: ...


def opened(kinds: Iterable[Callable[[], Source]] = (Jtop, Nvml)) -> list[Source]:
    """Those that work here, the most trusted first."""
    found = []
    for kind in kinds:
        with suppress(Exception):  # libraries raise what they like; a source less is no fault
            found.append(kind())
    return found


def hottest(degrees: Iterable[float | None]) -> float | None:
    """Of sensors that are there; None without one."""
    low, high = SENSIBLE_C
    return max((value for value in degrees if value is not None and low < value < high), default=None)


def _share(now: float | None, most: float | None) -> float | None:
    """None when it is not known."""
    return min(1.0, now / most) if now and most and isfinite(now) and isfinite(most) else None
