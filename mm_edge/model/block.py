"""One layer of the trunk. Knows nothing about what its tokens are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.adapter import Adapter
from mm_edge.model.attention import attend
from mm_edge.model.distance import NEWER, rotated, seen

KV = tuple[Tensor, Tensor]
"""Keys (rotated to their place) and values of one layer, each [B, heads, n, d_head]."""


@dataclass(frozen=True)
class Past:
    """Tokens that were read before. layers: one KV each; bias: [B, n], added to the scores, or one [B, heads, n] for
    each layer, whose keys and values may then be of one head that all heads share.

    B divides the rows of what attends to it: each serves that many consecutive ones.
    """

    layers: Sequence[KV]
    bias: Tensor | Sequence[Tensor]

    def seen(self, now: Tensor) -> Past:
        """As it is attended to from the place `now` [1] (distance.py)."""
        return Past([(seen(k, now), v) for k, v in self.layers], self.bias)

    def layer(self, index: int) -> tuple[KV, Tensor]:
        """Keys, values and what is added to the scores, [B, 1 or heads, 1, n]."""
        if isinstance(self.bias, Tensor):
            return self.layers[index], self.bias[:, None, None]
        return self.layers[index], self.bias[index][:, :, None]


class Run(NamedTuple):
    """The state after every layer [B, T, d], every layer's keys and values, and its queries [B, heads, T, d_head]."""

    states: list[Tensor]
    cache: list[KV]
    queries: list[Tensor]


class Block(nn.Module):
    """Pre-norm attention with normalised queries and keys (Henry et al. 2020), rotated places (Su et al. 2021) on a
    part of each head, and a slope per head that favours what is recent (ALiBi: Press et al. 2022, here learnt, and in
    the last number of queries and keys), since most questions are about the latest of several events; then a
    squared-ReLU perceptron (So et al. 2021, Primer)."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.gain = nn.Parameter(torch.full((heads, 1, 1), 2.0))
        self.recency = nn.Parameter(torch.linspace(0, 4, heads)[:, None, None])
        for last in (self.out, self.down):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self,
        x: Tensor,
        turn: KV,
        age: Tensor,
        past: Sequence[tuple[KV, Tensor]],
        mask: Tensor | None,
        adapter: Adapter | None = None,
    ) -> tuple[Tensor, Tensor, KV]:
        """x: [B, T, d]; turn: cosine and sine of its places, [T, turned / 2]; age: how recent it is in words, [T] or
        [1]; past: keys, values and bias of what came before; mask: added to the scores among x, broadcast to [B, heads,
        T, T], None: x is causal; adapter: what the step adds. Returns x, its queries, and its own keys and values."""
        add = adapter or _nothing
        normed = self.norm_attention(x)
        joint = add("qkv", self.qkv(normed), normed).unflatten(-1, (3 * self.heads, -1)).transpose(1, 2)
        both, v = joint.split([2 * self.heads, self.heads], 1)
        gain = torch.cat([self._sharpness, torch.ones_like(self.gain)])
        last = torch.cat(torch.broadcast_tensors(self.recency, (age / NEWER)[:, None]))
        q, k = _placed(both, turn, gain, last).split(self.heads, 1)
        attended = attend(q, [*((key, value, bias) for (key, value), bias in past), (k, v, mask)])
        attended = attended.transpose(1, 2).flatten(2)
        x = x + add("out", self.out(attended), attended)
        normed = self.norm_mlp(x)
        hidden = F.relu(add("up", self.up(normed), normed))
        hidden = hidden * hidden  # a square is a power where it is exported, and those are slow
        return x + add("down", self.down(hidden), hidden), q, (k, v)

    def queries(self, x: Tensor, turn: KV) -> Tensor:
        """Those of `forward` without an adapter, and nothing else."""
        d = x.shape[-1]
        q = F.linear(self.norm_attention(x), self.qkv.weight[:d], self.qkv.bias[:d])
        q = q.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return _placed(q, turn, self._sharpness, self.recency)

    @property
    def _sharpness(self) -> Tensor:
        """What queries are multiplied by [heads, 1, 1]."""
        width = self.qkv.in_features // self.heads
        return self.gain * width**-0.5


def _placed(x: Tensor, turn: KV, gain: Tensor, last: Tensor) -> Tensor:
    """Queries, keys or both in one tensor [B, heads, T, d_head], normalised, times their gain [heads, 1, 1], at their
    places, with `last`, broadcast to [heads, T, 1], as their last number. Both in one, since a pass over few tokens
    takes as long as it has operations."""
    behind = last.to(x.dtype).expand(*x.shape[:-1], 1)
    return rotated(normalised(x[..., :-1]) * gain.to(x.dtype), turn, behind)


def _nothing(matrix: str, out: Tensor, x: Tensor) -> Tensor:
    return out


def normalised(x: Tensor) -> Tensor:
    """To a root mean square of 1 along the last axis. With a weight of ones, and a quotient where a product would do:
    that is what ONNX Runtime knows as one operation."""
    return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * x.new_ones(x.shape[-1])
