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
            alike = defaultdict(list)
            for matrix in (parameter for parameter in group["params"] if parameter.grad is not None):
                momentum = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix))
                momentum.lerp_(matrix.grad, 1 - MOMENTUM)
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                alike[matrix.shape].append((matrix, matrix.grad.lerp(momentum, MOMENTUM)))
            for (rows, columns), both in alike.items():
                updates = orthogonal(torch.stack([update for _, update in both]))
                for (matrix, _), update in zip(both, updates, strict=True):
                    matrix.add_(update, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)


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
