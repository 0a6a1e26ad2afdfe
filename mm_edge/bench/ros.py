"""What the ROS layer costs: camera images from one process to another, and the whole stack when nothing happens.

Both sides in one run: our rclpy, which hands ready-made CDR to Cyclone DDS, and the `cyclonedds` package's own way,
which converts every message in Python. Latency is from just before `publish` to the start of the callback, by the clock
that all processes of a machine share.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import nan

import numpy as np
import psutil

from mm_edge.bench.harness import Result, percentile
from mm_edge.ros import ensure_rclpy

RATE_HZ = 30.0
VGA, FULL_HD = (480, 640), (1080, 1920)
SECONDS, QUICK_SECONDS = 30.0, 6.0
WARM_UP = 10
"""First images, while discovery and buffers settle: not counted."""
START_S, GRACE_S = 20.0, 1.0
FIRST_DOMAIN, DOMAINS = 101, 120
OURS = "from mm_edge.ros import ensure_rclpy; ensure_rclpy(); from mm_edge.nodes import images as side"
THEIRS = "from mm_edge.bench import _cyclonedds as side"
"""What a process begins with that sends or receives."""


@dataclass(frozen=True)
class Stream:
    """What arrived of `sent` images: their latencies in milliseconds."""

    sent: int
    latencies_ms: list[float]

    @property
    def lost(self) -> int:
        return self.sent - len(self.latencies_ms)


def measure(seed: int, quick: bool) -> Result:
    """`seed` is not used: nothing here is random."""
    if ensure_rclpy() == "ros":
        return Result({}, [], ["a real ROS 2 is installed: its rclpy would be measured, not this layer"])
    os.environ["ROS_DOMAIN_ID"] = str(FIRST_DOMAIN + os.getpid() % DOMAINS)
    seconds = QUICK_SECONDS if quick else SECONDS
    ours = stream(VGA, seconds, OURS)
    theirs = stream(VGA, seconds, THEIRS)
    large = stream(FULL_HD, seconds, OURS)
    idle_percent = idle_cpu_percent(seconds)
    rows = [
        _row("640 x 480, mm_edge.ros", ours),
        _row("640 x 480, cyclonedds", theirs),
        _row("1920 x 1080, mm_edge.ros", large),
    ]
    headline = {
        "vga_p50_ms": percentile(ours.latencies_ms, 50),
        "vga_p99_ms": percentile(ours.latencies_ms, 99),
        "lost": float(ours.lost),
        "full_hd_lost": float(large.lost),
        "idle_cpu_percent": idle_percent,
        "plain_vga_p50_ms": percentile(theirs.latencies_ms, 50),
        "plain_vga_p99_ms": percentile(theirs.latencies_ms, 99),
        "n": float(len(ours.latencies_ms)),
    }
    notes = [
        f"raw rgb8 images at {RATE_HZ:g} Hz for {seconds:g} s between two processes, best effort, depth 5",
        f"idle: assistant, speaker and monitor in one process, active, without inputs, for {seconds:g} s; of one core",
    ]
    return Result(headline, rows, notes)


def _row(name: str, found: Stream) -> dict[str, object]:
    return {
        "image": name,
        "n": found.sent,
        "lost": found.lost,
        "p50 ms": percentile(found.latencies_ms, 50),
        "p99 ms": percentile(found.latencies_ms, 99),
        "max ms": max(found.latencies_ms, default=nan),
    }


def stream(size: tuple[int, int], seconds: float, side: str) -> Stream:
    """Images from one process to another; `side` imports what sends and receives them."""
    count = WARM_UP + round(seconds * RATE_HZ)
    calls = (f"{side}; side.receive({count})", f"{side}; side.publish({size[0]}, {size[1]}, {count})")
    receiving, sending = (subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE) for text in calls)
    try:
        found, _ = receiving.communicate(timeout=START_S + seconds + START_S)
    finally:
        for child in (receiving, sending):
            child.kill()
            child.wait()
    return Stream(count - WARM_UP, json.loads(found))


def idle_cpu_percent(seconds: float) -> float:
    """Of one core, by the nodes when nothing comes in."""
    call = "from mm_edge.up import run; run(settings=['sound_device:=none'])"
    child = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_settled(child.pid)
        process = psutil.Process(child.pid)
        before, began_s = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after, ended_s = process.cpu_times(), time.monotonic()
    finally:
        child.terminate()
        child.wait()
    used_s = after.user + after.system - before.user - before.system
    return 100 * used_s / (ended_s - began_s)


def _until_settled(pid: int) -> None:
    """Until the process has used next to nothing for a second, after it had started."""
    process, give_up_s, used_s = psutil.Process(pid), time.monotonic() + START_S, 0.0
    while time.monotonic() < give_up_s:
        time.sleep(1.0)
        before_s, used_s = used_s, sum(process.cpu_times()[:2])
        if used_s > 1.0 and used_s - before_s < 0.1:
            return


def paced(count: int, matched: Callable[[], bool], send: Callable[[int], None]) -> None:
    """`send(number)` at RATE_HZ, once somebody listens."""
    give_up_s = time.monotonic() + START_S
    while not matched() and time.monotonic() < give_up_s:
        time.sleep(0.02)
    next_s = time.monotonic() + 0.2
    for number in range(count):
        time.sleep(max(0.0, next_s - time.monotonic()))
        send(number)
        next_s += 1 / RATE_HZ
    time.sleep(2 * GRACE_S)


def noise(height: int, width: int) -> bytes:
    """The pixels of an rgb8 image."""
    return np.random.default_rng(0).integers(0, 256, 3 * height * width, dtype=np.uint8).tobytes()
