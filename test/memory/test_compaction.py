"""Whole caches in fewer slots: every method keeps to its number, and what other methods rate slots by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mm_edge.memory import baselines
from mm_edge.memory.cache import Cache, Slots, joined
from mm_edge.memory.compaction import METHODS, Method, compact, error
from mm_edge.memory.matching import Matching
from mm_edge.model.distance import rotated

LAYERS, HEADS, WORDS, D, ASKED = 3, 2, 24, 8, 40
EVICTION = Matching(bias=False, values=False)


def tiny(words: int = WORDS) -> Cache:
    torch.manual_seed(0)
    return Cache.of([tuple(torch.randn(2, 1, HEADS, words, D)) for _ in range(LAYERS)], words)  # type: ignore[misc]


def queries(seed: int = 1) -> list[Tensor]:
    """Each layer's [heads, n, d]; those of later layers attend more sharply."""
    generator = torch.Generator().manual_seed(seed)
    return [(1 + layer) * torch.randn(HEADS, ASKED, D, generator=generator) * D**-0.5 for layer in range(LAYERS)]


class Asking:
    """The same queries of every cache, and which caches were asked."""

    def __init__(self) -> None:
        self.seen: list[Cache] = []

    def __call__(self, cache: Cache) -> list[Tensor]:
        self.seen.append(cache)
        return queries()


def lengths(cache: Cache) -> list[tuple[int, ...]]:
    return [layer.lengths for layer in cache.layers]


# -- methods ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [LAYERS * HEADS, 31, 72, LAYERS * HEADS * WORDS - 1])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_so_many_slots_at_most_and_the_length(name: str, keep: int) -> None:
    compacted = compact(tiny(), Asking(), keep, METHODS[name])

    assert LAYERS * HEADS <= compacted.slots <= keep
    assert (compacted.length, compacted.heads) == (WORDS, LAYERS * HEADS)
    assert all(part.isfinite().all() for layer in compacted.layers for part in (layer.slots.v, layer.slots.bias))


@pytest.mark.parametrize("name", METHODS)
def test_a_cache_that_is_small_enough_stays_as_it_is(name: str) -> None:
    asking, cache = Asking(), tiny()

    assert compact(cache, asking, cache.slots, METHODS[name]) is cache
    assert not asking.seen


@pytest.mark.parametrize("name", METHODS)
def test_fewer_slots_than_heads_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="5 slots for 6 heads"):
        compact(tiny(), Asking(), 5, METHODS[name])


def test_budgets_follow_what_is_worth_most() -> None:
    kept = {
        budget: lengths(compact(tiny(), Asking(), 60, Method(EVICTION, budget=budget)))  # type: ignore[arg-type]
        for budget in ("uniform", "pyramid", "layer", "global")
    }
    sums = {budget: [sum(layer) for layer in layers] for budget, layers in kept.items()}

    assert kept["uniform"] == [(10, 10)] * LAYERS
    assert sums["pyramid"] == sorted(sums["pyramid"], reverse=True) != sums["uniform"]
    assert sums["layer"] == sums["uniform"]
    assert sums["global"] != sums["uniform"]
    assert all(sum(each) == 60 for each in sums.values())


def test_budgets_by_sensitivity_follow_their_shares_up_to_three_quarters_of_a_head() -> None:
    shares = (0.7, 0.1, 0.05, 0.05, 0.05, 0.05)
    compacted = compact(tiny(), Asking(), 40, Method(EVICTION, budget="sensitivity", shares=shares))

    assert lengths(compacted) == [(18, 6), (4, 4), (4, 4)]


def test_a_layer_is_asked_again_when_those_before_it_are_compacted() -> None:
    asking, cache = Asking(), tiny()
    compacted = compact(cache, asking, 30, Method(on_policy=True))

    whole, few = (WORDS,) * HEADS, (5,) * HEADS
    assert [lengths(each) for each in asking.seen] == [
        [whole, whole, whole],
        [few, whole, whole],
        [few, few, whole],
    ]
    assert asking.seen[0] is cache
    assert lengths(compacted) == [few] * LAYERS


def test_a_layer_is_fitted_to_what_was_asked_last() -> None:
    def ask(cache: Cache) -> list[Tensor]:
        return queries(seed=cache.slots)

    on_policy, off_policy = (compact(tiny(), ask, 30, Method(on_policy=each)) for each in (True, False))

    assert on_policy.layers[0].slots.v.equal(off_policy.layers[0].slots.v)
    assert not on_policy.layers[1].slots.v.equal(off_policy.layers[1].slots.v)


