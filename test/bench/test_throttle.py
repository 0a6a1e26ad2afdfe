"""A machine that heat slows down."""

from __future__ import annotations

import time
from types import SimpleNamespace

from mm_edge.bench._throttle import Throttled, state
from mm_edge.compute.latency_model import LatencyModel


def test_every_stage_takes_longer_and_gives_the_same() -> None:
    def decode(text: str) -> str:
        until_s = time.perf_counter() + 0.005
        while time.perf_counter() < until_s:
            pass
        return text

    engine = Throttled(SimpleNamespace(decode=decode, name="torch/fp32"))
    engine.factor = 4.0
    began_s = time.perf_counter()
    assert (engine.decode("words"), engine.name) == ("words", "torch/fp32")
    assert time.perf_counter() - began_s >= 0.02


def test_what_is_told_of_it_is_as_slow() -> None:
    model = LatencyModel()
    for factor in (1.0, 3.0, 1.5, 1.0):
        model.machine(state(factor))
        assert abs(model.slowdown - factor) < 1e-9
