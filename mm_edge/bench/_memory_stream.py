"""A log that is compacted while it is read: a memory and a short raw window of as many slots as there are at the end.

Knows nothing about deadlines; the memory of a node is measured in _memory_live.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mm_edge.bench._memory_logs import Share, log_of, read, remembered
from mm_edge.memory.baselines import recent
from mm_edge.memory.cache import Cache, joined
from mm_edge.memory.compaction import METHODS, Method, Rate, compact
from mm_edge.memory.references import by_questions, question_ids, questions, subjects
from mm_edge.memory.repeats import outdated
from mm_edge.model.network import WINDOW, Network
from mm_edge.model.tokenizer import EOS, Tokenizer

CHUNK, RAW = 256, 16
"""Words that come at once; words that stay raw."""


@dataclass(frozen=True)
class Way:
    """method, rate: as `compact` takes them; outdates: whether what was said again counts less, as in a live memory."""

    method: Method
    rate: Rate | None = None
    outdates: bool = False


WAYS = {
    "matching": Way(METHODS["matching"], outdates=True),
    "eviction": Way(METHODS["eviction"]),
    "eviction, outdated as ours": Way(METHODS["eviction"], outdates=True),
    "StreamingLLM": Way(METHODS["eviction-uniform"], lambda slots, queries, layer: recent(len(slots))),
}


def streams(network: Network, tokenizer: Tokenizer, seeds: Sequence[int], words: int, ratio: int) -> dict[str, Share]:
    """Of each way; slots of a head at the end, the raw window among them: at most the log's words over `ratio`."""
    shares = {name: Share([], []) for name in WAYS}
    for seed in seeds:
        log = log_of(seed, words, tokenizer)
        full = remembered(network, log, read(network, log.ids))
        for name, way in WAYS.items():
            cache = streamed(network, tokenizer, log.words, len(log.ids) // ratio, way)
            shares[name].right.extend(remembered(network, log, cache))
            shares[name].full.extend(full)
    return shares


def streamed(network: Network, tokenizer: Tokenizer, words: Sequence[str], slots: int, way: Way) -> Cache:
    """What is left of a log: at most `slots` of a head, on average. What is compacted is compacted again with what
    comes, for the questions that what was read by then may raise. Raises ValueError unless there is more than the raw
    window."""
    if slots <= RAW:
        raise ValueError(f"{slots} slots are no more than the {RAW} that stay raw")
    padded = [EOS] * WINDOW + tokenizer.log(words)
    memory: Cache | None = None
    raw: Cache | None = None
    for first in range(0, len(words), CHUNK):
        x = network.text(torch.tensor([padded[first : first + CHUNK + WINDOW]]))
        known = [each.seen(first).past() for each in (memory, raw) if each is not None]
        new = Cache.of(network.read(x, torch.tensor([float(first)]), known), x.shape[1])
        raw = new if raw is None else joined(raw, new)
        old = raw.length - RAW
        if old <= 0:
            continue
        head, raw = Cache(raw.cut(0, old).layers, old), Cache(raw.cut(old).layers, RAW)
        whole = head if memory is None else joined(memory, head)
        bank = questions(subjects(words[: first + CHUNK]))
        ask = by_questions(network, question_ids(bank, tokenizer))
        now = whole.length
        if way.outdates:
            whole = outdated(whole, now, ask(whole.seen(now)))
        keep = (slots - RAW) * whole.heads
        memory = compact(whole.seen(now), ask, keep, way.method, way.rate).unseen(now)
    assert raw is not None
    return raw if memory is None else joined(memory, raw)
