"""Budgets: no slot more than there are, and where they go."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.memory.budgets import FLOOR, STEP, highest, pyramid, shared, swapped, uniform

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=12)
RATIOS = torch.linspace(0, 0.5, 51)
TARGETS = (0.02, 0.05, 0.1)
many = settings(max_examples=100, deadline=None)


@st.composite
def heads(draw: st.DrawFn) -> tuple[list[int], int]:
    """Their lengths and a total that is enough for all of them."""
    lengths = draw(LENGTHS)
    return lengths, draw(st.integers(len(lengths), 2 * sum(lengths)))


@many
@given(heads(), st.data(), st.floats(0.1, 1.0))
def test_shares_fill_the_total_within_the_limits(
    given_: tuple[list[int], int], data: st.DataObject, most: float
) -> None:
    lengths, total = given_
    shares = data.draw(st.lists(st.floats(1e-3, 1.0), min_size=len(lengths), max_size=len(lengths)))
    limits = [max(1, int(most * length)) for length in lengths]

    budgets = shared(lengths, total, shares, most)

    assert sum(budgets) == min(total, sum(limits))
    assert all(1 <= budget <= limit for budget, limit in zip(budgets, limits, strict=True))


@many
@given(heads(), st.data())
def test_a_head_without_a_share_keeps_one_slot(given_: tuple[list[int], int], data: st.DataObject) -> None:
    lengths, total = given_
    shares = data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=len(lengths), max_size=len(lengths)))

    budgets = shared(lengths, total, shares)

    assert sum(budgets) <= total
    assert all(budget == 1 for budget, share in zip(budgets, shares, strict=True) if not share)


def test_what_is_too_much_for_one_is_shared_by_the_others() -> None:
    assert shared([100, 100, 100], 93, [0.0, 1.0, 3.0], most=0.6) == [1, 32, 60]


@many
@given(st.integers(1, 12), st.integers(1, 40), st.data())
def test_uniform_budgets_differ_by_rounding_only(count: int, length: int, data: st.DataObject) -> None:
    budgets = uniform([length] * count, data.draw(st.integers(count, count * length)))

    assert max(budgets) - min(budgets) <= 1


@many
@given(st.integers(1, 6), st.integers(1, 4), st.data())
def test_a_pyramid_becomes_narrower_with_every_layer(layers: int, each: int, data: st.DataObject) -> None:
    heads_of = [layer for layer in range(layers) for _ in range(each)]
    lengths = [40] * len(heads_of)
    total = data.draw(st.integers(len(lengths), sum(lengths)))

    budgets = pyramid(heads_of, lengths, total)

    assert sum(budgets) == total
    assert all(above >= below for above, below in pairwise(budgets))


def test_the_first_layer_of_a_pyramid_keeps_39_times_what_the_last_one_keeps() -> None:
    assert pyramid([0, 1], [10_000, 10_000], 4002, beta=20.0) == [3901, 101]


@many
@given(heads(), st.integers(0, 1000), st.sampled_from([0.0, FLOOR, 1.0]))
def test_the_highest_scores_of_all_are_kept_beyond_a_floor(
    given_: tuple[list[int], int], seed: int, floor: float
) -> None:
    lengths, total = given_
    scores = [10 * torch.randn(length, generator=torch.Generator().manual_seed(seed)) for length in lengths]
    least = [min(length, max(1, int(floor * total / len(lengths)))) for length in lengths]

    budgets = highest(scores, total, floor)

    assert sum(budgets) == min(total, sum(lengths))
    assert all(low <= n <= length for low, n, length in zip(least, budgets, lengths, strict=True))
    ranked = [score.sort(descending=True).values for score in scores]
    extra = [rank[low:n] for rank, low, n in zip(ranked, least, budgets, strict=True)]
    left = [rank[n:] for rank, n in zip(ranked, budgets, strict=True)]
    assert torch.cat([*extra, torch.tensor([torch.inf])]).min() >= torch.cat([*left, torch.tensor([-torch.inf])]).max()


def test_a_head_of_which_nothing_is_worth_much_keeps_its_floor() -> None:
    assert highest([torch.zeros(100), torch.ones(100)], 40) == [3, 37]


@pytest.mark.parametrize("budget", [uniform, lambda lengths, n: highest([torch.ones(each) for each in lengths], n)])
def test_fewer_slots_than_heads_are_refused(budget: object) -> None:
    with pytest.raises(ValueError, match="2 slots for 3 heads"):
        budget([5, 5, 5], 2)  # type: ignore[operator]


def decay(rate: float) -> torch.Tensor:
    """The loss of a head that needs more slots the smaller `rate` is."""
    return (-rate * RATIOS).exp()


def test_equal_heads_keep_equal_shares() -> None:
    shares = swapped(decay(20).expand(5, -1), RATIOS, TARGETS)

    assert shares.sub(1 / 5).abs().max() <= STEP + 1e-9


def test_slots_go_to_the_head_that_gains_by_them() -> None:
    curves = torch.stack([0.01 * decay(20), decay(20), 0.01 * decay(20), 0.01 * decay(20)])

    shares = swapped(curves, RATIOS, TARGETS)

    assert shares.sum().item() == pytest.approx(1)
    assert shares.argmax() == 1
    assert shares[1] > 0.5
    assert (shares > 0).all()


def test_a_head_that_loses_nothing_gives_even_if_it_would_gain_most() -> None:
    cliff = (RATIOS <= 0.055).float()

    shares = swapped(torch.stack([cliff, decay(20)]), RATIOS, [0.05])

    assert shares[1] > 0.9


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5))
def test_swapping_never_loses(weights: list[float]) -> None:
    curves = torch.tensor(weights)[:, None] * decay(20)

    shares = swapped(curves, RATIOS, [0.05])

    def loss(each: torch.Tensor) -> float:
        kept = (each * 0.05 * len(weights)).clamp(max=0.5)
        return float((torch.tensor(weights) * (-20 * kept).exp()).sum())

    assert shares.sum().item() == pytest.approx(1)
    assert loss(shares) <= loss(torch.full((len(weights),), 1 / len(weights))) + 1e-3
