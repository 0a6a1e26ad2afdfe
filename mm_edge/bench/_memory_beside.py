"""The memory with other weights beside that with the shipped ones: the same logs, questions and slots. And the rest of
a turn, which is not to get worse.

Every answer is paired, so that a row also says how many are right with the others alone and with the shipped alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from mm_edge.bench._memory_live import hours, long_drives
from mm_edge.bench._memory_oneshot import FULL_CACHE, OURS, UNSEEN, measured
from mm_edge.bench._memory_stream import streams
from mm_edge.bench.harness import Result, wilson
from mm_edge.engine.base import Engine
from mm_edge.model.network import Network
from mm_edge.training.evaluate import driven, outcomes, recalled

RATIOS = (10, 20, 50, 100)
LOG_WORDS = 1032
"""Of the logs that whole turns are about."""
Key = tuple[str, str, int]
"""Part, method and ratio."""


@dataclass(frozen=True)
class Side:
    """One of the two: an engine and its network."""

    network: Network
    engine: Engine


@dataclass(frozen=True)
class Size:
    """drives: logs of `words` words compacted at once; streamed: logs of `stream_words`, compacted while they are read;
    long: drives of `hours_words` words; turns: drives that are asked about the present, and about a log; paths: drives
    with a path."""

    drives: int
    words: int
    streamed: int
    stream_words: int
    long: int
    hours_words: int
    turns: int
    paths: int


FULL, SHORT = Size(8, 2048, 6, 4096, 4, 10_000, 20, 200), Size(1, 1024, 0, 2048, 1, 1200, 1, 4)


def beside(shipped: Side, other: Side, seed: int, size: Size, ratio: int) -> Result:
    """ratio: of the stream."""
    found = [dict(_answers(side, seed, size, ratio)) for side in (shipped, other)]
    paths = [[metres for metres, _ in driven(side.engine, seed, size.paths)] for side in (shipped, other)]
    before, after = (float(np.mean(metres)) for metres in paths)
    rows = [_row(key, found[0][key], found[1][key]) for key in found[0]]
    headline = {"path_m_shipped": before, "path_m_other": after, "n_paths": float(len(paths[0]))}
    for name, row in (("full_cache", rows[0]), ("live_memory_at_the_end", rows[-3])):
        headline |= {f"{name}_{side}": float(row[side]) for side in ("shipped", "other")}  # type: ignore[arg-type]
    notes = [
        f"from seed {seed}: {size.drives} logs of {size.words} words compacted at once, {size.streamed} of "
        f"{size.stream_words} compacted while they are read; {size.long} drives of {size.hours_words} words, of whose "
        f"first hour is asked; turns: {size.turns} drives about the present, {size.turns} with a log of {LOG_WORDS}",
        "intervals: Wilson, 95 %; gained, lost: answers that are right with the other weights alone, or the shipped",
    ]
    return Result(headline, rows, notes)


def _answers(side: Side, seed: int, size: Size, ratio: int) -> Iterator[tuple[Key, list[bool]]]:
    """Which answers are right; the keys come in the order of the table."""
    network, engine = side.network, side.engine
    found = measured(network, engine.tokenizer, range(seed, seed + size.drives), size.words, RATIOS, (OURS,), 0)
    yield ("one-shot", FULL_CACHE, 1), found.shares[FULL_CACHE, 1].right
    for name in (OURS, *UNSEEN):
        for each in RATIOS:
            yield ("one-shot", name, each), found.shares[name, each].right
    if size.streamed:
        seeds = range(seed, seed + size.streamed)
        shares = streams(network, engine.tokenizer, seeds, size.stream_words, ratio)
        yield ("streaming", OURS, ratio), shares[OURS].right
    every = [hours(engine, network, drive, False) for drive in islice(long_drives(seed, size.hours_words), size.long)]
    yield ("first hour", "live memory, after one hour", 1), [right for each in every for right in each.early]
    yield ("first hour", "live memory, at the end", 1), [right for each in every for right in each.known]
    yield ("turn", "present", 1), [full.right for full, _ in outcomes(engine, seed, size.turns)]
    yield ("turn", "past", 1), [full.right for full, _ in recalled(engine, seed, size.turns, LOG_WORDS)]


def _row(key: Key, shipped: list[bool], other: list[bool]) -> dict[str, object]:
    row: dict[str, object] = {"part": key[0], "method": key[1], "ratio": key[2], "n": len(shipped)}
    for name, right in (("shipped", shipped), ("other", other)):
        low, high = wilson(sum(right), len(right))
        row |= {name: sum(right) / len(right) if right else float("nan"), f"{name} low": low, f"{name} high": high}
    pairs = [*zip(shipped, other, strict=True)]
    return row | {"gained": pairs.count((False, True)), "lost": pairs.count((True, False))}
