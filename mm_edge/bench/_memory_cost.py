"""What compaction costs beside reading, what it saves when a question is asked, and what its bias is worth.

Both sides of every figure take turns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mm_edge.bench._memory_logs import CHUNK, log_of, read
from mm_edge.memory.cache import Cache, Slots
from mm_edge.memory.compaction import METHODS, compact
from mm_edge.memory.matching import Matching, match
from mm_edge.memory.references import TOPICS, by_questions, question_ids, questions, subjects
from mm_edge.model.network import Network
from mm_edge.model.tokenizer import Tokenizer

OURS = METHODS["matching"]
SELECTIONS = {"matching": OURS.matching, "AM-OMP": METHODS["AM-OMP"].matching}
PAST, NEW, WIDTH = 1024, 128, 64
"""Of the stress: keys that are compacted, keys that come after, and the width of a head."""
CLUSTERS, SPREAD = 16, 0.5
"""Centres, whose numbers are standard normal, and how far keys and queries are from them."""
FITTED, HELD_OUT = 256, 512
"""Queries that are fitted to, and queries by which is measured."""
T = TypeVar("T")


@dataclass(frozen=True)
class Times:
    """Seconds for one log: read as engines do it, and in one pass; its questions asked; compacted."""

    chunks_s: float
    one_pass_s: float
    asking_s: float
    compacting_s: float

    @property
    def whole_s(self) -> float:
        return self.asking_s + self.compacting_s


def times(network: Network, tokenizer: Tokenizer, seed: int, words: int, ratio: int) -> Times:
    log = log_of(seed, words, tokenizer, ())
    ids = question_ids(questions(subjects(log.words)), tokenizer)
    cache, chunks_s = _timed(lambda: read(network, log.ids, CHUNK))
    _, one_pass_s = _timed(lambda: read(network, log.ids, len(log.ids)))
    now = cache.length
    queries, asking_s = _timed(lambda: by_questions(network, ids)(cache.seen(now)))
    _, compacting_s = _timed(
        lambda: compact(cache.seen(now), lambda _: queries, cache.slots // ratio, OURS).unseen(now)
    )
    return Times(chunks_s, one_pass_s, asking_s, compacting_s)


def decode_s(network: Network, tokenizer: Tokenizer, words: int, ratio: int, repeats: int) -> tuple[float, float]:
    """Median seconds to find what one question asks for, on the full cache of `words` random words and on the compacted
    one."""
    generator, config = torch.Generator().manual_seed(0), network.config
    shape = (config.layers, 2, 1, config.heads, words, config.d // config.heads)
    full = Cache.of([(k, v) for k, v in torch.randn(shape, generator=generator)], words)
    ids = question_ids([(topic, "place") for topic in TOPICS], tokenizer)
    compacted = compact(full, by_questions(network, ids), full.slots // ratio, OURS)
    asked, place = network.word(ids[:1]), torch.tensor([float(words)])
    one, other = full.past(), compacted.past()

    def find_s(cache: Cache) -> float:
        past = one if cache is full else other
        return _timed(lambda: network.find(asked, place, [past.seen(place)]))[1]

    taken_s = [(find_s(full), find_s(compacted)) for _ in range(repeats)]
    on_full, on_compacted = np.median(taken_s, 0).tolist()
    return on_full, on_compacted


def mass_error(how: Matching, ratio: int, seeds: Sequence[int]) -> float:
    """How far off is the share of attention that goes to PAST keys, once they are compacted and NEW ones come behind
    them: the mean over queries that were not fitted to."""
    return float(np.mean([_mass_error(how, PAST // ratio, seed) for seed in seeds]))


def without_bias(how: Matching) -> Matching:
    return replace(how, bias=False)


def _mass_error(how: Matching, keep: int, seed: int) -> float:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(CLUSTERS, WIDTH, generator=generator)

    def around(count: int) -> Tensor:
        of = torch.randint(CLUSTERS, (count,), generator=generator)
        return centres[of] + SPREAD * torch.randn(count, WIDTH, generator=generator)

    past = Slots(around(PAST), torch.randn(PAST, WIDTH, generator=generator), torch.zeros(PAST))
    new = Slots(around(NEW), torch.zeros(NEW, WIDTH), torch.zeros(NEW))
    fitted, queries = (around(FITTED + HELD_OUT) / math.sqrt(WIDTH)).split([FITTED, HELD_OUT])
    kept = match(past, fitted, keep, how)
    right, found = (_share(slots, new, queries) for slots in (past, kept))
    return float((right - found).abs().mean())


def _share(past: Slots, new: Slots, queries: Tensor) -> Tensor:
    """Of attention, that goes to the past [q]."""
    before, after = ((queries @ slots.k.T + slots.bias).logsumexp(1) for slots in (past, new))
    return (before - after).sigmoid()


def _timed(run: Callable[[], T]) -> tuple[T, float]:
    began_s = time.perf_counter()
    result = run()
    return result, time.perf_counter() - began_s
