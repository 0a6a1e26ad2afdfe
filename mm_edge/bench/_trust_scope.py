"""Requests in people's own words: what is not about the drive is to be refused, what is about it not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mm_edge.assistant.topics import REFUSE
from mm_edge.engine.base import Engine
from mm_edge.training.evaluate import routed
from mm_edge.world.crowd import REFUSED, crowd, out_of_scope


def refusals(engine: Engine, seed: int, most: int) -> tuple[list[bool], list[bool]]:
    """Whether each was refused, of at most `most` requests that are of no intent at all, and as many that a drive or
    its log can answer: both of the test split of CLINC150."""
    outside = out_of_scope("test")
    inside = [text for family, texts in crowd("test").items() if family != REFUSED for text in texts]
    return _refused(engine, seed, _some(outside, most)), _refused(engine, seed, _some(inside, most))


def _refused(engine: Engine, seed: int, requests: Sequence[str]) -> list[bool]:
    return [topic == REFUSE for topic in routed(engine, seed, requests)]


def _some(requests: Sequence[str], most: int) -> list[str]:
    chosen = np.linspace(0, len(requests) - 1, min(most, len(requests))).astype(int)
    return [requests[index] for index in chosen]
