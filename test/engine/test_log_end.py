"""The end of a log, which is quicker to find in."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mm_edge.engine.base import Log
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.torch_runner import TorchRunner
from mm_edge.model.graphs import SHORT
from mm_edge.model.network import HIDDEN, Network, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.model.tokenizer import Tokenizer

TOKENIZER = Tokenizer([*(f"word{n}" for n in range(20)), "@0", "=0"])
CONFIG = NetworkConfig(len(TOKENIZER), 2, d=32, layers=2, heads=4, conv=4, answer_length=6, log_length=192)
WORDS = [f"word{n * n % 20}" for n in range(180)]


@pytest.fixture(scope="module")
def engine() -> GraphEngine:
    torch.manual_seed(0)
    return GraphEngine(CONFIG, TOKENIZER, TorchRunner(Network(CONFIG).eval(), torch.device("cpu")))


def found(engine: GraphEngine, log: Log) -> torch.Tensor:
    scene = engine.look(None, engine.encode(Observation(0)))
    return engine.find(scene, engine.understand(scene, "word1 word2"), 1, log).stated


def test_it_is_the_log_as_if_nothing_had_been_before(engine: GraphEngine) -> None:
    log = engine.read(WORDS)
    bias = log.bias.clone()
    bias[: len(WORDS) - SHORT["find"]] = HIDDEN
    assert not torch.allclose(found(engine, log), found(engine, log.recent), atol=1e-4)
    assert torch.allclose(found(engine, replace(log, bias=bias)), found(engine, log.recent), atol=1e-4)


def test_it_stands_where_it_stood(engine: GraphEngine) -> None:
    log = engine.read(WORDS)
    assert (log.recent.ids, log.recent.length) == (log.ids[-SHORT["find"] :], len(WORDS))
    assert log.recent.before == log.ids[: -SHORT["find"]][-len(log.before) :]
    assert log.recent.is_short
    assert not log.is_short


@pytest.mark.parametrize("words", [0, 7, SHORT["find"]])
def test_a_short_log_is_its_own_end(engine: GraphEngine, words: int) -> None:
    log = engine.read(WORDS[:words])
    assert log.is_short
    assert log.recent.ids == log.ids
    assert torch.allclose(found(engine, log), found(engine, log.recent), atol=1e-5)


def test_a_log_with_a_memory_is_not_short(engine: GraphEngine) -> None:
    log = engine.read(WORDS)
    after = engine.remember(log, 128, engine.resume(log.memory, 0, log.before).memory)
    assert not after.is_short
    assert after.recent.is_short
