"""What a drive left behind, read back from its bag: utterances with their questions, reports, pictures, diagnostics.

Knows nothing about pages or terminals.
"""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from mm_edge.assistant import sensors
from mm_edge.bags.reader import Bag
from mm_edge.bags.types import BagError

KEPT = (
    "/utterance", "/latency", "/trust", "/memory", "/speech/status", "/request", "/task_step", "/compute_state",
    "/diagnostics",
)  # fmt: skip
AUDIO = "/speech/audio"
PICTURES = {"/image": sensors.image, "/image/compressed": sensors.compressed_image}
PICTURE_WIDTH = 240
FRESH_S = 1.0
"""A sentence is shown with the last picture before it, unless that is older than this: then there was none to see."""

Timed = tuple[float, Any]
"""Seconds since the bag's start, and the message."""


@dataclass
class Recording:
    path: Path
    start_ns: int
    duration_s: float
    topics: dict[str, list[Timed]] = field(default_factory=dict)
    pictures: list[tuple[float, str]] = field(default_factory=list)
    """The last one before every utterance: seconds since the start, and a JPEG in base64."""

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Raises BagError when there is no readable bag."""
        with Bag(path) as bag:
            made = cls(path, bag.start_ns, bag.duration_s, {topic: [] for topic in (*KEPT, AUDIO)})
            for record in bag.records([*made.topics]):
                made.topics[record.topic].append(((record.stamp_ns - bag.start_ns) / 1e9, bag.decode(record)))
            made._keep_pictures(bag, sorted({t_s for t_s, _ in made.of("/utterance")}))
        return made

    def of(self, topic: str) -> list[Timed]:
        return self.topics[topic]

    def picture(self, t_s: float) -> str:
        """The last picture before a moment; "" when there is none, or only an old one."""
        at_s, jpeg = max((kept for kept in self.pictures if kept[0] <= t_s), default=(0.0, ""))
        return jpeg if t_s - at_s <= FRESH_S else ""

    def _keep_pictures(self, bag: Bag, moments_s: list[float]) -> None:
        """Only those that are needed are decoded."""
        left, newest = deque(moments_s), None
        for record in bag.records([*PICTURES]):
            t_s = (record.stamp_ns - self.start_ns) / 1e9
            while left and left[0] < t_s:
                self._keep(bag, newest, left.popleft())
            newest = record
        for moment_s in left:
            self._keep(bag, newest, moment_s)

    def _keep(self, bag: Bag, record: Any, moment_s: float) -> None:
        if record is None:
            return
        t_s = (record.stamp_ns - self.start_ns) / 1e9
        if moment_s - t_s > FRESH_S or (self.pictures and self.pictures[-1][0] == t_s):
            return
        try:
            pixels = PICTURES[record.topic](bag.decode(record))
        except (BagError, sensors.SensorError):
            return
        height = max(1, round(pixels.shape[0] * PICTURE_WIDTH / pixels.shape[1]))
        small = cv2.resize(pixels, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])
        self.pictures.append((t_s, base64.b64encode(jpeg.tobytes()).decode()))
