"""How many slots every head keeps, when all of them together may keep so many.

Knows nothing about what slots hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

FLOOR = 0.15
"""Of the equal share: what every head keeps at least."""
MOST = 0.75
"""Of its length: what a head keeps at most (max_ratio_per_head of the published configurations)."""
STEP = 1e-3
"""Of all slots: what `swapped` moves at once, less where there are many heads."""


def shared(lengths: Sequence[int], total: int, shares: Sequence[float], most: float = 1.0) -> list[int]:
    """`total` slots by shares of the heads; no head gets more than `most` of its length, nor fewer than one slot: what
    is too much for one is shared by the others (water-filling), what is left of rounding goes to the largest rests.
    Raises ValueError when there are fewer slots than heads."""
    if total < len(lengths):
        raise ValueError(f"{total} slots for {len(lengths)} heads")
    limits = [max(1, int(most * length)) for length in lengths]
    wanted = [1.0] * len(lengths)
    open_ = {head for head, limit in enumerate(limits) if limit > 1 and shares[head] > 0}
    left = float(min(total, sum(limits)) - len(lengths))
    while open_ and left > 1e-9:
        whole = sum(shares[head] for head in open_)
        given = {head: min(left * shares[head] / whole, limits[head] - wanted[head]) for head in open_}
        for head, more in given.items():
            wanted[head] += more
        left -= sum(given.values())
        open_ = {head for head in open_ if limits[head] - wanted[head] > 1e-9}
    budgets = [int(each + 1e-9) for each in wanted]
    rests = sorted(range(len(lengths)), key=lambda head: budgets[head] - wanted[head])
    for head in rests[: round(sum(wanted)) - sum(budgets)]:
        budgets[head] += budgets[head] < limits[head]
    return budgets


def uniform(lengths: Sequence[int], total: int) -> list[int]:
    """The same for all heads."""
    return shared(lengths, total, [1.0] * len(lengths))


def pyramid(layers: Sequence[int], lengths: Sequence[int], total: int, beta: float = 20.0) -> list[int]:
    """Less for every later layer, from 2 - 1 / beta of the mean down to 1 / beta of it (PyramidKV: Cai et al. 2024);
    layers: the layer of each head."""
    last = max(1, max(layers))
    shares = [(2 - 1 / beta) + (2 / beta - 2) * layer / last for layer in layers]
    return shared(lengths, total, shares)


def highest(scores: Sequence[Tensor], total: int, floor: float = FLOOR) -> list[int]:
    """The `total` slots of the highest scores, whichever head they are in; every head keeps `floor` of its equal share
    (AdaKV, Feng et al. 2024, over all layers at once)."""
    scores = [score.cpu() for score in scores]
    lengths = [len(score) for score in scores]
    if total < len(lengths):
        raise ValueError(f"{total} slots for {len(lengths)} heads")
    if total >= sum(lengths):
        return lengths
    least = [min(length, max(1, int(floor * total / len(lengths)))) for length in lengths]
    sure = [score.topk(count).indices for score, count in zip(scores, least, strict=True)]
    rest = torch.cat([score.index_fill(0, index, -torch.inf) for score, index in zip(scores, sure, strict=True)])
    head = torch.cat([torch.full((length,), index) for index, length in enumerate(lengths)])
    more = head[rest.topk(max(0, total - sum(least))).indices].bincount(minlength=len(lengths))
    return [count + extra for count, extra in zip(least, more.tolist(), strict=True)]


def swapped(curves: Tensor, ratios: Tensor, targets: Sequence[float]) -> Tensor:
    """Shares [heads], 1 together, from sensitivity curves (algorithm 4): STEP goes from the head that loses least to
    the one that gains most, as long as anything is gained.

    curves: [heads, points], the loss when a head alone keeps `ratios` [points] of its length; targets: the ratios over
    which the loss is averaged.
    """
    heads = len(curves)
    shares, step = torch.full((heads,), 1 / heads, dtype=torch.double), min(STEP, 0.1 / heads)

    def losses(given: Tensor) -> Tensor:
        return torch.stack([_interpolated(curves, ratios, given * target * heads) for target in targets]).mean(0)

    for _ in range(int(1 / step) * heads):
        now = losses(shares)
        gain, loss = now - losses(shares + step), losses((shares - step).clamp(min=0)) - now
        loss[shares <= step] = torch.inf
        gain[loss.argmin()] = -torch.inf
        if gain.max() <= loss.min():
            break
        shares[gain.argmax()] += step
        shares[loss.argmin()] -= step
    return shares


def _interpolated(curves: Tensor, ratios: Tensor, at: Tensor) -> Tensor:
    """Each head's curve [heads, points] at its own ratio [heads]."""
    upper = torch.searchsorted(ratios.to(at.dtype), at.clamp(max=float(ratios[-1]))).clamp(1, len(ratios) - 1)
    low, high = ratios[upper - 1], ratios[upper]
    share = ((at - low) / (high - low)).clamp(0, 1)
    rows = torch.arange(len(curves))
    return torch.lerp(curves[rows, upper - 1].to(at.dtype), curves[rows, upper].to(at.dtype), share)
