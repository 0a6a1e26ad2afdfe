"""What computer this is, read from a file tree like a Jetson's."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from mm_edge.compute.device import Device


def written(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def jetson(tmp_path: Path) -> Path:
    return written(
        tmp_path,
        **{
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
            "var/lib/nvpmodel/status": "pmode:0001 fmode:quiet\n",
            "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=15W >\n",
            "sys/devices/platform/bus@0/17000000.gpu/load": "435\n",
            "sys/class/thermal/thermal_zone0/temp": "48250\n",
            "sys/class/thermal/thermal_zone1/temp": "-256000\n",
            "sys/class/hwmon/hwmon1/in1_label": "VDD_IN\n",
            "sys/class/hwmon/hwmon1/in1_input": "5000\n",
            "sys/class/hwmon/hwmon1/curr1_input": "1500\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "700000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1400000\n",
        },
    )


def test_a_jetson(jetson: Path) -> None:
    state = Device(jetson, cpu_percent=lambda: 90.0).read(stamp_ns=7)
    assert state.device == "NVIDIA Jetson Orin Nano Developer Kit"
    assert (state.stamp_ns, state.power_mode, state.cpu_load) == (7, "15W", 0.9)
    assert (state.gpu_load, state.temperature_c, state.power_w) == (0.435, 48.25, 7.5)
    assert state.clock_ratio == 0.5
    assert state.throttled


def test_an_idle_processor_at_low_clock_is_not_throttled(jetson: Path) -> None:
    assert not Device(jetson, cpu_percent=lambda: 3.0).read(0).throttled


def test_what_cannot_be_measured_is_not_invented(tmp_path: Path) -> None:
    state = Device(tmp_path, cpu_percent=lambda: 0.0).read(0)
    assert all(isnan(x) for x in (state.gpu_load, state.temperature_c, state.power_w, state.clock_ratio))
    assert state.power_mode == ""
    assert not state.throttled


def test_unreadable_figures_are_unknown(jetson: Path) -> None:
    written(jetson, **{"sys/class/thermal/thermal_zone0/temp": "hot"})
    assert isnan(Device(jetson, cpu_percent=lambda: 0.0).read(0).temperature_c)
