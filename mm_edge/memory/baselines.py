"""How other methods rate the slots of a cache: what they keep is what is rated highest.

Formulas as in NVIDIA's kvpress, scaled queries and no groups of heads. Knows nothing about budgets.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mm_edge.memory.cache import Slots
from mm_edge.model.distance import rotated

SINKS = 4
"""First slots that are always kept (StreamingLLM: Xiao et al. 2024; Expected Attention)."""
HORIZON = 512
"""Places ahead over which an expected query is averaged."""


def recent(length: int, sinks: int = SINKS) -> Tensor:
    """The first `sinks` and then the latest slots [length]; 0: plain truncation."""
    rated = torch.arange(1.0, length + 1)
    rated[:sinks] = math.inf
    return rated


def observed(slots: Slots, queries: Tensor) -> Tensor:
    """Attention that each slot got from the queries [n, d] of the same words, of each the mean over those that could
    see it (H2O: Zhang et al. 2023, as ObservedAttention in kvpress)."""
    logits = queries @ slots.k.T + slots.bias
    weights = logits.masked_fill(torch.ones_like(logits).triu(1).bool(), -math.inf).softmax(-1)
    return weights.sum(0) / torch.arange(len(slots), 0, -1.0)


def expected(slots: Slots, queries: Tensor, turn: tuple[Tensor, Tensor], ahead: tuple[Tensor, Tensor]) -> Tensor:
    """Expected Attention (Devoto et al. 2025): softmax of mu' k + k' Sigma' k / 2 over the slots, times the length of
    the value; the first SINKS are rated highest.

    queries: [n, d], whose first numbers are rotated; turn: cosine and sine of their places, [n, pairs]; ahead: of the
    HORIZON places that follow, over which the rotation is averaged.
    """
    plain = rotated(queries, (turn[0], -turn[1]))[SINKS:]
    mean, spread = plain.mean(0), torch.cov(plain.T, correction=0)
    rotation = _mean_rotation(ahead, queries.shape[1])
    mean, spread = rotation @ mean, rotation @ spread @ rotation.T
    logits = slots.k @ mean + (slots.k @ spread * slots.k).sum(1) / 2 + slots.bias
    rated = logits.softmax(0) * slots.v.norm(dim=1)
    rated[:SINKS] = math.inf
    return rated


def _mean_rotation(ahead: tuple[Tensor, Tensor], width: int) -> Tensor:
    """[width, width]: what the rotations of the places do on average; nothing to the numbers behind the pairs."""
    cos, sin = (part.mean(0) for part in ahead)
    pairs = len(cos)
    rotation = torch.eye(width)
    first, second = torch.arange(pairs), torch.arange(pairs, 2 * pairs)
    rotation[first, first] = rotation[second, second] = cos
    rotation[first, second], rotation[second, first] = -sin, sin
    return rotation
