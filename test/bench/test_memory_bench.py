"""The frame of the memory's figures, mostly on a network of random weights: what is measured, not how well it does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from mm_edge.bench import memory
from mm_edge.bench._memory_beside import Side, beside
from mm_edge.bench._memory_beside import Size as Beside
from mm_edge.bench._memory_cost import OURS, mass_error, without_bias
from mm_edge.bench._memory_live import compaction_due, long_drives, past_of, turns
from mm_edge.bench._memory_logs import Log, log_of, read, remembered
from mm_edge.bench._memory_oneshot import Sources, measured, summary
from mm_edge.bench._memory_stream import RAW, WAYS, streamed
from mm_edge.engine import weights_path
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.torch_runner import TorchRunner
from mm_edge.errors import UserError
from mm_edge.memory.ledger import COUNTED
from mm_edge.memory.references import GENERAL, question_ids, subjects
from mm_edge.model.checkpoint import load
from mm_edge.model.events import EVENTS
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.tokenizer import Tokenizer

SEED = 1_600_000
WORDS = 320


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """More are slower on networks this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shipped() -> tuple[Network, Tokenizer]:
    return load(weights_path("small"))


@pytest.fixture(scope="module")
def tokenizer(shipped: tuple[Network, Tokenizer]) -> Tokenizer:
    return shipped[1]


def untrained(tokenizer: Tokenizer) -> Network:
    torch.manual_seed(0)
    config = NetworkConfig(
        len(tokenizer), len(tokenizer.marks), d=32, layers=2, conv=2, log_length=192, memory_length=32
    )
    return Network(config).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network(tokenizer: Tokenizer) -> Network:
    return untrained(tokenizer)


@pytest.fixture(scope="module")
def engine(tokenizer: Tokenizer) -> GraphEngine:
    """Of a network with the same weights."""
    own = untrained(tokenizer)
    return GraphEngine(own.config, tokenizer, TorchRunner(own, tokenizer.first_spoken, torch.device("cpu")))


@pytest.fixture(scope="module")
def log(tokenizer: Tokenizer) -> Log:
    return log_of(SEED, WORDS, tokenizer)


def test_questions_are_different_and_not_for_the_ledger(log: Log) -> None:
    assert len({(each.topic, each.about) for each in log.asked}) == len(log.asked) == len(log.finds.asked)
    assert not {each.family for each in log.asked} & set(COUNTED)


def test_a_log_is_the_same_in_any_chunks(network: Network, log: Log) -> None:
    one, other = read(network, log.ids, 64), read(network, log.ids, len(log.ids))

    for a, b in zip(one.layers, other.layers, strict=True):
        torch.testing.assert_close(a.slots.k, b.slots.k, atol=1e-4, rtol=1e-4)
    assert one.length == len(log.ids)


def test_a_summary_holds_the_latest_lines_in_their_order(log: Log, tokenizer: Tokenizer) -> None:
    words = [tokenizer.tokens[index] for index in summary(log, tokenizer, 40)]
    starts = [index for index, word in enumerate(words) if word in EVENTS] + [len(words)]
    lines = [words[first:last] for first, last in pairwise(starts)]
    places = [len(log.lines) - 1 - [*log.lines][::-1].index(line) for line in lines]

    assert 30 < len(words) <= 40
    assert places == sorted(places)
    assert lines[-1] == log.lines[-1]
    assert len(subjects(words)) == len(lines)


def test_what_is_held_out_is_not_in_the_bank(network: Network, tokenizer: Tokenizer, log: Log) -> None:
    sources = Sources(network, tokenizer, log, read(network, log.ids), SEED)
    held_out = {(log.asked[index].topic, log.asked[index].about) for index in sources.held_out(log)}

    assert held_out
    assert sources.left_marks
    assert len(sources.left_topics) == 3
    asked = [(topic, about) for topic, about in sources.seen if topic != GENERAL]
    assert not [each for each in asked if each[0] in sources.left_topics or each[1] in sources.left_marks]


def test_compaction_of_the_shipped_network_is_worth_more_than_the_end_of_a_log(
    shipped: tuple[Network, Tokenizer],
) -> None:
    found = measured(*shipped, [SEED, SEED + 1], 512, [10], ("matching", "truncation"), 0)

    assert found.shares["matching", 10].retention > 0.9 > found.shares["truncation", 10].retention
    assert found.nbytes["matching", 10][0] == pytest.approx(0.1, rel=0.05)


