"""A whole log compacted at once, by every method in turn, on the same caches and questions.

Every method has the same number of slots for all heads together. What it costs is told with what it asks of the cache,
but for queries that are there once a log is read.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mm_edge.bench._memory_logs import CHUNK, FOUND, Log, Share, log_of, read, remembered
from mm_edge.memory.baselines import HORIZON, SINKS, expected, observed, recent
from mm_edge.memory.cache import Cache
from mm_edge.memory.compaction import METHODS, Method, Rate, compact
from mm_edge.memory.references import (
    GENERAL,
    TOPICS,
    Ask,
    Subject,
    by_chance,
    by_questions,
    by_reading,
    by_repeating,
    question_ids,
    questions,
    subjects,
    together,
)  # fmt: skip
from mm_edge.model.distance import turn, unseen
from mm_edge.model.events import EVENTS
from mm_edge.model.network import Network
from mm_edge.model.tokenizer import Tokenizer

OURS, FULL_CACHE, SUMMARY = "matching", "full cache", "text summary"
UNSEEN = {
    "matching, unseen": "seen questions",
    "matching also of reading, unseen": "seen questions and reading",
    "matching, unheard": "heard questions",
}
"""With what queries, where what is asked is held out; unheard: nothing at all is asked about the names left out."""
LEFT_TOPICS, LEFT_NAMES = 3, 1 / 3
"""What the bank then leaves out."""
CHANCES, EVERY = 256, 8
"""Random queries; of reading queries that go with questions: one of so many."""
RateOf = Callable[[Network, int], Rate]
"""How slots are rated; of the log's length."""


@dataclass(frozen=True)
class Way:
    """queries: one of `Sources`' names; published: whether it is what others do, to be compared with."""

    method: Method
    queries: str = "questions"
    rate: RateOf | None = None
    published: bool = False


def _expecting(network: Network, length: int) -> Rate:
    pairs = network.config.turned // 2
    past, ahead = (turn(torch.arange(first, first + count), pairs) for first, count in ((0, length), (length, HORIZON)))
    return lambda slots, queries, layer: expected(slots, queries, past, ahead)


def _observing(network: Network, length: int) -> Rate:
    """Words were read from where they stand, not from the end."""
    return lambda slots, queries, layer: observed(replace(slots, k=unseen(slots.k, length)), queries)


def _recent(sinks: int) -> RateOf:
    return lambda network, length: lambda slots, queries, layer: recent(len(slots), sinks)


_BASIC, _EVICTION = METHODS["AM-HighestAttnKeys-basic"], METHODS["eviction-uniform"]
_ELSEWHERE = ("H2O", "SnapKV", "PyramidKV", "KVzip", "AM-OMP-progressive")
"""Below; the last one is the same as AM-OMP up to 300 slots of a head."""
WAYS = {
    **{name: Way(METHODS[name]) for name in METHODS if name not in _ELSEWHERE},
    "matching, random queries": Way(_BASIC, "chance"),
    "matching, context queries": Way(_BASIC, "reading", published=True),
    "matching, repeat queries": Way(_BASIC, "repeating", published=True),
    "truncation": Way(_EVICTION, "one question", _recent(0), True),
    "StreamingLLM": Way(_EVICTION, "one question", _recent(SINKS), True),
    "H2O": Way(METHODS["H2O"], "reading", _observing, True),
    "SnapKV": Way(METHODS["SnapKV"], "one question", published=True),
    "PyramidKV": Way(METHODS["PyramidKV"], "one question", published=True),
    "KVzip": Way(METHODS["KVzip"], "repeating", published=True),
    "Expected Attention": Way(_EVICTION, "reading", _expecting, True),
}
PUBLISHED = (*(name for name, way in WAYS.items() if way.published), SUMMARY)
SLOW = tuple(name for name in WAYS if name.startswith("AM-OMP"))
"""Measured on fewer drives."""
QUICK = (OURS, "eviction", "truncation", "StreamingLLM", "H2O", "SnapKV", "PyramidKV")
Key = tuple[str, int]
"""Method and ratio."""


@dataclass
class Found:
    """By method and ratio. seconds: of compaction over those of reading; nbytes: over those of the full cache;
    families: of each answer of `shares`."""

    shares: dict[Key, Share] = field(default_factory=lambda: defaultdict(lambda: Share([], [])))
    seconds: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    nbytes: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    families: dict[Key, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, key: Key, found: Sequence[bool], full: Sequence[bool], log: Log) -> None:
        self.shares[key].right.extend(found)
        self.shares[key].full.extend(full)
        self.families[key].extend(question.family for question in log.asked)

    def rows(self, ratios: Collection[int]) -> list[dict[str, object]]:
        made = []
        for (method, ratio), share in sorted(self.shares.items(), key=lambda each: each[0][1]):
            costs = {
                name: float(np.median(found[method, ratio])) if found[method, ratio] else ""
                for name, found in (("time", self.seconds), ("bytes", self.nbytes))
            }
            made.append(share.row("one-shot", method, ratio) | costs)
        for method, ratio in [(FULL_CACHE, 1), *((OURS, ratio) for ratio in ratios)]:
            share, families = self.shares[method, ratio], self.families[method, ratio]
            for family in FOUND:
                chosen = [index for index, each in enumerate(families) if each == family]
                part = Share([share.right[index] for index in chosen], [share.full[index] for index in chosen])
                made.append(part.row(family, method, ratio))
        return made


