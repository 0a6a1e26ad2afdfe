"""The way from noise to words: its clock, its noise, and what two halves of it have to do with the whole."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.model.flow import KNOTS, TIMES, at, clock, coloured, halfway, moved, ramps

TIMES_ASKED = torch.tensor([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
LEVELS = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("vocabulary", "levels"),
    [
        (256, [0.326, 0.596, 0.678, 0.739, 0.780, 0.808, 0.843]),
        (30522, [0.631, 0.736, 0.773, 0.804, 0.828, 0.845, 0.868]),
    ],
)
def test_the_clock_goes_by_how_many_words_can_be_told(vocabulary: int, levels: list[float]) -> None:
    found = at(clock(vocabulary, vocabulary), TIMES_ASKED)
    assert found.tolist() == pytest.approx(levels, abs=2e-3)


@pytest.mark.parametrize(("vocabulary", "d"), [(60, 32), (256, 256), (1200, 160), (1200, 240)])
def test_the_clock_rises_from_nothing_to_all(vocabulary: int, d: int) -> None:
    made = clock(vocabulary, d)
    assert made.shape == (KNOTS,)
    assert (made[0], made[-1]) == (0, 1)
    assert made.diff().gt(0).all()


def test_in_fewer_coordinates_words_are_told_later() -> None:
    narrow, whole = (at(clock(1000, d), TIMES_ASKED) for d in (100, 1000))
    assert narrow.gt(whole).all()


def test_levels_between_two_knots_lie_between_theirs() -> None:
    made = clock(256, 256)
    times = torch.linspace(0, 1, 2 * KNOTS - 1)
    assert torch.allclose(at(made, times)[::2], made, atol=1e-5)
    assert torch.allclose(at(made, times)[1::2], (made[1:] + made[:-1]) / 2, atol=1e-4)


def test_every_time_has_waves_of_its_own() -> None:
    waves = ramps(torch.linspace(0, 1, 100))
    assert waves.shape == (100, TIMES)
    assert torch.pdist(waves).min() > 0.01


def test_noise_of_all_words_is_coloured_and_made_white_again() -> None:
    table = torch.randn(300, 12, generator=torch.Generator().manual_seed(0)) @ torch.diag(torch.linspace(0.1, 2, 12))
    first, second = coloured(table)
    assert torch.allclose(first @ second, torch.eye(12), atol=1e-4)
    white = torch.randn(200_000, 12, generator=torch.Generator().manual_seed(1))
    found, expected = (white @ first).T.cov(), table.T @ table
    assert (found - expected).abs().max() < 0.02 * expected.diagonal().max()


def test_words_that_say_nothing_new_leave_something_to_invert() -> None:
    """A table of less than full rank, as that of a few words in many numbers."""
    first, second = coloured(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)))
    assert torch.isfinite(second).all()
    assert torch.allclose(first @ second, torch.eye(8), atol=1e-3)


def exact(variance: float, mean: Tensor) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The flow map of words that are a Gaussian: what it adds to its mean grows like the standard deviation of (1 - c)
    noise + c word."""

    def spread(level: Tensor) -> Tensor:
        return ((1 - level).square() + variance * level.square()).sqrt()

    def flow(x: Tensor, now: Tensor, then: Tensor) -> Tensor:
        return then[..., None] * mean + (x - now[..., None] * mean) * (spread(then) / spread(now))[..., None]

    return flow


def mean_between(x: Tensor, later: Tensor, now: Tensor, then: Tensor) -> Tensor:
    """The denoiser's answer that leads from x to `later`: what `moved` undoes."""
    kept = ((1 - then) / (1 - now))[..., None]
    return (later - kept * x) / (1 - kept)


@given(st.lists(LEVELS, min_size=3, max_size=3), st.floats(0.05, 4.0), st.integers(0, 1000))
def test_two_halves_of_the_way_make_the_whole(levels: list[float], variance: float, seed: int) -> None:
    low, centre, high = sorted(levels)
    now, middle, then = (
        torch.full((2, 3), level, dtype=torch.float64)
        for level in (0.9 * low, 0.02 + 0.9 * centre, min(1.0, 0.05 + 0.95 * high))
    )
    generator = torch.Generator().manual_seed(seed)
    x, word = (torch.randn(2, 3, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    flow = exact(variance, word)
    between, end = flow(x, now, middle), flow(x, now, then)
    assert torch.allclose(flow(between, middle, then), end, atol=1e-9)
    first, second = mean_between(x, between, now, middle), mean_between(between, end, middle, then)
    whole = mean_between(x, end, now, then)
    assert torch.allclose(moved(x, whole, now, then), end, atol=1e-9)
    assert torch.allclose(halfway(first, second, now, middle, then), whole, atol=1e-6)


def test_at_the_end_only_the_second_half_counts() -> None:
    first, second = torch.zeros(1, 2, 4), torch.ones(1, 2, 4)
    now, middle, then = (torch.full((1, 2), level) for level in (0.2, 0.7, 1.0))
    assert torch.equal(halfway(first, second, now, middle, then), second)


def test_what_is_there_already_stays_a_number() -> None:
    """Words that are given are at 1 all the way."""
    there, words = torch.ones(1, 2), torch.randn(1, 2, 4)
    assert torch.isfinite(halfway(words, words, there, there, there)).all()
    assert torch.isfinite(moved(words, words, there, there)).all()


def test_the_whole_way_leads_to_the_mean() -> None:
    noisy, mean = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    assert torch.allclose(moved(noisy, mean, torch.zeros(1, 2), torch.ones(1, 2)), mean)
    assert torch.allclose(moved(noisy, mean, torch.full((1, 2), 0.3), torch.full((1, 2), 0.3)), noisy)


def test_the_way_goes_where_the_denoiser_points() -> None:
    """Of five words with a prior, x = (1 - c) noise + c word: small steps of `moved` with the exact posterior mean keep
    to the ordinary differential equation dx/dc = (mean - x) / (1 - c), and end at a word."""
    prior = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05], dtype=torch.float64)
    x = torch.randn(500, 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    levels = torch.linspace(0, 1, 1001, dtype=torch.float64)
    for now, then in pairwise(levels):
        mean = (prior.log() + now * x / (1 - now).square()).softmax(-1)
        x = moved(x, mean, now.expand(500, 1), then.expand(500, 1))
    said = x.argmax(-1).flatten()
    assert (x.max(-1).values > 0.99).double().mean() > 0.97
    shares = torch.bincount(said, minlength=5) / 500
    assert torch.allclose(shares.double(), prior, atol=0.07)
