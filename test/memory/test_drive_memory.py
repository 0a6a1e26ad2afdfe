"""The memory of a drive: fixed in size, compacted elsewhere, and the same after a restart."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from math import isnan
from typing import Any

import pytest
import torch

from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.torch_runner import TorchRunner
from mm_edge.memory.drive import RECENT, DriveMemory
from mm_edge.memory.references import question_ids
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.training.trainer import name_values, new_tokenizer
from mm_edge.world.journey import Journey

TOKENIZER = new_tokenizer()
CONFIG = NetworkConfig(
    len(TOKENIZER), len(TOKENIZER.marks), d=160, layers=2, heads=4, conv=4, log_length=192, memory_length=24
)
ASKED = [("last_limit", "limit"), ("when", "@3")]


@pytest.fixture(scope="module")
def engine() -> GraphEngine:
    torch.manual_seed(0)
    network = Network(CONFIG)
    name_values(network, TOKENIZER)
    return GraphEngine(CONFIG, TOKENIZER, TorchRunner(network.eval(), TOKENIZER.first_spoken))


class Later:
    """Runs a job only when it is told to."""

    def __init__(self) -> None:
        self.jobs: list[Callable[[], Any]] = []
        self.results: list[Future[Any]] = []

    def __call__(self, job: Callable[[], Any]) -> Future[Any]:
        self.jobs.append(job)
        self.results.append(Future())
        return self.results[-1]

    def run(self) -> None:
        for job, result in zip(self.jobs, self.results, strict=True):
            if not result.done():
                result.set_result(job())


def filled(memory: DriveMemory, words: int, seed: int = 3) -> DriveMemory:
    for line in Journey(seed, words).lines:
        memory.write(line)
    return memory


def asked(engine: GraphEngine, memory: DriveMemory) -> torch.Tensor:
    log = memory.read()
    assert log is not None
    return engine.ask(question_ids(ASKED, TOKENIZER), log)


def test_a_short_drive_is_all_raw(engine: GraphEngine) -> None:
    memory = filled(DriveMemory(engine), 150)
    log = memory.read()
    assert log is not None
    assert (log.start, log.length) == (0, memory.written)
    assert isnan(memory.took_ms)


def test_nothing_is_remembered_of_nothing(engine: GraphEngine) -> None:
    assert DriveMemory(engine).read() is None
    DriveMemory(engine).tidy()


def test_a_long_drive_takes_no_more_than_a_short_one(engine: GraphEngine) -> None:
    memory = filled(DriveMemory(engine), 300)
    memory.read()
    before = memory.nbytes
    filled(memory, 1500, seed=4)
    log = memory.read()
    assert log is not None
    assert memory.nbytes == before
    assert memory.slots <= CONFIG.log_length + CONFIG.memory_length
    assert log.length == memory.written
    assert log.start > 1000
    assert RECENT <= len(memory.words) <= CONFIG.log_length
    assert memory.took_ms > 0
    assert isnan(memory.fidelity)
    memory.tidy()
    assert 0 < memory.fidelity <= 1


def test_a_compaction_is_taken_over_between_turns(engine: GraphEngine) -> None:
    later = Later()
    memory = filled(DriveMemory(engine, later), 150)
    while not later.jobs:
        memory.tidy()
    before = asked(engine, memory)
    assert isnan(memory.took_ms)
    filled(memory, 20, seed=5)
    later.run()
    log = memory.read()
    assert log is not None
    assert log.start == 64
    assert log.length == memory.written
    assert memory.took_ms > 0
    assert asked(engine, memory).shape == before.shape


def test_a_memory_can_be_copied_and_used_while_the_engine_reads_or_after_it_failed(engine, monkeypatch) -> None:
    memory = filled(DriveMemory(engine), 600)
    before, copies = asked(engine, memory), []

    def stalled(*_: object) -> None:
        copies.append(memory.state())
        raise RuntimeError("the engine stalled")

    memory._changed = True
    monkeypatch.setattr(engine, "read", stalled)
    with pytest.raises(RuntimeError, match="stalled"):
        memory.read()
    monkeypatch.undo()
    other = DriveMemory(engine)
    other.restore(copies[0])
    for each in (memory, other):
        assert torch.allclose(asked(engine, each), before, atol=1e-5)


def test_what_is_compacted_still_serves_as_it_did(engine: GraphEngine) -> None:
    """A memory that has room for all of it loses nothing."""
    later = Later()
    memory = filled(DriveMemory(engine, later), 150)
    before = asked(engine, memory)
    wide = DriveMemory(engine)
    wide._engine = Roomy(engine)  # type: ignore[assignment]
    filled(wide, 150)
    wide._read(wide._words)
    wide._ask(wide._unasked())
    wide._begin()
    wide._take_over(wait=True)
    assert wide._cache is not None
    assert wide._cache.slots == 64 * 4 * 2
    queries = wide._engine.ask(question_ids(ASKED, TOKENIZER), wide.read())
    assert torch.allclose(queries, before, atol=1e-4)


class Roomy:
    """An engine whose memory has more slots."""

    def __init__(self, engine: GraphEngine) -> None:
        self.memory_slots = 64 * 4
        self._engine = GraphEngine(CONFIG, TOKENIZER, engine.runner)
        self._engine.memory_slots = self.memory_slots

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_a_drive_goes_on_after_a_restart(engine: GraphEngine) -> None:
    memory = filled(DriveMemory(engine), 700)
    memory.read()
    restored = DriveMemory(engine)
    restored.restore(memory.state())
    assert torch.allclose(asked(engine, restored), asked(engine, memory), atol=1e-5)
    assert restored.ledger == memory.ledger
    assert restored.written == memory.written
    for each in (memory, restored):
        filled(each, 300, seed=6)
    assert torch.allclose(asked(engine, restored), asked(engine, memory), atol=1e-3)


def test_the_memory_of_another_network_is_refused(engine: GraphEngine) -> None:
    memory = filled(DriveMemory(engine), 700)
    memory.read()
    kept = memory.state()
    assert kept.cache is not None
    other = type(kept)(kept.state, type(kept.cache)(kept.cache.layers[:1], kept.cache.length))
    with pytest.raises(ValueError, match="another network"):
        DriveMemory(engine).restore(other)


def test_a_name_that_is_given_away_is_remembered_no_more(engine: GraphEngine) -> None:
    memory = filled(DriveMemory(engine), 700)
    memory.read()
    mark = next(name for _, name in memory._known if name)
    memory.forget(mark)
    assert mark not in memory.words
    assert all(name != mark for _, name in memory._known)
    assert memory._cache is not None
    for layer in memory._cache.layers:
        assert layer.slots.tag is not None
        assert int(mark[1:]) not in layer.slots.tag.tolist()
    assert memory.read() is not None


def test_what_is_no_number_costs_the_past_and_not_the_drive(engine: GraphEngine) -> None:
    memory = filled(DriveMemory(engine), 150)
    log = memory.read()
    assert log is not None
    log.v[:, :, 3] = torch.nan
    filled(memory, 300, seed=7)
    assert memory.read() is not None
    assert "finite" in memory.failure
    assert memory._cache is not None
    assert all(layer.slots.v.isfinite().all() for layer in memory._cache.layers)


def test_too_few_raw_slots_are_refused(engine: GraphEngine) -> None:
    small = Roomy(engine)
    small._engine.log_length = 100
    with pytest.raises(ValueError, match="raw slots"):
        DriveMemory(small)  # type: ignore[arg-type]
