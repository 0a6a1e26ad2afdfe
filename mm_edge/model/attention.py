"""One softmax over several parts of a context, some of them shared by many rows.

Written plainly where a graph is run or exported. In training on a processor each part is a fused kernel, and the parts
are merged by their log-sum-exp (Dao et al. 2022, FlashAttention, appendix B; Liu et al. 2023, Ring Attention, section
3): exactly the same softmax, without ever keeping its weights. Knows nothing about layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Part = tuple[Tensor, Tensor, Tensor]
"""Keys and values [G, heads, n, d], and what is added to the scores, broadcast to [G, heads, T, n] with nothing to
broadcast in T unless G is the number of rows.

G divides the number of rows: each of the G serves that many consecutive ones.
"""
LONG = 256
"""Slots from which on the fused kernel is the faster one backwards."""


def attend(q: Tensor, parts: Sequence[Part]) -> Tensor:
    """q: [B, heads, T, d], scaled -> what it attends to in all parts together, [B, heads, T, d]."""
    if torch.is_grad_enabled() and q.requires_grad and q.device.type == "cpu":
        biases = [bias.to(q.dtype) for _, _, bias in parts]
        return _Attend.apply(q, biases, *(tensor for k, v, _ in parts for tensor in (k, v)))  # type: ignore[no-any-return]
    scores = [ungrouped(grouped(q, len(k)) @ k.transpose(-1, -2) + bias, len(q)) for k, _, bias in parts]
    weights = torch.cat(scores, -1).softmax(-1).split([k.shape[2] for k, _, _ in parts], -1)
    found = [ungrouped(grouped(w, len(v)) @ v, len(q)) for w, (_, v, _) in zip(weights, parts, strict=True)]
    return torch.stack(found).sum(0) if len(found) > 1 else found[0]


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
    def forward(ctx: Any, q: Tensor, biases: list[Tensor], *kv: Tensor) -> Tensor:
        outs, sums = [], []
        for k, v, bias in zip(kv[::2], kv[1::2], biases, strict=True):
            out, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                grouped(q, len(k)), k, v, attn_mask=bias, scale=1.0
            )
            outs.append(ungrouped(out, len(q)))
            sums.append(ungrouped(total, len(q)))
        whole = torch.stack(sums).logsumexp(0)
        merged = outs[0]
        if len(outs) > 1:
            shares = [(total - whole).exp()[..., None] for total in sums]
            merged = torch.stack([share * out for share, out in zip(shares, outs, strict=True)]).sum(0).to(q.dtype)
        ctx.save_for_backward(q, merged, whole, *biases, *kv)
        return merged

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, merged, whole, *rest = ctx.saved_tensors
        biases, kv = rest[: len(rest) // 3], rest[len(rest) // 3 :]
        for_q, for_kv = torch.zeros_like(q), []
        for k, v, bias in zip(kv[::2], kv[1::2], biases, strict=True):
            groups = len(k)
            upstream, queries, out = (grouped(tensor, groups) for tensor in (gradient, q, merged))
            total = grouped(whole[..., None], groups)[..., 0]
            backward = _long_backward if k.shape[2] >= LONG else _short_backward
            dq, dk, dv = backward(upstream, queries, out, total, k, v, bias)
            for_q += ungrouped(dq, len(q))
            for_kv += [dk, dv]
        return for_q, None, *for_kv


def _long_backward(
    gradient: Tensor, q: Tensor, out: Tensor, total: Tensor, k: Tensor, v: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`out` and `total`, the log-sum-exp, are those of all parts together: the part's weights follow from them."""
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    return fused(gradient, q, k, v, out, total, 0.0, False, attn_mask=bias, scale=1.0)  # type: ignore[no-any-return]


def _short_backward(
    gradient: Tensor, q: Tensor, out: Tensor, total: Tensor, k: Tensor, v: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    weights = (q @ k.transpose(-1, -2)).add_(bias).sub_(total[..., None].to(q.dtype)).exp_()
    along = (gradient * out).sum(-1, keepdim=True)
    for_scores = (gradient @ v.transpose(-1, -2)).sub_(along).mul_(weights)
    return for_scores @ k, for_scores.transpose(-1, -2) @ q, weights.transpose(-1, -2) @ gradient