class Sources:
    """Reference queries for one log and its cache, each made once. `seconds`: what that took where it has to be done
    for a compaction, rather than while a log is read."""

    def __init__(self, network: Network, tokenizer: Tokenizer, log: Log, cache: Cache, seed: int) -> None:
        self._cache = cache
        known, rng = subjects(log.words), np.random.default_rng([seed, 19])
        bank = questions(known)
        self.left_topics, self.left_marks, self.seen = _held_out(known, rng)
        one = [bank[int(rng.integers(len(bank)))]]

        def asking(asked: Sequence[tuple[str, str]]) -> Callable[[], Ask]:
            return lambda: by_questions(network, question_ids(asked, tokenizer))

        self._make = {
            "questions": asking(bank),
            "one question": asking(one),
            "seen questions": asking(self.seen),
            "heard questions": asking([each for each in self.seen if each[1] not in self.left_marks]),
            "seen questions and reading": lambda: together(asking(self.seen)(), self._some_reading),
            "reading": lambda: by_reading(network, log.ids),
            "repeating": lambda: by_repeating(network, log.ids),
            "chance": lambda: by_chance(network, CHANCES, torch.Generator().manual_seed(seed)),
        }
        self._made: dict[str, tuple[Ask, Ask, float]] = {}

    def __call__(self, name: str, on_policy: bool = False) -> tuple[Ask, float]:
        """The queries, and the seconds to make them where compaction does not ask for them itself."""
        if name not in self._made:
            ask = self._make[name]()
            began_s = time.perf_counter()
            queries = ask(self._cache)
            self._made[name] = ask, lambda _: queries, time.perf_counter() - began_s
        ask, fixed, seconds = self._made[name]
        return (ask, 0.0) if on_policy else (fixed, seconds)

    def _some_reading(self, cache: Cache) -> list[Tensor]:
        return [each[:, ::EVERY] for each in self("reading")[0](cache)]

    def held_out(self, log: Log) -> list[int]:
        """The questions that the seen ones leave out."""
        return [
            index
            for index, each in enumerate(log.asked)
            if each.topic in self.left_topics or each.about in self.left_marks
        ]


def measured(
    network: Network,
    tokenizer: Tokenizer,
    seeds: Sequence[int],
    words: int,
    ratios: Sequence[int],
    names: Collection[str],
    slow: int,
) -> Found:
    """Of `names`, and of those that are always measured; SLOW ones on the first `slow` logs."""
    found = Found()
    for place, seed in enumerate(seeds):
        log = log_of(seed, words, tokenizer)
        began_s = time.perf_counter()
        cache = read(network, log.ids, CHUNK)
        reading_s = time.perf_counter() - began_s
        sources = Sources(network, tokenizer, log, cache.seen(cache.length), seed)
        full = remembered(network, log, cache)
        found.add((FULL_CACHE, 1), full, full, log)
        for ratio in ratios:
            keep = cache.slots // ratio
            for name in names:
                if name not in SLOW or place < slow:
                    compacted, took_s = _compacted(network, sources, cache, keep, WAYS[name])
                    found.add((name, ratio), remembered(network, log, compacted), full, log)
                    found.seconds[name, ratio].append(took_s / reading_s)
                    found.nbytes[name, ratio].append(compacted.nbytes / without_bias(cache))
            short = read(network, summary(log, tokenizer, keep // cache.heads))
            found.add((SUMMARY, ratio), remembered(network, log, short), full, log)
            _add_unseen(found, network, sources, log, cache, ratio, full)
    return found


def without_bias(cache: Cache) -> int:
    """Bytes of the keys and values alone, as a cache has them that was never compacted."""
    return sum(layer.slots.k.nbytes + layer.slots.v.nbytes for layer in cache.layers)


def summary(log: Log, tokenizer: Tokenizer, words: int) -> list[int]:
    """The latest line of each kind and name, the latest ones first, as long as they fit in `words`; in their order."""
    chosen: list[int] = []
    met: set[Subject] = set()
    for index in range(len(log.lines) - 1, -1, -1):
        line = log.lines[index]
        subject = line[0], line[1] if "name" in EVENTS[line[0]] else ""
        if subject in met:
            continue
        met.add(subject)
        if len(line) > words:
            break
        words -= len(line)
        chosen.append(index)
    return tokenizer.log([word for index in sorted(chosen) for word in log.lines[index]])


def _compacted(network: Network, sources: Sources, cache: Cache, keep: int, way: Way) -> tuple[Cache, float]:
    """And the seconds that took."""
    ask, asking_s = sources(way.queries, way.method.on_policy)
    rate = None if way.rate is None else way.rate(network, cache.length)
    began_s = time.perf_counter()
    compacted = compact(cache.seen(cache.length), ask, keep, way.method, rate).unseen(cache.length)
    return compacted, asking_s + time.perf_counter() - began_s


def _add_unseen(
    found: Found, network: Network, sources: Sources, log: Log, cache: Cache, ratio: int, full: Sequence[bool]
) -> None:
    """Questions whose topic or name the bank has not."""
    for name, queries in UNSEEN.items():
        seen, keep = cache.seen(cache.length), cache.slots // ratio
        compacted = compact(seen, sources(queries)[0], keep, METHODS[OURS]).unseen(cache.length)
        all_found = remembered(network, log, compacted)
        for index in sources.held_out(log):
            found.shares[name, ratio].right.append(all_found[index])
            found.shares[name, ratio].full.append(full[index])


def _held_out(known: Sequence[Subject], rng: np.random.Generator) -> tuple[set[str], set[str], list[tuple[str, str]]]:
    """Topics and names that are left out, and the questions without them: of such a name only the GENERAL one."""
    names = [*dict.fromkeys(name for _, name in known if name)]
    topics = set(rng.choice(FOUND, LEFT_TOPICS, replace=False).tolist())
    marks = set(rng.choice(names, round(LEFT_NAMES * len(names)), replace=False).tolist())
    bank = questions(known, [each for each in TOPICS if each not in topics])
    return topics, marks, [each for each in bank if each[0] == GENERAL or each[1] not in marks]
