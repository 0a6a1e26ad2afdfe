"""One softmax over several parts of a context, some of them shared by many rows.

Written plainly where a graph is run or exported. In training a log that reads itself is a fused kernel on a GPU; on a
processor each part is one, and the parts are merged by their log-sum-exp (Dao et al. 2022, FlashAttention, appendix B;
Liu et al. 2023, Ring Attention, section 3): exactly the same softmax, without ever keeping its weights. Knows nothing
about layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Part = tuple[Tensor, Tensor, Tensor | None]
"""Keys and values [G, heads, n, d], and what is added to the scores, broadcast to [G, heads, T, n] with nothing to
broadcast in T unless G is the number of rows. None: they are of the T rows themselves, none of which sees later ones.

G divides the number of rows: each of the G serves that many consecutive ones.
"""
HIDDEN = -1e9
"""Added to the scores of slots that are not seen; minus infinity would make NaN of a row of them."""
LONG = 256
"""Slots from which on the fused kernel is the faster one backwards."""
FEW = 96
"""Slots up to which it is quicker to copy parts into one."""


def attend(q: Tensor, parts: Sequence[Part]) -> Tensor:
    """q: [B, heads, T, d], scaled -> what it attends to in all parts together, [B, heads, T, d]."""
    if torch.is_grad_enabled() and q.requires_grad and q.device.type == "cpu":
        biases = [None if bias is None else bias.to(q.dtype) for _, _, bias in parts]
        return _Attend.apply(q, biases, *(tensor for k, v, _ in parts for tensor in (k, v)))  # type: ignore[no-any-return]
    if torch.is_grad_enabled() and q.requires_grad and len(parts) == 1 and parts[0][2] is None:
        k, v, _ = parts[0]
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)
    parts = _joined([(k, v, later(q.shape[2]) if bias is None else bias) for k, v, bias in parts])
    scores = [ungrouped(grouped(q, len(k)) @ k.transpose(-1, -2) + bias, len(q)) for k, _, bias in parts]
    if len(parts) == 1:
        return ungrouped(grouped(scores[0].softmax(-1), len(parts[0][1])) @ parts[0][1], len(q))
    weights = torch.cat(scores, -1).softmax(-1).split([k.shape[2] for k, _, _ in parts], -1)
    found = [ungrouped(grouped(w, len(v)) @ v, len(q)) for w, (_, v, _) in zip(weights, parts, strict=True)]
    return sum(found[1:], found[0])


def _joined(parts: Sequence[tuple[Tensor, Tensor, Tensor]]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Short parts of the same rows and heads as one: to copy them takes less time than a product for each."""
    joined: list[tuple[Tensor, Tensor, Tensor]] = []
    for k, v, bias in parts:
        if joined and joined[-1][0].shape[2] + k.shape[2] <= FEW and joined[-1][0].shape[:2] == k.shape[:2]:
            before_k, before_v, before = joined.pop()
            shape = torch.broadcast_shapes(before.shape[:-1], bias.shape[:-1])
            biases = [each.expand(*shape, slots) for each, slots in ((before, before_k.shape[2]), (bias, k.shape[2]))]
            k, v, bias = torch.cat([before_k, k], 2), torch.cat([before_v, v], 2), torch.cat(biases, -1)
        joined.append((k, v, bias))
    return joined


def later(length: int) -> Tensor:
    """[length, length], HIDDEN where a column comes after the row."""
    return torch.full((length, length), HIDDEN).triu(1)


def grouped(rows: Tensor, groups: int) -> Tensor:
    """[B, h, T, a] -> [G, h, B / G * T, a]."""
    if len(rows) == groups:
        return rows
    return rows.unflatten(0, (groups, -1)).transpose(1, 2).flatten(2, 3)


def ungrouped(merged: Tensor, rows: int) -> Tensor:
    """[G, h, B / G * T, ...] -> [B, h, T, ...]."""
    if len(merged) == rows:
        return merged
    return merged.unflatten(2, (rows // len(merged), -1)).transpose(1, 2).flatten(0, 1)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, biases: list[Tensor | None], *kv: Tensor) -> Tensor:
        outs, sums = [], []
        for k, v, bias in zip(kv[::2], kv[1::2], biases, strict=True):
            out, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                grouped(q, len(k)), k, v, 0.0, bias is None, attn_mask=bias, scale=1.0
            )
            outs.append(ungrouped(out, len(q)))
            sums.append(ungrouped(total, len(q)))
        whole = torch.stack(sums).logsumexp(0)
        merged = outs[0]
        if len(outs) > 1:
            shares = [(total - whole).exp()[..., None] for total in sums]
            merged = torch.stack([share * out for share, out in zip(shares, outs, strict=True)]).sum(0).to(q.dtype)
        ctx.save_for_backward(q, merged, whole, *kv)
        ctx.biases = biases  # they never have a gradient
        return merged

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, merged, whole, *kv = ctx.saved_tensors
        for_q, for_kv = torch.zeros_like(q), []
        for k, v, bias in zip(kv[::2], kv[1::2], ctx.biases, strict=True):
            groups = len(k)
            upstream, queries, out = (grouped(tensor, groups) for tensor in (gradient, q, merged))
            total = grouped(whole[..., None], groups)[..., 0]
            backward = _long_backward if k.shape[2] >= LONG else _short_backward
            dq, dk, dv = backward(upstream, queries, out, total, k, v, bias)
            for_q += ungrouped(dq, len(q))
            for_kv += [dk, dv]
        return for_q, None, *for_kv


def _long_backward(
    gradient: Tensor, q: Tensor, out: Tensor, total: Tensor, k: Tensor, v: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """`out` and `total`, the log-sum-exp, are those of all parts together: the part's weights follow from them."""
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    causal = bias is None
    return fused(gradient, q, k, v, out, total, 0.0, causal, attn_mask=bias, scale=1.0)  # type: ignore[no-any-return]


def _short_backward(
    gradient: Tensor, q: Tensor, out: Tensor, total: Tensor, k: Tensor, v: Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    added = later(q.shape[2]) if bias is None else bias
    weights = (q @ k.transpose(-1, -2)).add_(added).sub_(total[..., None].to(q.dtype)).exp_()
    along = (gradient * out).sum(-1, keepdim=True)
    for_scores = (gradient @ v.transpose(-1, -2)).sub_(along).mul_(weights)
    return for_scores @ k, for_scores.transpose(-1, -2) @ q, weights.transpose(-1, -2) @ gradient