@pytest.mark.parametrize(("chunk", "parts"), [(8, [8, 8, 8]), (10, [10, 10, 4]), (WORDS, [WORDS])])
def test_chunks_are_compacted_at_the_same_ratio(chunk: int, parts: list[int]) -> None:
    rated = []

    def rate(slots: Slots, asked: Tensor, layer: int) -> Tensor:
        rated.append(len(slots))
        return torch.arange(float(len(slots)))

    asking, cache = Asking(), Cache(tiny().layers, length=500)
    compacted = compact(cache, asking, cache.slots // 2, Method(EVICTION, chunk=chunk), rate)

    latest = [
        place
        for end, part in zip(torch.tensor(parts).cumsum(0), parts, strict=True)
        for place in range(int(end) - part // 2, int(end))
    ]
    assert rated == [part for part in parts for _ in range(LAYERS * HEADS)]
    assert len(asking.seen) == 1
    assert (compacted.length, compacted.slots) == (500, cache.slots // 2)
    for before, after in zip(cache.layers, compacted.layers, strict=True):
        assert all(few.k.equal(all_.k[latest]) for few, all_ in zip(after.heads(), before.heads(), strict=True))


def test_a_cache_is_compacted_again_with_what_was_read_since() -> None:
    """As a drive goes on: the number of slots stays, the length grows, and outputs stay near."""
    method, everything, memory = METHODS["matching"], tiny(120), tiny(120).cut(0, 40)
    memory = Cache(memory.layers, 40)
    for first in (40, 80):
        read = everything.cut(first, first + 40)
        memory = joined(compact(memory, Asking(), 120, method), Cache(read.layers, 40))

    assert (memory.length, memory.slots) == (120, 120 + 6 * 40)
    forgotten = everything.cut(80)
    assert error(everything, memory, queries(7)) < 0.7 * error(everything, forgotten, queries(7))


# -- how far outputs are off ------------------------------------------------------------------------------------------


def test_a_cache_is_not_off_itself() -> None:
    assert error(tiny(), tiny(), queries()) == 0


def test_an_error_is_relative_to_the_outputs() -> None:
    doubled = tiny().each(lambda layer, head, slots: replace(slots, v=2 * slots.v))

    assert error(tiny(), doubled, queries()) == pytest.approx(1)
    assert error(doubled, tiny(), queries()) == pytest.approx(0.5)


def test_fitting_beats_evicting() -> None:
    fitted, evicted = (compact(tiny(), Asking(), 48, METHODS[name]) for name in ("matching", "eviction"))

    assert error(tiny(), fitted, queries(7)) < error(tiny(), evicted, queries(7))


# -- how other methods rate slots -------------------------------------------------------------------------------------


def rated(rate: Callable[[Slots, Tensor], Tensor], keep: int = 36) -> list[list[int]]:
    """The places of each head that are kept."""
    places = torch.arange(WORDS).expand(1, HEADS, WORDS)[..., None].float()
    cache = Cache.of([(places, places)], WORDS)
    one = [each[..., :1] for each in queries()[:1]]
    compacted = compact(cache, lambda _: one, keep, Method(EVICTION), lambda slots, asked, _: rate(slots, asked))
    return [[int(place) for place in slots.k[:, 0]] for slots in compacted.layers[0].heads()]


def test_the_first_and_the_latest_slots_are_kept() -> None:
    kept = rated(lambda slots, _: baselines.recent(len(slots)), keep=16)

    assert kept == [[0, 1, 2, 3, 20, 21, 22, 23]] * HEADS


def test_plain_truncation_keeps_the_latest_slots() -> None:
    assert rated(lambda slots, _: baselines.recent(len(slots), 0), keep=6) == [[21, 22, 23]] * HEADS


def test_attention_counts_by_those_who_could_see_a_slot() -> None:
    """Even attention: the first row sees one slot, the last one all three."""
    slots = Slots(torch.randn(3, D), torch.randn(3, D), torch.zeros(3))
    seen = baselines.observed(slots, torch.zeros(3, D))

    assert torch.allclose(seen, torch.tensor([(1 + 1 / 2 + 1 / 3) / 3, (1 / 2 + 1 / 3) / 2, 1 / 3]))


def turns(*places: float) -> tuple[Tensor, Tensor]:
    """Cosine and sine of two pairs at these places."""
    angles = torch.tensor(places)[:, None] * torch.tensor([1.0, 0.1])
    return angles.cos(), angles.sin()


def test_a_query_that_is_always_the_same_is_expected_where_it_will_be() -> None:
    torch.manual_seed(0)
    slots, plain, turn, ahead = tiny().layers[0].heads()[0], torch.randn(D), turns(*range(30)), turns(50.0)
    logits = slots.k @ rotated(plain[None], ahead)[0]

    worth = baselines.expected(slots, rotated(plain.expand(30, D), turn), turn, ahead)

    assert worth[: baselines.SINKS].isinf().all()
    right = logits.softmax(0) * slots.v.norm(dim=1)
    assert torch.allclose(worth[baselines.SINKS :], right[baselines.SINKS :], atol=1e-5)


def test_what_queries_differ_in_counts_for_keys_that_lie_along_it() -> None:
    """exp(k q) is on the mean over normal q what exp(k Sigma k / 2) says."""
    torch.manual_seed(0)
    slots, still = Slots(torch.randn(9, D) / 2, torch.randn(9, D), torch.zeros(9)), turns(*[0.0] * 20_000)
    asked = torch.randn(20_000, D) @ torch.randn(D, D) / 4
    mean = (asked @ slots.k.T).exp().mean(0)

    worth = baselines.expected(slots, asked, still, turns(0.0))[baselines.SINKS :]

    right = (mean * slots.v.norm(dim=1))[baselines.SINKS :]
    assert torch.allclose(worth / worth.sum(), right / right.sum(), atol=0.02)
