"""Muon in single precision, for processors without matrix units for bfloat16.

`torch.optim.Muon` multiplies in bfloat16, which such processors only emulate: its step can then take as long as the
gradient. Knows nothing about which matrices it is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration (Jordan et al. 2024, "Muon: an optimizer for hidden layers")."""
ITERATIONS = 5


class Muon(Optimizer):
    """Momentum (Nesterov 1983) whose update is made orthogonal. params: matrices [m, n]; lr and weight_decay: as in
    `torch.optim.Muon`, whose steps it takes but for rounding."""

    def __init__(self, params: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float, weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            if not matrices:
                continue
            gradients = [matrix.grad for matrix in matrices]
            momenta = [self.state[m].setdefault("momentum_buffer", torch.zeros_like(m)) for m in matrices]
            torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            alike = defaultdict(list)
            for each in zip(matrices, torch._foreach_lerp(gradients, momenta, MOMENTUM), strict=True):
                alike[each[0].shape].append(each)
            for (rows, columns), both in alike.items():
                updates = orthogonal(torch.stack([update for _, update in both]))
                size = group["lr"] * max(1, rows / columns) ** 0.5
                torch._foreach_add_([matrix for matrix, _ in both], updates.unbind(0), alpha=-size)


def orthogonal(matrix: Tensor) -> Tensor:
    """[..., m, n] -> nearly U V^T of its singular value decomposition: singular values between about 0.5 and 1.5."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
