"""Where the vehicle will go: a chunk of controls by flow matching, and the path that they lead along.

After VLANeXt (Wu et al. 2026, sections 3 and 4): queries at the end of the trunk's context, a small diffusion
transformer whose block l attends to its own action tokens and to the trunk's states of layer l ("soft" link), the
vehicle's state in the trunk alone, five Euler steps. Beyond it, every action token is told a first guess of its own
action, which what looks has learnt from all drives. An action is what a unicycle does in half a second: a change of
speed and a curvature. Knows nothing about where contexts come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mm_edge.model.attention import attend

QUERIES = 16
STEPS, SPACING_S = 8, 0.5
"""Actions of a chunk, and how long each lasts."""
SCALE = (2.0, 0.004)
"""An action of 1 stands for this acceleration, m/s^2, and this curvature, 1/m, positive to the left."""
EULER_STEPS = 5
_WAVES = 32
_STANDING_M = 0.05
"""In a step shorter than this no direction can be seen."""


class PolicyBlock(nn.Module):
    """Attention and perceptron, scaled, shifted and gated by the time (adaLN-zero: Peebles & Xie 2023)."""

    def __init__(self, d: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 6 * width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.link_norm, self.link = nn.LayerNorm(d), nn.Linear(d, 2 * width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        for zero in (self.modulation.weight, self.modulation.bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor, time: Tensor, states: Tensor, bias: Tensor) -> Tensor:
        """x: [B, STEPS, width]; time: [B, width]; states: [B, n, d] of one trunk layer; bias: [B, n]."""
        shift, scale, gate, shift_up, scale_up, gate_up = self.modulation(time)[:, None].chunk(6, -1)
        q, k, v = self._heads(self.qkv(self.norm(x) * (1 + scale) + shift), 3)
        keys, values = self._heads(self.link(self.link_norm(states)), 2)
        parts = [(keys, values, bias[:, None, None]), (k, v, torch.zeros(1, 1, 1, 1))]
        attended = attend(q * q.shape[-1] ** -0.5, parts)
        x = x + gate * self.out(attended.transpose(1, 2).flatten(2))
        up = self.up(self.norm(x) * (1 + scale_up) + shift_up)
        return x + gate_up * self.down(torch.relu(up).square())

    def _heads(self, joined: Tensor, parts: int) -> Tensor:
        return joined.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4)


class Policy(nn.Module):
    def __init__(self, d: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.lift = nn.Linear(4, width)
        self.place = nn.Parameter(torch.randn(STEPS, width) * 0.5)
        self.time = nn.Sequential(nn.Linear(2 * _WAVES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.blocks = nn.ModuleList(PolicyBlock(d, width, heads) for _ in range(depth))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, actions: Tensor, sigma: Tensor, guess: Tensor, states: Tensor, bias: Tensor) -> Tensor:
        """Noisy actions [B, STEPS, 2] at noise level sigma [B] -> the velocity from actions to noise, [B, STEPS, 2].

        guess: [B, STEPS, 2], of the actions; states: [layers, B, n, d]; bias: [B, n], added to the attention scores of
        the states.
        """
        speeds = 1000.0 * 10_000.0 ** -(torch.arange(_WAVES) / _WAVES)
        angles = sigma[:, None] * speeds
        time = self.time(torch.cat([angles.cos(), angles.sin()], -1))
        x = self.lift(torch.cat([actions, guess], -1)) + self.place
        for block, state in zip(self.blocks, states.unbind(0), strict=True):
            x = block(x, time, state, bias)
        return self.out(self.norm(x))


def sample(velocity: Callable[[Tensor, Tensor], Tensor], noise: Tensor, steps: int = EULER_STEPS) -> Tensor:
    """Actions [B, STEPS, 2] from noise of that shape, by Euler steps along velocity(actions, sigma)."""
    x = noise
    for step in range(steps):
        x = x - velocity(x, torch.full((len(x),), 1 - step / steps)) / steps
    return x


def path(actions: Tensor, speed_mps: Tensor) -> Tensor:
    """Actions [B, STEPS, 2] from a speed [B] on -> positions [B, STEPS, 2] in metres, x forward, y to the left."""
    acceleration, curvature = (actions * torch.tensor(SCALE)).unbind(-1)
    speeds = (speed_mps[:, None] + (SPACING_S * acceleration).cumsum(1)).clamp(min=0.0)
    headings = (curvature * SPACING_S * speeds).cumsum(1)
    steps = torch.stack([headings.cos(), headings.sin()], -1) * (SPACING_S * speeds)[..., None]
    return steps.cumsum(1)


def actions(path_m: Tensor, speed_mps: Tensor) -> Tensor:
    """What leads along a path: the inverse of `path`. Curvature where the vehicle stands is 0."""
    steps = torch.diff(path_m, dim=1, prepend=torch.zeros_like(path_m[:, :1]))
    length = steps.norm(dim=-1)
    speeds = length / SPACING_S
    acceleration = torch.diff(speeds, dim=1, prepend=speed_mps[:, None]) / SPACING_S
    moving = length > _STANDING_M
    headings = torch.zeros_like(length)
    last = torch.zeros(len(path_m))
    for step in range(path_m.shape[1]):
        last = torch.where(moving[:, step], torch.atan2(steps[:, step, 1], steps[:, step, 0]), last)
        headings[:, step] = last
    turned = torch.diff(headings, dim=1, prepend=torch.zeros(len(path_m), 1))
    turned = torch.remainder(turned + math.pi, 2 * math.pi) - math.pi
    curvature = torch.where(moving, turned / length.clamp(min=_STANDING_M), 0.0)
    return torch.stack([acceleration, curvature], -1) / torch.tensor(SCALE)
