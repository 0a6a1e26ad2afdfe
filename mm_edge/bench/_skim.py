"""How many requests are understood by their words alone, and what is lost by not reading them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from mm_edge.engine.base import Scene
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.training.evaluate import on_some_drive, posed_now


@dataclass(frozen=True)
class Skims:
    """Of the same requests: whether each was understood without reading it, and whether what it is about was understood
    rightly, as a session does it and by reading every one."""

    skimmed: Sequence[bool]
    right: Sequence[bool]
    right_read: Sequence[bool]

    @property
    def headline(self) -> dict[str, float]:
        return {
            "share": float(np.mean(self.skimmed)),
            "loss_points": 100 * float(np.mean(self.right_read) - np.mean(self.right)),
            "n": float(len(self.skimmed)),
        }


def on_drives(engine: GraphEngine, seed: int, drives: int) -> Skims:
    """Of requests about the present, as the drives ask them."""
    asked = (posed for posed in posed_now(engine, seed, drives) if posed.request)
    return _skims(
        _both(engine, engine.look(posed.past, posed.percept), posed.request, posed.question.topic) for posed in asked
    )


def of_people(engine: GraphEngine, seed: int, requests: Mapping[str, Sequence[str]]) -> Skims:
    """Of requests in people's own words: family -> some of them."""
    return _skims(
        _both(engine, scene, text, family)
        for family, own in requests.items()
        for scene, text, _ in on_some_drive(engine, seed, own)
    )


Both = tuple[bool, bool, bool]


def _both(engine: GraphEngine, scene: Scene, text: str, topic: str) -> Both:
    first = engine.understand(scene, text)
    is_right = first.asked[0] == f"<{topic}>"
    if not first.skimmed:
        return False, is_right, is_right
    sure, engine.sure = engine.sure, inf
    read = engine.understand(scene, text)
    engine.sure = sure
    return True, is_right, read.asked[0] == f"<{topic}>"


def _skims(found: Iterable[Both]) -> Skims:
    return Skims(*zip(*found, strict=True))
