"""A cache in fewer slots, by Attention Matching or by any of the methods that it is compared with.

The reference queries are asked for layer by layer where that is wanted (on-policy), budgets are shared among all heads,
and every head is then compacted alone. Knows nothing about what is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from mm_edge.memory import budgets
from mm_edge.memory.cache import Cache, Packed, Slots, joined
from mm_edge.memory.matching import PROGRESSIVE, Attended, Matching, attended, match
from mm_edge.memory.references import Ask

Rate = Callable[[Slots, Tensor, int], Tensor]
"""Slots of a head, its queries [n, d] and its layer -> how much each slot is worth."""
Looked = tuple[Tensor, Attended | None]
"""What the slots of a head are worth, and what queries get from all of them, where that is why."""


@dataclass(frozen=True)
class Method:
    """budget: "uniform"; "pyramid", less for later layers; "layer" and "global", by the scores of all heads of a layer,
    or of all layers; "sensitivity", by `shares` of the heads; on_policy: queries of a layer come from a cache whose
    earlier layers are compacted already; chunk: slots per head that are compacted on their own, None: all at once."""

    matching: Matching = field(default_factory=Matching)
    budget: Literal["uniform", "pyramid", "global", "layer", "sensitivity"] = "uniform"
    shares: tuple[float, ...] = ()
    on_policy: bool = False
    chunk: int | None = None


_EVICTION = Matching(bias=False, values=False)
_PURSUIT = Matching(select="pursuit", iterations=0, box=(-math.inf, 7.0), dropped=-7.0)
_FAST = ((math.inf, 4, 2),)
METHODS = {
    "matching": Method(Matching(relative=True, nearness=0.01), budget="global"),
    "AM-HighestAttnKeys": Method(Matching(), on_policy=True),
    "AM-HighestAttnKeys-basic": Method(Matching()),
    "AM-OMP": Method(_PURSUIT, on_policy=True),
    "AM-OMP-fast": Method(Matching(**vars(_PURSUIT) | {"schedule": _FAST}), on_policy=True),
    "AM-OMP-progressive": Method(Matching(**vars(_PURSUIT) | {"schedule": PROGRESSIVE}), on_policy=True),
    "eviction": Method(_EVICTION, budget="global"),
    "eviction-uniform": Method(_EVICTION),
    "H2O": Method(_EVICTION),
    "SnapKV": Method(Matching(score="mean", pool=7, bias=False, values=False)),
    "PyramidKV": Method(Matching(score="mean", pool=7, bias=False, values=False), budget="pyramid"),
    "KVzip": Method(Matching(score="max", bias=False, values=False), budget="global"),
}  # fmt: skip
"""`matching` is this package's own; those that begin with AM are the paper's named configurations; then come evictions,
which differ by their queries as well (references.py) or rate the slots themselves (baselines.py)."""


def compact(cache: Cache, ask: Ask, keep: int, method: Method, rate: Rate | None = None) -> Cache:
    """`keep` slots of all heads together, or a few fewer. rate: what slots are worth, unless that follows from the
    queries.

    Raises ValueError where `match` does, and for fewer slots than heads; a cache that has no more slots stays as it is.
    """
    if keep >= cache.slots:
        return cache
    if method.chunk is not None and max(max(layer.lengths) for layer in cache.layers) > method.chunk:
        return _in_chunks(cache, ask, keep, method, rate)
    queries = ask(cache)

    def looked(index: int) -> list[Looked]:
        each = zip(cache.layers[index].heads(), queries[index], strict=True)
        if rate is not None:
            return [(rate(slots, q, index), None) for slots, q in each]
        found = [attended(slots, q, method.matching.score, method.matching.pool) for slots, q in each]
        return [(one.score, one) for one in found]

    found = [looked(index) for index in range(len(cache.layers))]
    wanted = _budgets(cache, [[score for score, _ in layer] for layer in found], keep, method)
    layers = [*cache.layers]
    for index, layer in enumerate(cache.layers):
        if method.on_policy and index:
            queries = ask(Cache(tuple(layers), cache.length))
            found[index] = looked(index)
        each = zip(layer.heads(), queries[index], wanted[index], found[index], strict=True)
        layers[index] = Packed.of([match(slots, q, keep, method.matching, *one) for slots, q, keep, one in each])
    return Cache(tuple(layers), cache.length)


def error(cache: Cache, compacted: Cache, queries: Sequence[Tensor]) -> float:
    """How far outputs are off for queries of each layer [heads, n, d], relative to the outputs, over all heads."""
    off, whole = 0.0, 0.0
    for before, after, asked in zip(cache.layers, compacted.layers, queries, strict=True):
        for one, other, q in zip(before.heads(), after.heads(), asked, strict=True):
            right = (q @ one.k.T + one.bias).softmax(-1) @ one.v
            off += float(((q @ other.k.T + other.bias).softmax(-1) @ other.v - right).square().sum())
            whole += float(right.square().sum())
    return math.sqrt(off / whole) if whole else 0.0


def _budgets(cache: Cache, rated: Sequence[Sequence[Tensor]], keep: int, method: Method) -> list[list[int]]:
    """Slots of each head of each layer."""
    lengths = [length for layer in cache.layers for length in layer.lengths]
    if method.budget == "global":
        every = budgets.highest([score for layer in rated for score in layer], keep)
    elif method.budget == "layer":
        share = keep // len(rated)
        every = [count for layer in rated for count in budgets.highest(layer, share)]
    elif method.budget == "pyramid":
        layers = [index for index, layer in enumerate(cache.layers) for _ in layer.lengths]
        every = budgets.pyramid(layers, lengths, keep)
    elif method.budget == "sensitivity":
        every = budgets.shared(lengths, keep, method.shares, budgets.MOST)
    else:
        every = budgets.uniform(lengths, keep)
    sizes = [len(layer.lengths) for layer in cache.layers]
    return [part.tolist() for part in torch.tensor(every).split(sizes)]


def _in_chunks(cache: Cache, ask: Ask, keep: int, method: Method, rate: Rate | None) -> Cache:
    """Parts of the same size, one after the other, each at the same ratio; all are asked the same."""
    assert method.chunk is not None
    longest = max(max(layer.lengths) for layer in cache.layers)
    queries = ask(cache)
    whole = Method(**vars(method) | {"chunk": None})
    parts = []
    for first in range(0, longest, method.chunk):
        part = cache.cut(first, first + method.chunk)
        part = Cache(part.layers, min(method.chunk, longest - first))
        parts.append(compact(part, lambda _: queries, keep * part.slots // cache.slots, whole, rate))
    merged = parts[0]
    for part in parts[1:]:
        merged = joined(merged, part)
    return Cache(merged.layers, cache.length)