def test_a_stream_never_has_more_than_its_slots(network: Network, tokenizer: Tokenizer) -> None:
    words, slots = log_of(SEED, 600, tokenizer).words, RAW + 4
    for way in WAYS.values():
        cache = streamed(network, tokenizer, words, slots, way)

        assert cache.slots <= slots * cache.heads
        assert cache.length == len(words)
    with pytest.raises(ValueError, match="raw"):
        streamed(network, tokenizer, words, RAW, WAYS["matching"])


def test_what_the_first_hour_names_is_never_named_again() -> None:
    for drive in islice(long_drives(SEED, 1600), 2):
        first = {word for word in drive.first.words if word[0] == "@"}
        later = {word for line in drive.lines[len(drive.first.lines) :] for word in line}

        assert {each.about for each in drive.asked} <= first
        assert not first & later
        assert drive.asked


def test_the_network_reads_an_engines_log(engine: GraphEngine, network: Network, tokenizer: Tokenizer) -> None:
    log, job = compaction_due(engine, SEED)
    ids = question_ids([("when", "@3"), ("location", "place")], tokenizer)
    queries = network.find_queries(network.word(ids), torch.tensor([float(log.length)]), past_of(log))
    ours = torch.stack([each.transpose(0, 1).flatten(1, 2) for each in queries])

    torch.testing.assert_close(ours, engine.ask(ids, log), atol=1e-4, rtol=1e-4)
    assert job().cache.length > len(log.ids) / 2


def test_there_are_turns_of_both_kinds(engine: GraphEngine) -> None:
    found = turns(engine, compaction_due(engine, SEED), SEED, 3, 0)

    assert len(found.alone_ms) == len(found.beside_ms) >= 3
    assert found.p99_ratio > 0


def test_without_its_bias_a_compacted_head_loses_mass() -> None:
    assert mass_error(OURS.matching, 10, [0]) * 3 < mass_error(without_bias(OURS.matching), 10, [0])


def test_everything_is_measured(network: Network, engine: GraphEngine, tokenizer: Tokenizer, tmp_path: Path) -> None:
    size = memory.Size(
        words=WORDS, drives=1, methods=memory.FULL.methods, ratios=(50,), slow=1, timed=1, repeats=1, asked_words=64,
        streamed={900: 1}, long=1, hours_words=480, read=1, turns=1, stresses=1,
    )  # fmt: skip
    result = memory.compare(network, tokenizer, (engine, engine), SEED, size)

    assert set(result.headline) >= {
        "attention_matching_50x_retention", "attention_matching_50x_unseen_retention",
        "best_baseline_50x_retention", "eviction_50x_retention", "compaction_over_prefill_time",
        "compaction_over_one_pass_prefill_time", "packed_bytes_ratio_50x", "decode_speedup_50x", "mass_error_ratio",
        "streaming_50x_retention", "streaming_eviction_50x_retention", "streaming_llm_50x_retention",
        "eight_hour_bytes_growth", "eight_hour_first_hour_accuracy", "turn_p99_ratio",
    }  # fmt: skip
    assert all(np.isfinite(value) for value in result.headline.values())
    assert result.headline["eight_hour_bytes_growth"] == 0
    assert {row["method"] for row in result.table if row["part"] == "one-shot"} >= set(memory.FULL.methods)
    assert {"stops_since", "doing", "first hour", "stress", "when"} <= {row["part"] for row in result.table}
    assert result.plot is not None
    result.plot.save(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_full_cache_is_as_good_as_itself(network: Network, log: Log) -> None:
    cache = read(network, log.ids)

    assert remembered(network, log, cache) == remembered(network, log, cache.cut(0))


def test_weights_beside_themselves_gain_and_lose_nothing(engine: GraphEngine, network: Network) -> None:
    side = Side(network, engine)
    size = Beside(drives=1, words=700, streamed=1, stream_words=900, long=1, hours_words=480, turns=0, paths=1)

    result = beside(side, side, SEED, size, 50)

    assert [row["gained"] for row in result.table] == [row["lost"] for row in result.table] == [0] * len(result.table)
    assert all(row["shipped"] == row["other"] for row in result.table if row["n"])
    assert {row["part"] for row in result.table if row["n"]} == {"one-shot", "streaming", "first hour"}
    assert result.headline["path_m_shipped"] == result.headline["path_m_other"]
    at_the_end = next(row for row in result.table if row["method"] == "live memory, at the end")
    assert result.headline["live_memory_at_the_end_other"] == at_the_end["other"]


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.safetensors"):
        memory.measure(SEED, quick=True, weights=tmp_path / "none.safetensors")
