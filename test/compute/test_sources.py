"""What jetson-stats, NVML and psutil tell, with stand-ins for them."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

import pytest

from mm_edge.compute.device import Device
from mm_edge.compute.sources import Jtop, Nvml, Psutil, hottest, opened


class FakeJtop:
    """The attributes of jetson-stats 4."""

    def __init__(self) -> None:
        self.alive = True
        self.gpu = {"ga10b": {"status": {"load": 85.0}, "freq": {"cur": 306_000, "max": 918_000, "min": 0}}}
        self.temperature = {"cpu": {"temp": 71.5, "online": True}, "cv0": {"temp": -256, "online": False}}
        self.power = {"tot": {"power": 14_500, "avg": 14_000}, "rail": {}}
        self.nvpmodel: Any = "MODE_15W"

    def start(self) -> None: ...

    def close(self) -> None:
        self.alive = False

    def ok(self, spin: bool = False) -> bool:
        return self.alive


class FakeNvml:
    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    class NVMLError(Exception): ...

    def __init__(self, reasons: int = 0) -> None:
        self.reasons = reasons
        self.on = False

    def nvmlInit(self) -> None:
        self.on = True

    def nvmlShutdown(self) -> None:
        self.on = False

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"card {index}"

    def nvmlDeviceGetUtilizationRates(self, card: str) -> Thing:
        return Thing(gpu=60, memory=10)

    def nvmlDeviceGetTemperature(self, card: str, sensor: int) -> int:
        return 83

    def nvmlDeviceGetPowerUsage(self, card: str) -> int:
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetClockInfo(self, card: str, clock: int) -> int:
        return 900

    def nvmlDeviceGetMaxClockInfo(self, card: str, clock: int) -> int:
        return 1800

    def nvmlDeviceGetEnforcedPowerLimit(self, card: str) -> int:
        return 250_000

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, card: str) -> int:
        return self.reasons


def test_a_jetson_by_its_service() -> None:
    figures = Jtop(FakeJtop()).read()
    assert figures == {
        "gpu_load": 0.85,
        "gpu_clock_ratio": pytest.approx(1 / 3),
        "temperature_c": 71.5,
        "power_w": 14.5,
        "power_mode": "MODE_15W",
    }


def test_a_card_tells_what_it_can() -> None:
    figures = Nvml(FakeNvml(reasons=0x40)).read()
    assert "power_w" not in figures
    assert (figures["gpu_load"], figures["gpu_clock_ratio"], figures["temperature_c"]) == (0.6, 0.5, 83.0)
    assert (figures["power_mode"], figures["throttled"]) == ("250 W", True)


@pytest.mark.parametrize(
    ("reasons", "throttled"), [(0x0, False), (0x1, False), (0x2, False), (0x4, True), (0x81, True)]
)
def test_an_idle_card_is_not_throttled(reasons: int, throttled: bool) -> None:
    assert Nvml(FakeNvml(reasons)).read()["throttled"] is throttled


def test_psutil_where_there_is_nothing_else(tmp_path: Path) -> None:
    library = Thing(
        cpu_freq=lambda: Thing(current=1200.0, min=0.0, max=2400.0),
        sensors_temperatures=lambda: {"k10temp": [Thing(current=55.0), Thing(current=61.0)]},
    )
    state = Device(tmp_path, cpu_percent=lambda: 90.0, fallback=Psutil(library)).read(0)
    assert (state.clock_ratio, state.temperature_c, state.throttled) == (0.5, 61.0, True)


def test_psutil_of_a_system_without_sensors() -> None:
    assert Psutil(Thing(cpu_freq=lambda: None)).read() == {}
    assert Psutil(Thing(cpu_freq=lambda: Thing(current=2400.0, min=0.0, max=0.0))).read() == {"clock_ratio": None}


def test_the_more_trusted_source_wins_and_the_files_fill_in(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    zone.parent.mkdir(parents=True)
    zone.write_text("48000")
    state = Device(tmp_path, lambda: 10.0, [Jtop(FakeJtop())], Psutil(Thing())).read(0)
    assert (state.temperature_c, state.cpu_load, state.power_w) == (71.5, 0.1, 14.5)
    assert Device(tmp_path, lambda: 10.0).read(0).temperature_c == 48.0


def test_a_source_that_fails_is_left_out_from_then_on(tmp_path: Path) -> None:
    client = FakeJtop()
    device = Device(tmp_path, lambda: 10.0, [Jtop(client)])
    assert device.read(0).power_w == 14.5
    client.alive = False
    assert isnan(device.read(0).power_w)
    assert device.sources == []


def test_what_is_not_installed_is_no_fault() -> None:
    def missing() -> Jtop:
        raise ImportError("jtop")

    library = FakeNvml()
    (nvml,) = opened((missing, lambda: Nvml(library)))
    assert library.on
    nvml.close()
    assert not library.on


def test_a_processor_that_counts_its_throttlings(tmp_path: Path) -> None:
    count = tmp_path / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    count.parent.mkdir(parents=True)
    count.write_text("7")
    device = Device(tmp_path, lambda: 10.0)
    before = device.read(0).throttled
    count.write_text("9")
    assert (before, device.read(0).throttled, device.read(0).throttled) == (False, True, False)


def test_the_hottest_of_sensors_that_are_there() -> None:
    assert hottest([None, -256.0, 40.0, float("nan"), 900.0, 51.0]) == 51.0
    assert hottest([]) is None
