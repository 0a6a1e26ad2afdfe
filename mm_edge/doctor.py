"""What this machine offers to mm_edge, and what to fix.

Every check is one function that returns findings and changes nothing. Knows nothing about how the parts are used.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mm_edge.compute.device import device_name, number, power_mode, power_modes, text

PYTHON_RANGE = ((3, 10), (3, 12))
RECEIVE_BUFFER_BYTES = 8 * 2**20
"""Holds a whole 1080p frame (6.2 MB); the DDS layer asks for as much."""
MAXN = "MAXN"


class Status(str, Enum):
    OK = "ok"
    NOTE = "note"
    """Works, but could be better, or is an option that is not there."""
    MISSING = "missing"
    """Needed; nothing runs without it."""


@dataclass(frozen=True)
class Finding:
    """`fix`: what to do about it, one line; "" when there is nothing to do."""

    name: str
    status: Status
    found: str
    fix: str = ""


def run(as_json: bool = False) -> bool:
    """Print every finding; returns whether nothing that is needed is missing."""
    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    return all(finding.status != Status.MISSING for finding in findings)


def examine() -> list[Finding]:
    """Every finding. A check that fails in an unforeseen way is a finding too, and the others go on."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check()
        except Exception as error:
            findings.append(Finding(check.__name__, Status.NOTE, f"could not be examined: {error}"))
    return findings


