"""What a compacted cache still knows, beside the full one and all methods that it is compared with, and what it costs.

On the shipped small rung, on logs of journeys that nothing was trained on. An answer is right when the claims that the
network finds are those that a right answer states. Four parts: a whole log compacted at once (_memory_oneshot.py), a
log compacted while it is read (_memory_stream.py), the live memory of an engine over a long drive (_memory_live.py),
times and the worth of the bias (_memory_cost.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from mm_edge.assistant.background import LOWEST
from mm_edge.bench._memory_beside import FULL as ALL_BESIDE
from mm_edge.bench._memory_beside import SHORT as SOME_BESIDE
from mm_edge.bench._memory_beside import Side, beside
from mm_edge.bench._memory_cost import NEW, PAST, SELECTIONS, decode_s, mass_error, times, without_bias
from mm_edge.bench._memory_live import HOURS, Hours, Turns, compaction_due, hours, long_drives, turns
from mm_edge.bench._memory_logs import Share, counted
from mm_edge.bench._memory_oneshot import (
    EVERY,
    FULL_CACHE,
    OURS,
    PUBLISHED,
    QUICK,
    SUMMARY,
    UNSEEN,
    WAYS,
    Found,
    Key,
    measured,
)  # fmt: skip
from mm_edge.bench._memory_stream import RAW, streams
from mm_edge.bench.harness import Plot, Result, percentile
from mm_edge.bench.speech import exported
from mm_edge.engine import EngineError, open_engine, weights_path
from mm_edge.engine.base import Engine
from mm_edge.errors import UserError
from mm_edge.model.checkpoint import CheckpointError, load
from mm_edge.model.network import Network
from mm_edge.model.tokenizer import Tokenizer

RATIO = 50
"""At which most is told."""
STRESS = (10, 20, 50)
"""Ratios; the first one is that of the headline."""
DRAWN = (OURS, "AM-HighestAttnKeys", "eviction", "KVzip", "SnapKV", "H2O", "StreamingLLM", SUMMARY, *UNSEEN)
Row = dict[str, object]


@dataclass(frozen=True)
class Size:
    """drives: logs of `words` words compacted at once, by all `methods` at all `ratios`, the `slow` first ones by slow
    methods too; timed: logs of which times are taken; repeats: of a question to `asked_words` words; streamed: words ->
    logs compacted while they are read; long: drives of `hours_words` words, `read` of them also at once; turns: beside
    compactions, and without; stresses: synthetic heads."""

    words: int
    drives: int
    methods: Sequence[str]
    ratios: Sequence[int]
    slow: int
    timed: int
    repeats: int
    asked_words: int
    streamed: Mapping[int, int]
    long: int
    hours_words: int
    read: int
    turns: int
    stresses: int


FULL = Size(2048, 8, tuple(WAYS), (10, 20, 50, 100), 1, 8, 100, 8192, {4096: 6, 8192: 1}, 4, 10_000, 0, 200, 8)
SHORT = Size(2048, 2, QUICK, (10, 50), 0, 2, 30, 8192, {4096: 1}, 1, 1200, 1, 20, 2)


def measure(seed: int, quick: bool, weights: Path | None = None) -> Result:
    """weights: others, which are then measured beside the shipped ones, instead of all else."""
    torch.set_num_threads(1)
    if weights is not None:
        return beside(_side(weights_path("small")), _side(weights), seed, SOME_BESIDE if quick else ALL_BESIDE, RATIO)
    network, tokenizer = load(weights_path("small"))
    engines = open_engine(weights_path("small")), exported("small", "fp32")
    return compare(network, tokenizer, engines, seed, SHORT if quick else FULL)


def _side(weights: Path) -> Side:
    """Raises UserError for a file that is none."""
    try:
        return Side(load(weights)[0], open_engine(weights))
    except (CheckpointError, EngineError) as error:
        raise UserError(str(error)) from error


def compare(network: Network, tokenizer: Tokenizer, engines: tuple[Engine, Engine], seed: int, size: Size) -> Result:
    """engines: of the same network, one of torch, which waits for the interpreter in every operation, and one that
    nodes run, which hardly does."""
    engine, _ = engines
    seeds = range(seed, seed + size.drives)
    found = measured(network, tokenizer, seeds, size.words, size.ratios, size.methods, size.slow)
    parts = [
        _one_shot(found, size),
        ({}, counted(network, tokenizer, seeds, size.words), []),
        _costs(network, tokenizer, seed, size),
        _streaming(network, tokenizer, seed, size),
        _hours(engine, network, seed, size),
        _turns(engines, seed, size),
        _stress(size),
    ]
    about = (
        f"small rung, {engine.name}; one-shot: {size.drives} logs of {size.words} words from seed {seed}, slow methods "
        f"on {size.slow}; different questions, intervals of 95 % by Wilson; retention: right answers over those of the "
        "full cache to the same questions; time: over that of reading in chunks, bytes: over those of the full cache"
    )
    points = [(name, float(ratio), share.retention) for (name, ratio), share in found.shares.items() if name in DRAWN]
    return Result(
        {name: value for headline, *_ in parts for name, value in headline.items()},
        [row for _, rows, _ in parts for row in rows],
        [about, *(note for *_, notes in parts for note in notes)],
        Plot("words per slot", "retention", points, log_x=True),
    )


Part = tuple[dict[str, float], list[Row], list[str]]
"""Headline, rows and notes."""


def _one_shot(found: Found, size: Size) -> Part:
    def kept(name: str, ratio: int = RATIO) -> float:
        return found.shares[name, ratio].retention

    baselines = {name: kept(name) for name in PUBLISHED if (name, RATIO) in found.shares}
    best = max(baselines, key=lambda name: baselines[name])
    unseen, *_ = UNSEEN
    headline = {f"attention_matching_{ratio}x_retention": kept(OURS, ratio) for ratio in size.ratios}
    headline |= {
        f"attention_matching_{RATIO}x_unseen_retention": kept(unseen),
        f"best_baseline_{RATIO}x_retention": baselines[best],
        f"eviction_{RATIO}x_retention": kept("eviction"),
        f"packed_bytes_ratio_{RATIO}x": float(np.median(found.nbytes[OURS, RATIO])),
        "full_cache_accuracy": float(np.mean(found.shares[FULL_CACHE, 1].right)),
        "n": float(len(found.shares[OURS, RATIO].right)),
    }
    notes = [
        f"best baseline at {RATIO}x: {best}; of {'; '.join(baselines)}",
        "unseen: of each log three topics and a third of the names are left out of the reference questions, but for "
        "the general one about a name, and only questions about those are asked "
        f"(n = {len(found.shares[unseen, RATIO].right)}); also of reading: one in "
        f"{EVERY} of the log's own queries is fitted to as well; unheard: without general ones about those names too",
        "bytes: keys, values, biases and lengths as they are stored, over keys and values of the full cache",
    ]
    return headline, found.rows([RATIO]), notes


def _costs(network: Network, tokenizer: Tokenizer, seed: int, size: Size) -> Part:
    taken = [times(network, tokenizer, seed + place, size.words, RATIO) for place in range(size.timed)]
    full_s, compacted_s = decode_s(network, tokenizer, size.asked_words, RATIO, size.repeats)
    headline = {
        "compaction_over_prefill_time": float(np.median([each.whole_s / each.chunks_s for each in taken])),
        "compaction_over_one_pass_prefill_time": float(np.median([each.whole_s / each.one_pass_s for each in taken])),
        f"decode_speedup_{RATIO}x": full_s / compacted_s,
    }

    def median_s(name: str) -> str:
        return f"{np.median([vars(each)[name] for each in taken]):.3f} s"

    notes = [
        f"compaction_over_prefill_time: asking the reference questions ({median_s('asking_s')}) and compacting at "
        f"{RATIO}x ({median_s('compacting_s')}) over reading the log in chunks of 64 words, as engines do "
        f"({median_s('chunks_s')}); one pass: over reading it at once ({median_s('one_pass_s')}); n = {len(taken)}",
        f"decode: one question on {size.asked_words} random words, {full_s * 1e3:.2f} ms against "
        f"{compacted_s * 1e3:.2f} ms; medians of {size.repeats}",
    ]
    return headline, [], notes


def _streaming(network: Network, tokenizer: Tokenizer, seed: int, size: Size) -> Part:
    rows: list[Row] = []
    headline: dict[str, float] = {}
    keys = {OURS: "streaming", "eviction": "streaming_eviction", "StreamingLLM": "streaming_llm"}
    for words, drives in size.streamed.items():
        shares = streams(network, tokenizer, range(seed, seed + drives), words, RATIO)
        rows += [share.row(f"streaming, {words} words", name, RATIO) for name, share in shares.items()]
        if not headline:
            headline = {f"{key}_{RATIO}x_retention": shares[name].retention for name, key in keys.items()}
    note = (
        f"streaming: headline of {min(size.streamed)} words; never more than a {RATIO}th of the log's words in slots, "
        f"{RAW} raw ones among them"
    )
    return headline, rows, [note]


def _hours(engine: Engine, network: Network, seed: int, size: Size) -> Part:
    drives = islice(long_drives(seed, size.hours_words), size.long)
    found = [hours(engine, network, drive, place < size.read) for place, drive in enumerate(drives)]
    shares = {
        "live memory": [answer for each in found for answer in each.known],
        "live memory, after one hour": [answer for each in found for answer in each.early],
        "full cache": [answer for each in found for answer in each.full],
    }
    headline = {
        "eight_hour_bytes_growth": max(max(each.nbytes) / each.nbytes[0] - 1 for each in found),
        "eight_hour_first_hour_accuracy": float(np.mean(shares["live memory"])),
    }
    rows = [Share(right, []).row("first hour", name, 1) | {"retention": ""} for name, right in shares.items() if right]
    return headline, rows, [_hours_note(found)]


def _hours_note(found: Sequence[Hours]) -> str:
    grown = max(max(each.resident) / each.resident[0] - 1 for each in found)
    tidied_ms = [ms for each in found for ms in each.tidied_ms]
    n = sum(len(each.known) for each in found)
    return (
        f"eight hours: {len(found)} drives of {found[0].words} words, one journey in the first of {HOURS} parts and "
        f"another with names of its own in the others, as one journey's names hardly ever fall silent; all {n} "
        f"questions that name what only the first part names; full cache: {sum(bool(each.full) for each in found)} "
        f"drives; memory: {found[0].nbytes[-1] / 2**20:.1f} MiB; the process grew by {grown:.1%} after the first hour; "
        f"a step of the memory: median {np.median(tidied_ms):.1f} ms, p99 {percentile(tidied_ms, 99):.1f} ms"
    )


def _turns(engines: tuple[Engine, Engine], seed: int, size: Size) -> Part:
    plain, quick = engines
    headline: dict[str, float] = {}
    notes = []
    for key, each, nice in (("", quick, LOWEST), ("_same_priority", quick, 0), ("_torch", plain, LOWEST)):
        found = turns(each, compaction_due(each, seed), seed, size.turns, nice)
        headline[f"turn_p99_ratio{key}"] = found.p99_ratio
        notes.append(f"turns beside a compaction of niceness {nice}, {each.name}: {_told(found)}")
    return headline, [], notes


def _told(found: Turns) -> str:
    alone, beside = (percentile(ms, 99) for ms in (found.alone_ms, found.beside_ms))
    counts = f"n = {len(found.beside_ms)} each, {found.compactions} compactions"
    return f"p99 of engine.prefill {beside:.1f} ms against {alone:.1f} ms alone, {counts}"


def _stress(size: Size) -> Part:
    seeds = range(size.stresses)
    errors: dict[Key, tuple[float, float]] = {
        (name, ratio): (mass_error(how, ratio, seeds), mass_error(without_bias(how), ratio, seeds))
        for ratio in STRESS
        for name, how in SELECTIONS.items()
    }
    biased, plain = errors[OURS, STRESS[0]]
    headline = {
        "mass_error_with_bias": biased,
        "mass_error_without_bias": plain,
        "mass_error_ratio": plain / biased,
    }
    rows: list[Row] = [
        {"part": "stress", "method": f"{name}, {kind} bias", "ratio": ratio, "n": size.stresses, "error": error}
        for (name, ratio), pair in errors.items()
        for kind, error in zip(("with", "without"), pair, strict=True)
    ]
    note = (
        f"stress: {PAST} clustered keys compacted {STRESS[0]}x, {NEW} new ones behind them; error: of the share of "
        "attention that goes to the compacted ones, mean of the amounts"
    )
    return headline, rows, [note]
