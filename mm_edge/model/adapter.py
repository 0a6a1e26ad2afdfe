"""What one step of a turn adds to the matrices of the trunk that all steps share (LoRA: Hu et al. 2022).

Knows nothing about what the steps are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Adapter(nn.Module):
    """Of one block of width d: a product of two matrices of `rank` for each of its own; nothing at first."""

    def __init__(self, d: int, rank: int) -> None:
        super().__init__()
        sizes = {"qkv": (d, 3 * d), "out": (d, d), "up": (d, 4 * d), "down": (4 * d, d)}
        self.into = nn.ModuleDict({name: nn.Linear(size, rank, bias=False) for name, (size, _) in sizes.items()})
        self.from_ = nn.ModuleDict({name: nn.Linear(rank, size, bias=False) for name, (_, size) in sizes.items()})
        for weight in self.from_.parameters():
            nn.init.zeros_(weight)

    def forward(self, matrix: str, out: Tensor, x: Tensor) -> Tensor:
        """`out`: what the block's own matrix makes of x."""
        return out + self.from_[matrix](self.into[matrix](x))

    @torch.no_grad()
    def merge(self, block: nn.Module) -> None:
        """Add it to the matrices of a block."""
        for name in self.into:
            added: Tensor = self.from_[name].weight @ self.into[name].weight  # type: ignore[operator]
            getattr(block, name).weight += added
