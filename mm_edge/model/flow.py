"""The path from noise to words that a flow map takes: its clock, its noise, and where it is when.

A word y at level c is (1 - c) noise + c onehot(y), noise a standard normal over all V words (FLM: "Flow Map Language
Models", 2026, section 3). The trunk sees it through its table of words E alone, so the state is kept in its d
coordinates, where the noise is of covariance E'E; it is whitened, so that whoever draws it needs no table. Knows
nothing about networks.
"""

from __future__ import annotations

import torch
from torch import Tensor

TIMES = 16
"""Waves by which a time is told."""
KNOTS = 512
_NODES = 4001


def clock(vocabulary: int, d: int) -> Tensor:
    """The levels c [KNOTS] at equally spaced times from 0 to 1.

    Time goes by how many words can be told already (the same paper, section 3.3): tau(c) = (V q(c) - 1) / (V - 1), with
    q the share of words whose score is the highest of all. Here scores are of V words in d coordinates, so that the
    best of them is (d / V)^0.5 times less far above the others.
    """
    z = torch.linspace(-8, 8, _NODES, dtype=torch.float64)
    weight = (-z.square() / 2).exp()
    level = torch.linspace(0, 1, 4 * KNOTS + 1, dtype=torch.float64)[:-1]
    above = min(1.0, d / vocabulary) ** 0.5 * level / (1 - level)
    others = torch.special.log_ndtr(z + above[:, None]) * (vocabulary - 1)
    right = (others.exp() * weight).sum(1) / weight.sum()
    passed = (vocabulary * right - 1) / (vocabulary - 1) + (level - 1) * 1e-6
    passed = torch.cat([passed, torch.ones(1, dtype=torch.float64)])
    passed = (passed - passed[0]) / (1 - passed[0])
    times = torch.linspace(0, 1, KNOTS, dtype=torch.float64)
    after = torch.searchsorted(passed, times).clamp(1, len(passed) - 1)
    level = torch.cat([level, torch.ones(1, dtype=torch.float64)])
    part = (times - passed[after - 1]) / (passed[after] - passed[after - 1])
    return torch.lerp(level[after - 1], level[after], part.clamp(0, 1)).float()


def at(clock: Tensor, time: Tensor) -> Tensor:
    """The level at times from 0 to 1."""
    place = time * (KNOTS - 1)
    before = torch.minimum(place.floor(), torch.full_like(place, KNOTS - 2.0)).long()
    return torch.lerp(clock[before], clock[before + 1], place - before)


def ramps(time: Tensor) -> Tensor:
    """A time as waves: [...] -> [..., TIMES]."""
    return (torch.pi * time[..., None] * torch.arange(TIMES)).cos()


def coloured(table: Tensor) -> Tensor:
    """table: words [V, d] -> [2, d, d]: `white @ first` is noise over all words times the table, and the second undoes
    that."""
    covariance = table.T.double() @ table.double()
    size = covariance.diagonal().mean()
    factor = torch.linalg.cholesky(covariance + 1e-4 * size * torch.eye(len(covariance)).to(covariance))
    return torch.stack([factor.T, torch.linalg.inv(factor.T)]).to(table.dtype)


def moved(noisy: Tensor, mean: Tensor, now: Tensor, then: Tensor) -> Tensor:
    """Where the flow map leads [B, L, d] from level `now` to level `then` [B, L], `mean` being the denoiser's."""
    left = torch.maximum(1 - now, torch.full_like(now, 1e-6))
    kept = ((1 - then) / left)[..., None]
    return kept * noisy + (1 - kept) * mean


def halfway(first: Tensor, second: Tensor, now: Tensor, middle: Tensor, then: Tensor) -> Tensor:
    """The denoiser's answer from `now` to `then` as two halves make it (semigroup identity, the same paper's third
    version, section 4): `first` is that from now to middle, `second` that from middle to then; levels [B, L]."""
    share = (1 - then) * (middle - now) / ((1 - middle) * (then - now)).clamp(min=1e-9)
    return torch.lerp(second, first, share[..., None])
