"""What was said again later: of slots that are alike, the latest keeps its lead over the others, however far away.

Far words seem to stand close together (model/distance.py). So hours later, of several mentions of a name, the latest is
hardly ahead any more, and attention blends them all. Slots with like keys are found by the same queries, and recency
alone tells them apart. Knows nothing about names or words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.memory.cache import Cache, Slots
from mm_edge.model.distance import NEWER, distances, seeming, seen

ALIKE = 0.95
"""Cosine of two keys from which on they are. In the heads of the shipped small rung that match names, keys behind the
same name in lines of the same kind have 0.97 or more, those behind different names 0.6 or less."""


def outdated(cache: Cache, now: int, queries: Sequence[Tensor]) -> Cache:
    """With lower biases of what was said again later: as if its latest mention were just now, and the others as far
    behind it as they are. Where that was done before, it is done again, until what is outdated counts for nothing.

    now: the place it is seen from; queries: of each layer [heads, n, d_head], whose last numbers, all the same, tell
    how much a head favours what is recent.
    """

    def change(layer: int, head: int, slots: Slots) -> Slots:
        recency = queries[layer][head, 0, -1]
        return replace(slots, bias=slots.bias - recency * lost(slots.k, now) / NEWER)

    return cache.each(change)


def lost(k: Tensor, now: int) -> Tensor:
    """Words [n] of what each key [n, width] is behind its latest like that do not seem so from the place `now`."""
    ways = F.normalize(seen(k, now)[:, :-1].float(), dim=1)
    distance = distances(k, now)
    latest = torch.where(ways @ ways.T >= ALIKE, distance, torch.inf).amin(1).minimum(distance)
    return (seeming(distance - latest) - (seeming(distance) - seeming(latest))).clamp(min=0)
