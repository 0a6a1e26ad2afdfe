"""What a drive left behind, read back from its bag: utterances with their questions, reports, pictures, diagnostics.

Knows nothing about pages or terminals.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2

from mm_edge.assistant import sensors
from mm_edge.bags.reader import Bag
from mm_edge.bags.types import BagError

KEPT = ("/utterance", "/latency", "/trust", "/memory", "/speech/status", "/request", "/compute_state", "/diagnostics")
AUDIO = "/speech/audio"
PICTURES = {"/image": sensors.image, "/image/compressed": sensors.compressed_image}
PICTURE_EVERY_S, PICTURE_WIDTH = 1.0, 240

Timed = tuple[float, Any]
"""Seconds since the bag's start, and the message."""


@dataclass
class Recording:
    path: Path
    start_ns: int
    duration_s: float
    topics: dict[str, list[Timed]] = field(default_factory=dict)
    pictures: list[tuple[float, str]] = field(default_factory=list)
    """One a second: seconds since the start, and a JPEG in base64."""

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Raises BagError when there is no readable bag."""
        with Bag(path) as bag:
            made = cls(path, bag.start_ns, bag.duration_s, {topic: [] for topic in (*KEPT, AUDIO)})
            for record in bag.records([*made.topics, *PICTURES]):
                t_s = (record.stamp_ns - bag.start_ns) / 1e9
                if record.topic in PICTURES:
                    made._keep_picture(bag, record, t_s)
                else:
                    made.topics[record.topic].append((t_s, bag.decode(record)))
        return made

    def of(self, topic: str) -> list[Timed]:
        return self.topics[topic]

    def picture(self, t_s: float) -> str:
        """The picture nearest to a moment; "" without a camera."""
        return min(self.pictures, key=lambda kept: abs(kept[0] - t_s), default=(0.0, ""))[1]

    def _keep_picture(self, bag: Bag, record: Any, t_s: float) -> None:
        if self.pictures and t_s - self.pictures[-1][0] < PICTURE_EVERY_S:
            return
        try:
            pixels = PICTURES[record.topic](bag.decode(record))
        except (BagError, sensors.SensorError):
            return
        height = max(1, round(pixels.shape[0] * PICTURE_WIDTH / pixels.shape[1]))
        small = cv2.resize(pixels, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 75])
        self.pictures.append((t_s, base64.b64encode(jpeg.tobytes()).decode()))
