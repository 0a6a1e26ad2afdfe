"""How far back the past seems: near as it is, far as a logarithm, in order, and never lost."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.model.distance import NEAR, NEWER, from_here, moved, pairs, seen, turn, unseen

WIDTH = 40
PLACES = st.lists(st.integers(0, 60_000), min_size=1, max_size=20, unique=True).map(sorted)


def keys(places: list[int]) -> torch.Tensor:
    """Keys [n, WIDTH] of one direction, as they stand at these places."""
    plain = torch.ones(len(places), WIDTH)
    plain[:, -1] = 0.0
    there = torch.tensor(places, dtype=torch.float)
    count = pairs(WIDTH)
    cos, sin = turn(there, count)
    a, b = plain[:, :count], plain[:, count : 2 * count]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, plain[:, 2 * count : -1], there[:, None] / NEWER], 1)


@given(PLACES)
def test_what_is_seen_from_somewhere_can_be_put_back(places: list[int]) -> None:
    k, now = keys(places), float(places[-1] + 3)
    back = unseen(seen(k, now), now)
    assert torch.allclose(back[:, -1], k[:, -1], atol=0.1, rtol=1e-4)
    assert torch.allclose(back[:, WIDTH // 2 : -1], k[:, WIDTH // 2 : -1])


@given(PLACES)
def test_from_here_all_is_as_it_is_seen_but_that_here_is_0(places: list[int]) -> None:
    k, now = keys(places), float(places[-1] + 3)
    here = from_here(k, now)
    assert torch.allclose(moved(here, torch.tensor([now])), seen(k, now), atol=0.1)
    assert (here[:, -1] <= 0).all()


@given(PLACES)
def test_what_is_older_seems_further_back(places: list[int]) -> None:
    seems = seen(keys(places), float(places[-1] + 1))[:, -1]
    assert (seems.diff() > -1e-4).all()


def test_what_is_near_is_seen_as_it_is() -> None:
    k = keys([100, 100 + NEAR // 2])
    assert torch.allclose(seen(k, 100.0 + NEAR), k, atol=1e-5)


def test_hours_seem_hardly_further_than_training_went() -> None:
    place = seen(keys([0]), 40_000.0)[0, -1] * NEWER
    assert 0 < 40_000.0 - place < 1600


def test_a_rotation_goes_with_the_place() -> None:
    far = seen(keys([0]), 5000.0)
    there = float(far[0, -1] * NEWER)
    count = pairs(WIDTH)
    cos, sin = turn(torch.tensor([there]), count)
    assert torch.allclose(far[:, :count], cos - sin, atol=1e-3)
