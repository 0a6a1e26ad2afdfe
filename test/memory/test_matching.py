"""Attention Matching of one head: what is exact where it can be, and what it is worth where it cannot."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.memory.cache import Slots
from mm_edge.memory.compaction import METHODS
from mm_edge.memory.matching import Matching, attention, match, scores

D = 8
FREE = Matching(iterations=0, box=(-20.0, 20.0))
PURSUIT = replace(FREE, select="pursuit")
EITHER = pytest.mark.parametrize("how", [FREE, PURSUIT], ids=["attention", "pursuit"])
MULTIPLICITIES = st.lists(st.integers(1, 9), min_size=2, max_size=6)
SEEDS = st.integers(0, 1000)
few = settings(max_examples=25, deadline=None)


def some(length: int, d: int = D) -> Slots:
    return Slots(torch.randn(length, d), torch.randn(length, d), torch.zeros(length))


def asked(count: int = 60, d: int = D) -> Tensor:
    return torch.randn(count, d) * d**-0.5


def output(slots: Slots, queries: Tensor) -> Tensor:
    return attention(slots, queries) @ slots.v


def log_mass(slots: Slots, queries: Tensor) -> Tensor:
    return (queries @ slots.k.T + slots.bias).logsumexp(1)


def repeated(times: list[int]) -> tuple[Slots, Slots, Tensor]:
    """A few different slots, all of them as often as it is said, and where each stands first."""
    one, counts = some(len(times)), torch.tensor(times)
    each = torch.arange(len(times)).repeat_interleave(counts)
    return one, one.at(each), counts.cumsum(0) - counts


def first(places: Tensor, length: int) -> Tensor:
    """Scores by which nothing but these places is chosen."""
    return torch.zeros(length).index_fill(0, places, 1.0)


# -- what is exact ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [12, 13, 1000])
@pytest.mark.parametrize("name", METHODS)
def test_with_room_for_all_slots_nothing_changes(name: str, keep: int) -> None:
    slots = some(12)

    assert match(slots, asked(), keep, METHODS[name].matching) is slots


@EITHER
@few
@given(MULTIPLICITIES, SEEDS)
def test_the_bias_of_a_repeated_key_tells_how_often_it_stood_there(how: Matching, times: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    one, slots, places = repeated(times)
    if len(slots) == len(one):
        return
    kept = match(slots, asked(), len(one), how, first(places, len(slots)))
    kept = kept.at(torch.cdist(one.k, kept.k).argmin(1))  # in their order

    assert torch.allclose(kept.k, one.k)
    assert torch.allclose(kept.bias, torch.tensor(times).log(), atol=1e-2)
    assert torch.allclose(kept.v, one.v, atol=2e-2)


@EITHER
@few
@given(MULTIPLICITIES, st.integers(0, 3), SEEDS)
def test_outputs_stay_exact_whatever_is_read_later(how: Matching, times: list[int], more: int, seed: int) -> None:
    """`more`: slots beside one of each, for which a solution has no unique place."""
    torch.manual_seed(seed)
    _, slots, places = repeated(times)
    others = torch.tensor([place for place in range(len(slots)) if place not in places], dtype=torch.long)
    chosen = first(torch.cat([places, others[:more]]), len(slots))
    keep, later, held_out = int(chosen.sum()), some(5), asked(30)
    kept = match(slots, asked(), keep, how, chosen)

    assert len(kept) <= keep
    assert torch.allclose(output(kept, held_out), output(slots, held_out), atol=1e-2)
    assert torch.allclose(log_mass(kept, held_out), log_mass(slots, held_out), atol=1e-3)
    after, right = (output(each.joined(later), held_out) for each in (kept, slots))
    assert torch.allclose(after, right, atol=1e-2)


@few
@given(st.integers(1, 9), st.integers(1, 9), SEEDS)
def test_attention_to_two_blocks_is_their_mixture_by_mass(first_: int, second: int, seed: int) -> None:
    """Why nothing but outputs and masses has to be matched."""
    torch.manual_seed(seed)
    one, other, q = some(first_), some(second), asked()
    share = (log_mass(one, q) - log_mass(one.joined(other), q)).exp()[:, None]
    mixed = share * output(one, q) + (1 - share) * output(other, q)

    assert torch.allclose(output(one.joined(other), q), mixed, atol=1e-5)


@few
@given(MULTIPLICITIES, st.booleans(), SEEDS)
def test_a_bias_counts_as_so_many_slots_when_it_is_compacted_again(times: list[int], relative: bool, seed: int) -> None:
    torch.manual_seed(seed)
    one, plain, places = repeated(times)
    biased = replace(one, bias=torch.tensor(times).log())
    how, q, keep = replace(FREE, relative=relative), asked(), len(times) - 1
    again = match(biased, q, keep, how, first(torch.arange(keep), len(one)))
    at_once = match(plain, q, keep, how, first(places[:keep], len(plain))) if len(plain) > keep else plain

    assert torch.allclose(again.k, at_once.k)
    assert torch.allclose(log_mass(again, q), log_mass(at_once, q), atol=1e-3)
    assert torch.allclose(output(again, q), output(at_once, q), atol=1e-2)


# -- what it is worth -------------------------------------------------------------------------------------------------


class Stress(NamedTuple):
    """A long head of clustered keys, what it is fitted to, what it is judged by, and what is read later."""

    slots: Slots
    queries: Tensor
    held_out: Tensor
    later: Slots


@cache
def stress(length: int = 1024, d: int = 64, clusters: int = 64) -> Stress:
    torch.manual_seed(0)
    centres, values = torch.randn(2, clusters, d)
    of = torch.randint(clusters, (length,))
    slots = Slots(
        centres[of] + 0.5 * torch.randn(length, d), values[of] + 0.5 * torch.randn(length, d), torch.zeros(length)
    )
    queries = centres[torch.randint(clusters, (800,))] / d + 0.5 * asked(800, d)
    return Stress(slots, queries[:600], queries[600:], some(128, d))


def off(kept: Slots) -> float:
    """How far outputs for held-out queries are off when more has been read, relative to the right ones."""
    slots, _, held_out, later = stress()
    right, found = (output(each.joined(later), held_out) for each in (slots, kept))
    return float((found - right).norm() / right.norm())


def mass_off(kept: Slots) -> float:
    held_out = stress().held_out
    return float((log_mass(kept, held_out) - log_mass(stress().slots, held_out)).expm1().square().mean().sqrt())


@pytest.mark.parametrize("name", ["AM-HighestAttnKeys", "AM-OMP", "AM-OMP-fast", "matching"])
def test_a_bias_keeps_the_balance_with_what_is_read_later(name: str) -> None:
    kept = match(stress().slots, stress().queries, 100, METHODS[name].matching)
    without = replace(kept, bias=torch.zeros(len(kept)))

    assert mass_off(kept) * 3 < mass_off(without)
    assert off(kept) < off(without)


@pytest.mark.parametrize("name", ["AM-HighestAttnKeys", "AM-OMP", "AM-OMP-fast", "matching"])
def test_fitted_values_are_better_than_copied_ones(name: str) -> None:
    how = METHODS[name].matching
    fitted, copied = (match(stress().slots, stress().queries, 100, each) for each in (how, replace(how, values=False)))

    assert fitted.k.equal(copied.k)
    assert off(fitted) < 0.5 * off(copied)


@pytest.mark.parametrize("relative", [False, True])
def test_values_near_those_that_were_chosen_need_no_more_queries_than_slots(relative: bool) -> None:
    slots, queries = stress().slots, stress().queries[:40]
    how = Matching(relative=relative)
    hows = how, replace(how, nearness=0.01), replace(how, values=False)
    free, near, copied = (off(match(slots, queries, 100, each)) for each in hows)

    assert near < 0.8 * min(free, copied)


def test_pursuit_is_better_than_the_highest_attention() -> None:
    highest, pursuit = (
        match(stress().slots, stress().queries, 50, METHODS[name].matching) for name in ("AM-HighestAttnKeys", "AM-OMP")
    )

    assert mass_off(pursuit) < 0.5 * mass_off(highest)


@pytest.mark.parametrize(("name", "most"), [("AM-HighestAttnKeys", 3), ("AM-OMP", 7), ("AM-OMP-fast", 7)])
@pytest.mark.parametrize("keep", [3, 50, 100, 140])
def test_biases_stay_in_the_published_boxes(name: str, most: int, keep: int) -> None:
    kept = match(stress().slots, stress().queries, keep, METHODS[name].matching)

    assert 1 <= len(kept) <= keep
    assert kept.bias.abs().max() <= most + 1e-5


# -- scores -----------------------------------------------------------------------------------------------------------


def test_scores_are_taken_over_queries_and_pooled_over_slots() -> None:
    slots = Slots(torch.eye(4) * 50, torch.zeros(4, 4), torch.zeros(4))
    queries = torch.eye(4)[[0, 0, 3, 0]]

    assert torch.allclose(scores(slots, queries, "mean"), torch.tensor([0.75, 0, 0, 0.25]))
    assert torch.allclose(scores(slots, queries, "rms"), torch.tensor([0.75, 0, 0, 0.25]).sqrt())
    assert torch.allclose(scores(slots, queries, "max"), torch.tensor([1.0, 0, 0, 1]))
    assert torch.allclose(scores(slots, queries, "mean", 3), torch.tensor([0.75, 0.75, 0.25, 0.25]))
    assert scores(slots, queries, "mean", 7).shape == (4,)


def test_kept_slots_stand_in_their_order_with_what_they_had() -> None:
    slots = replace(some(6), tag=torch.arange(6))
    kept = match(slots, asked(0), 3, Matching(bias=False, values=False), torch.tensor([1.0, 5, 2, 4, 0, 3]))

    assert kept.tag is not None
    assert kept.tag.tolist() == [1, 3, 5]
    assert kept.k.equal(slots.k[1::2])
    assert not kept.bias.any()


# -- what cannot be matched -------------------------------------------------------------------------------------------


def test_an_empty_head_stays_empty_and_one_slot_stays() -> None:
    assert len(match(some(0), asked(), 3, Matching())) == 0
    assert len(match(some(1), asked(), 1, Matching())) == 1


@pytest.mark.parametrize("keep", [0, -1])
def test_nothing_is_not_to_be_kept_of_something(keep: int) -> None:
    with pytest.raises(ValueError, match=f"{keep} of 4 slots are none"):
        match(some(4), asked(), keep, Matching())


@pytest.mark.parametrize("part", ["k", "v", "bias", "queries"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(part: str, value: float) -> None:
    slots, queries = some(4), asked()
    (queries if part == "queries" else getattr(slots, part))[-1] = value

    with pytest.raises(ValueError, match="finite"):
        match(slots, queries, 2, Matching())


@pytest.mark.parametrize("how", [Matching(), Matching(bias=False), PURSUIT, Matching(bias=False, values=False)])
def test_without_a_query_nothing_can_be_matched(how: Matching) -> None:
    with pytest.raises(ValueError, match="without a query"):
        match(some(4), asked(0), 2, how)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("queries", [1, 2, 60])
def test_queries_that_all_ask_the_same_do_no_harm(name: str, queries: int) -> None:
    slots, q = some(20), asked(1).expand(queries, -1)
    kept = match(slots, q, 6, METHODS[name].matching)

    assert 1 <= len(kept) <= 6
    assert all(part.isfinite().all() for part in (kept.k, kept.v, kept.bias))


@pytest.mark.parametrize("how", [Matching(), Matching(nearness=0.01), Matching(relative=True)])
def test_slots_that_nobody_asks_for_may_be_kept_by_their_scores(how: Matching) -> None:
    """Their part of the mass is less than float32 can hold."""
    slots, queries = some(20), asked(30).abs()
    slots.k[:2] = -1000.0
    kept = match(slots, queries, 2, how, first(torch.arange(2), 20))

    assert kept.k.equal(slots.k[:2])
    assert all(part.isfinite().all() for part in (kept.v, kept.bias))