def show(findings: Iterable[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {Status.OK: "green", Status.NOTE: "yellow", Status.MISSING: "bold red"}
    table = Table(title="mm-edge doctor", title_justify="left")
    for column in ("what", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        status = Text(finding.status.value, style=colours[finding.status])
        table.add_row(Text(finding.name), status, Text(finding.found), Text(finding.fix))
    Console().print(table)


def python() -> list[Finding]:
    low, high = PYTHON_RANGE
    found = f"{platform.python_version()} at {sys.executable}"
    if low <= sys.version_info[:2] <= high:
        return [Finding("Python", Status.OK, found)]
    return [Finding("Python", Status.NOTE, found, "tested with Python 3.10 to 3.12: make setup PYTHON=python3.12")]


def ros() -> list[Finding]:
    distro = os.environ.get("ROS_DISTRO", "")
    if importlib.util.find_spec("rclpy") is not None:
        return [Finding("ROS 2", Status.OK, distro or "rclpy, distribution unknown"), *_messages()]
    sourced = sorted(Path("/opt/ros").glob("*/setup.bash"))
    if sourced:
        fix = f"source {sourced[-1]}, or leave it: the nodes run on Cyclone DDS alone"
        return [Finding("ROS 2", Status.NOTE, f"installed in {sourced[-1].parent}, not sourced", fix)]
    return [Finding("ROS 2", Status.OK, "none; the nodes run on Cyclone DDS alone")]


def _messages() -> list[Finding]:
    if importlib.util.find_spec("mm_edge.msg") is not None:
        return [Finding("messages", Status.OK, "built")]
    fix = "colcon build --packages-select mm_edge, then source install/setup.bash"
    return [Finding("messages", Status.MISSING, "mm_edge's messages are not built for this ROS", fix)]


def dds() -> list[Finding]:
    if importlib.util.find_spec("rclpy") is not None:
        return [
            Finding("DDS", Status.OK, os.environ.get("RMW_IMPLEMENTATION", "the distribution's default")),
            *_range(),
        ]
    try:
        importlib.import_module("mm_edge.ros.libddsc")
    except (ImportError, OSError) as error:
        return [Finding("DDS", Status.MISSING, str(error), "pip install 'mm_edge[dds]', or install ROS 2")]
    return [Finding("DDS", Status.OK, f"Cyclone DDS {_version('cyclonedds')}"), *_range()]


def _range() -> list[Finding]:
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    if not domain.isdecimal() or int(domain) > 232:
        return [Finding("DDS domain", Status.MISSING, f"ROS_DOMAIN_ID={domain!r}", "set it to a number from 0 to 101")]
    reach = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    only = reach == "LOCALHOST" or os.environ.get("ROS_LOCALHOST_ONLY") == "1"
    return [Finding("DDS domain", Status.OK, f"{domain}, {'this machine only' if only else 'the whole subnet'}")]


def receive_buffer(root: Path = Path("/")) -> list[Finding]:
    most = number(root / "proc/sys/net/core/rmem_max")
    if most != most:
        return [Finding("receive buffer", Status.NOTE, "its limit cannot be read on this system")]
    found = f"at most {most / 2**20:.1f} MiB"
    if most >= RECEIVE_BUFFER_BYTES:
        return [Finding("receive buffer", Status.OK, found)]
    fix = f"sudo sysctl -w net.core.rmem_max={RECEIVE_BUFFER_BYTES}; large images may be lost without"
    return [Finding("receive buffer", Status.NOTE, found, fix)]


def scheduling() -> list[Finding]:
    """What a thread gets that asks for as much as the assistant's by default; that thread ends."""
    from mm_edge.assistant.config import AssistantConfig
    from mm_edge.compute.priority import request_realtime

    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(request_realtime, AssistantConfig().guard_priority).result()
    if "refused" not in found and "not permitted" not in found:
        return [Finding("real-time priority", Status.OK, found)]
    fix = "for turns that need not wait for a processor: README, Deadlines (rtprio; docker run --ulimit rtprio=49)"
    return [Finding("real-time priority", Status.NOTE, found, fix)]


def engines() -> list[Finding]:
    return [_torch(), _onnxruntime(), _tensorrt(), _in_use()]


def _in_use() -> Finding:
    """The engine that a node would run now, after its check."""
    try:
        from mm_edge.engine import EngineError, load
    except (ImportError, OSError) as error:
        return Finding("engine in use", Status.MISSING, str(error))
    try:
        engine = load()
    except EngineError as error:
        return Finding("engine in use", Status.MISSING, str(error))
    status = Status.NOTE if engine.refused else Status.OK
    return Finding("engine in use", status, "; ".join((engine.name, *engine.refused)))


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("engine torch", Status.MISSING, str(error), "pip install torch")
    cards = (
        [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return Finding("engine torch", Status.OK, f"{torch.__version__}, {', '.join(cards) or 'processor only'}")


def _onnxruntime() -> Finding:
    try:
        import onnxruntime
    except (ImportError, OSError):
        return Finding("engine onnxruntime", Status.NOTE, "not installed", "pip install onnxruntime")
    providers = ", ".join(onnxruntime.get_available_providers())
    return Finding("engine onnxruntime", Status.OK, f"{onnxruntime.__version__}: {providers}{_exported('onnxruntime')}")


def _tensorrt() -> Finding:
    try:
        import tensorrt
    except (ImportError, OSError):
        return Finding("engine tensorrt", Status.NOTE, "not installed; on a Jetson it comes with JetPack")
    return Finding("engine tensorrt", Status.OK, f"{tensorrt.__version__}{_exported('tensorrt')}")


def _exported(backend: str) -> str:
    """What `mm-edge export` has written for an engine."""
    from mm_edge.engine import EngineError, weights_path
    from mm_edge.engine.export import PRECISIONS, default_cache, find

    found = []
    for precision in PRECISIONS[backend]:
        try:
            find(weights_path("small"), backend, precision, default_cache())
            found.append(precision)
        except EngineError:
            continue
    return f"; exported: {', '.join(found)}" if found else "; nothing exported (mm-edge export)"


def weights() -> list[Finding]:
    folder = Path(__file__).parent / "weights"
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return [Finding("weights", Status.MISSING, f"none in {folder}", "reinstall, or make them: mm-edge train")]
    return [Finding("weights", Status.OK, ", ".join(f"{f.name} {f.stat().st_size / 2**20:.1f} MiB" for f in files))]


def hearing() -> list[Finding]:
    from mm_edge.feedback.hearing import open_detector

    detector, reason = open_detector()
    if detector is None:
        fix = "for speech that stops when somebody speaks: pip install silero-vad (--no-deps is enough)"
        return [Finding("hearing", Status.NOTE, reason, fix)]
    return [Finding("hearing", Status.OK, "silero-vad")]


def voice() -> list[Finding]:
    from mm_edge.errors import UserError
    from mm_edge.feedback.config import SpeakerConfig
    from mm_edge.feedback.sound import open_device
    from mm_edge.feedback.voice import open_voice

    try:
        speaks = open_voice(SpeakerConfig())
    except (UserError, OSError) as error:
        return [
            Finding("voice", Status.NOTE, str(error), "pip install 'mm_edge[speech]' (espeak-ng is GPL-3.0-or-later)")
        ]
    device, reason = open_device("auto", speaks.sample_rate_hz)
    if device is None:
        fix = "for sound: pip install sounddevice, apt install libportaudio2; speech/audio is published anyway"
        return [Finding("voice", Status.OK, speaks.name), Finding("loudspeaker", Status.NOTE, reason, fix)]
    device.close()
    return [Finding("voice", Status.OK, speaks.name), Finding("loudspeaker", Status.OK, device.name)]


def computer(root: Path = Path("/")) -> list[Finding]:
    """The machine; on a Jetson its system release and power mode as well."""
    name = device_name(root)
    machine = Finding("machine", Status.OK, f"{name}, {os.cpu_count()} cores")
    release = text(root / "etc/nv_tegra_release")
    if not release:
        return [machine, Finding("Jetson", Status.OK, "not one")]
    parts = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", release)
    l4t = f"L4T {parts[1]}.{parts[2]}" if parts else release.splitlines()[0]
    return [machine, Finding("Jetson", Status.OK, l4t), _power(root)]


def _power(root: Path) -> Finding:
    mode = power_mode(root)
    if not mode:
        return Finding("power mode", Status.NOTE, "unknown", "sudo nvpmodel -q")
    if mode.startswith(MAXN):
        return Finding("power mode", Status.OK, mode)
    free = next((number for number, name in power_modes(root).items() if name.startswith(MAXN)), None)
    fix = "" if free is None else f"for the shortest latency: sudo nvpmodel -m {free} && sudo jetson_clocks"
    return Finding("power mode", Status.NOTE, mode, fix)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    python, ros, dds, receive_buffer, scheduling, engines, weights, voice, hearing, computer,
)  # fmt: skip
