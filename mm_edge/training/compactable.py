"""What is found in logs that are compacted while they are read: so the trunk learns to leave behind what can be
compacted, to read on beside that, and to find in it.

Slots and biases are those of the memory itself (memory/compaction.py) and have no gradients; the keys that stay have
those of the words that they are of, and values those of all that they are fitted to, through the least squares. Knows
nothing about what is asked or where logs are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mm_edge.memory.cache import Cache, Packed, Slots, joined
from mm_edge.memory.compaction import METHODS, Method, compact
from mm_edge.memory.matching import attention, fit_values
from mm_edge.memory.references import by_questions
from mm_edge.model.block import Past
from mm_edge.model.network import HIDDEN, WINDOW, Network
from mm_edge.training.cuts import CutLogs
from mm_edge.training.losses import found_loss, read_words
from mm_edge.training.speech import Parts

METHOD = METHODS["matching"]


def cut_losses(network: Network, logs: CutLogs) -> Parts:
    """What is asked at last, of what is left of the logs."""
    past, place = remembered(network, logs)
    return {"recalled": found_loss(network, logs.recall.finds, torch.full((1,), float(place)), past)}


def remembered(network: Network, logs: CutLogs) -> tuple[list[Past], int]:
    """What is left of the logs and what was read since, as they are seen from behind, and the place there."""
    ids, words = logs.recall.log, logs.recall.log.shape[1] - WINDOW
    caches: list[Cache] = []
    read, place = 0, 0
    for cut, bank in zip(logs.cuts, logs.banks, strict=True):
        raw = _read(network, ids[:, read : cut + WINDOW], place, caches)
        place += cut - read
        whole = [joined(old, new) for old, new in zip(caches, raw, strict=True)] if caches else raw
        caches = [
            compacted(network, cache, asked, place, logs.slots * cache.heads)
            for cache, asked in zip(whole, bank, strict=True)
        ]
        place += logs.gap
        read = cut
    past = [padded(caches)] if caches else []
    if read < words:
        past.append(padded(_read(network, ids[:, read:], place, caches)))
        place += words - read
    return [each.seen(torch.full((1,), float(place))) for each in past], place


def compacted(network: Network, cache: Cache, asked: Tensor, now: int, keep: int) -> Cache:
    """At most `keep` slots of all heads of what was read up to the place `now`, for questions [Q, ASKED]."""
    seen = replace(cache, length=now).seen(now)
    with torch.no_grad():
        queries = by_questions(network, asked)(seen)
    return replace(matched(seen, queries, keep).unseen(now), length=cache.length)


def matched(cache: Cache, queries: Sequence[Tensor], keep: int, method: Method = METHOD) -> Cache:
    """As `compact`, with gradients; queries: of each layer [heads, n, d_head]."""
    with torch.no_grad():
        found = compact(cache.each(_numbered), lambda _: [*queries], keep, method)
    kept = [layer.heads() for layer in found.layers]

    def change(layer: int, head: int, slots: Slots) -> Slots:
        stay, asked = kept[layer][head], queries[layer][head]
        if len(stay) == len(slots):
            return slots
        left = replace(slots.at(stay.tag), bias=stay.bias)  # type: ignore[arg-type]
        outputs = attention(slots, asked) @ slots.v
        return replace(left, v=fit_values(left, asked, outputs, method.matching.nearness))

    return cache.each(change)


def padded(caches: Sequence[Cache]) -> Past:
    """One of each row, whose heads are of as many slots as the longest of a layer; the others' are hidden."""

    def filled(layers: Sequence[Packed], name: str, value: float) -> Tensor:
        parts = [getattr(head, name) for layer in layers for head in layer.heads()]
        return pad_sequence(parts, batch_first=True, padding_value=value).unflatten(0, (len(caches), -1))

    every = [*zip(*(cache.layers for cache in caches), strict=True)]
    return Past(
        [(filled(layers, "k", 0.0), filled(layers, "v", 0.0)) for layers in every],
        [filled(layers, "bias", HIDDEN) for layers in every],
    )


def _read(network: Network, ids: Tensor, place: int, caches: Sequence[Cache]) -> list[Cache]:
    """ids [rows, WINDOW + n], from `place` on, beside what is left of what came before."""
    rows, length = len(ids), ids.shape[1] - WINDOW
    layers = read_words(network, ids, torch.zeros(rows, length), place, [padded(caches)] if caches else [])
    return [Cache.of([(k[row, None], v[row, None]) for k, v in layers], length) for row in range(rows)]


def _numbered(layer: int, head: int, slots: Slots) -> Slots:
    return replace(slots, tag=torch.arange(len(slots)))
