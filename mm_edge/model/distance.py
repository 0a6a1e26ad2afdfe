"""How far back a word of the log seems: as far as it is up to NEAR words, and beyond that as the logarithm grows.

So what was read hours ago seems no further away than anything in training, and still older than what came after it
(grouped positions serve the same end: Jin et al. 2024, Self-Extend). Of a key that is its rotation and its last number,
which says where it stands; a word of a log is also told that in waves. Knows nothing about how keys come about.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NEAR = 256
NEWER = 64
"""Words of a log over which a head of recency 1 gains 1 in its score."""
ROPE_BASE = 20_000.0
PERIODS = 3, 12
"""Powers of two, the last one left out: the periods in words by which a word of a log is told where it stands, so that
one layer can tell the next where to look."""


def pairs(width: int) -> int:
    """Numbers of a head that are rotated, two by two; then come width // 2 that are not, and one for the place."""
    return (width - 1 - width // 2) // 2


def turn(places: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of places [...], as many angles as pairs are rotated: [..., count]."""
    angles = places[..., None] * ROPE_BASE ** -(torch.arange(count, device=places.device) / max(1, count))
    return angles.cos(), angles.sin()


def waves(places: Tensor) -> Tensor:
    """Places [T] as sines and cosines of PERIODS, [T, 2 * periods]."""
    angles = places[:, None] * (2 * math.pi / 2.0 ** torch.arange(*PERIODS))
    return torch.cat([angles.sin(), angles.cos()], -1)


def rotated(x: Tensor, by: tuple[Tensor, Tensor], *behind: Tensor) -> Tensor:
    """The first numbers of the last axis, turned pair by pair; by: cosine and sine [..., T, pairs]; behind: what
    follows them on that axis."""
    cos, sin = (part.to(x.dtype) for part in by)
    pairs = cos.shape[-1]
    a, b, rest = x.split([pairs, pairs, x.shape[-1] - 2 * pairs], -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest, *behind], -1)


def moved(k: Tensor, words: Tensor) -> Tensor:
    """Keys [..., n, width] as if they stood so many words further on; words: [1] or [..., n]."""
    return rotated(k[..., :-1], turn(words, pairs(k.shape[-1])), k[..., -1:] + (words / NEWER)[..., None])


def seen(k: Tensor, now: Tensor | float) -> Tensor:
    """Keys [..., n, width] as they are attended to from the place `now`."""
    distance = distances(k, now)
    return moved(k, distance - seeming(distance))


def from_here(k: Tensor, now: Tensor | float) -> Tensor:
    """As `seen`, with `now` as the place 0 from then on."""
    distance = distances(k, now)
    return moved(k, distance - seeming(distance) - now)


def unseen(k: Tensor, now: Tensor | float) -> Tensor:
    """The inverse of `seen`."""
    distance = distances(k, now)
    return moved(k, distance - _is(distance))


def distances(k: Tensor, now: Tensor | float) -> Tensor:
    """Words [..., n] from the places of keys to `now`."""
    return (now - k[..., -1] * NEWER).clamp(min=0)


def seeming(distance: Tensor) -> Tensor:
    """How far back a word seems that is so many words back."""
    return torch.minimum(distance, NEAR * (1 + (distance / NEAR).clamp(min=1).log()))


def _is(seeming: Tensor) -> Tensor:
    return torch.where(seeming <= NEAR, seeming, NEAR * (seeming / NEAR - 1).exp())
