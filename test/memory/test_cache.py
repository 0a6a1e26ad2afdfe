"""Packed heads: attention reads them as it would read every head alone, and nothing is stored twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mm_edge.memory.cache import Cache, Packed, Slots, joined
from mm_edge.model.attention import HIDDEN, attend
from mm_edge.model.block import Past
from mm_edge.model.network import WINDOW, Network, NetworkConfig

D = 8
CONFIG = NetworkConfig(vocabulary=60, marks=10, d=32, layers=2, heads=4, conv=4, history_slots=4)
LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=4)
SEEDS = st.integers(0, 1000)


def head(length: int, d: int = D) -> Slots:
    return Slots(torch.randn(length, d), torch.randn(length, d), torch.randn(length))


def packed(lengths: list[int], seed: int = 0, d: int = D) -> Packed:
    torch.manual_seed(seed)
    return Packed.of([head(length, d) for length in lengths])


def asked(layer: Packed) -> Tensor:
    """Three queries of every head."""
    return torch.randn(1, len(layer.lengths), 3, layer.slots.k.shape[1])


def head_by_head(layer: Packed, q: Tensor) -> Tensor:
    alone = [(q[0, h] @ s.k.T + s.bias).softmax(-1) @ s.v for h, s in enumerate(layer.heads())]
    return torch.stack(alone)[None]


def part(layer: Packed) -> tuple[Tensor, Tensor, Tensor]:
    """Keys, values and bias as attention takes them."""
    (k, v), bias = Cache((layer,), 0).past().layer(0)
    return k, v, bias


def same(one: Cache, other: Cache) -> bool:
    pairs = zip(one.layers, other.layers, strict=True)
    return all(
        a.lengths == b.lengths and all(torch.equal(*each) for each in zip(*map(stored, (a, b)), strict=True))
        for a, b in pairs
    )


def stored(layer: Packed) -> tuple[Tensor, Tensor, Tensor]:
    return layer.slots.k, layer.slots.v, layer.slots.bias


@settings(max_examples=40, deadline=None)
@given(LENGTHS, SEEDS)
def test_attention_reads_packed_heads_as_each_alone(lengths: list[int], seed: int) -> None:
    layer = packed(lengths, seed)
    q = asked(layer)

    assert torch.allclose(attend(q, [part(layer)]), head_by_head(layer, q), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, SEEDS)
def test_a_bias_is_one_more_number_of_every_key(lengths: list[int], seed: int) -> None:
    """Which engines without masks can do: q' = [q, 1], k' = [k, bias], v' = [v, 0]."""
    layer = packed(lengths, seed)
    q, (k, v, bias) = asked(layer), part(layer)
    heads = q.shape[1]
    keys = torch.cat([k.expand(1, heads, -1, -1), bias.transpose(2, 3)], -1)
    wider = attend(F.pad(q, (0, 1), value=1.0), [(keys, F.pad(v, (0, 1)), torch.zeros(1, 1, 1, k.shape[2]))])

    assert torch.allclose(wider[..., :-1], attend(q, [(k, v, bias)]), atol=1e-5)
    assert not wider[..., -1].any()


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(1, 8), SEEDS)
def test_two_calls_merge_by_their_log_sum_exp(length: int, cut: int, seed: int) -> None:
    layer = packed([length] * 3, seed)
    q, cut = asked(layer), min(cut, length - 1)
    halves = [Packed.of([s.at(where) for s in layer.heads()]) for where in (slice(cut), slice(cut, None))]
    outs = [attend(q, [part(half)]) for half in halves]
    sums = [(q @ k.transpose(-1, -2) + bias).logsumexp(-1, keepdim=True) for k, _, bias in map(part, halves)]
    shares = torch.stack(sums).softmax(0)
    merged = (shares * torch.stack(outs)).sum(0)

    assert torch.allclose(merged, attend(q, [part(layer)]), atol=1e-5)
    assert torch.allclose(merged, attend(q, [part(half) for half in halves]), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(LENGTHS, st.integers(1, 5), SEEDS)
def test_hidden_filling_changes_nothing(lengths: list[int], filling: int, seed: int) -> None:
    layer = packed(lengths, seed)
    q = asked(layer)
    missing = [max(lengths) + filling - length for length in lengths]
    hidden = [replace(head(n), bias=torch.full((n,), HIDDEN)) for n in missing]
    filled = Packed.of([s.joined(more) for s, more in zip(layer.heads(), hidden, strict=True)])

    assert len(set(filled.lengths)) == 1
    assert torch.allclose(attend(q, [part(filled)]), attend(q, [part(layer)]), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(LENGTHS, min_size=1, max_size=3), st.integers(0, 7))
def test_what_is_cut_and_joined_is_what_it_was(lengths: list[list[int]], cut: int) -> None:
    cache = Cache(tuple(packed(each, seed) for seed, each in enumerate(lengths)), length=20)
    first, last = cache.cut(0, cut), cache.cut(cut)

    assert first.slots + last.slots == cache.slots == sum(map(sum, lengths))
    assert same(joined(first, last), cache)


def test_the_length_goes_on_counting_however_few_slots_are_left() -> None:
    layer = torch.randn(1, 3, 12, D), torch.randn(1, 3, 12, D)
    first, second = Cache.of([layer], 12).cut(0, 2), Cache.of([layer], 12).cut(10)

    assert (first.length, first.slots, first.heads) == (12, 6, 3)
    assert (joined(first, second).length, joined(first, second).slots) == (24, 12)


def test_each_head_is_changed_by_where_it_is() -> None:
    cache = Cache((packed([5, 5, 5]), packed([5, 5, 5])), 5)
    changed = cache.each(lambda layer, head, slots: slots.at(slice(1 + layer + head)))

    assert [layer.lengths for layer in changed.layers] == [(1, 2, 3), (2, 3, 4)]
    assert same(cache.each(lambda layer, head, slots: slots), cache)


def test_tags_stay_with_their_slots_and_are_given_up_where_some_have_none() -> None:
    tagged = replace(head(3), tag=torch.tensor([4, -1, 7]))
    twice = tagged.joined(tagged)

    assert twice.tag is not None
    assert twice.at(twice.tag == 7).k.equal(tagged.k[2:].repeat(2, 1))
    assert tagged.joined(head(2)).tag is None


def test_nothing_is_held_that_is_not_counted() -> None:
    cache = Cache((packed([40, 40, 40, 40]),), 40).each(lambda layer, head, slots: slots.at(slice(1 + head)))
    (layer,) = cache.layers

    assert cache.nbytes == 10 * (2 * D + 1) * 4 + 4 * 4
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in stored(layer))


def test_a_fiftieth_of_the_slots_takes_a_fortieth_of_the_bytes_at_most() -> None:
    d, words = 64, 500
    full = Cache(tuple(packed([words] * 4, seed, d) for seed in range(2)), words)
    few = full.each(lambda layer, head, slots: slots.at(slice((3, 17, 8, 12)[head])))

    assert few.slots * 50 == full.slots
    assert few.nbytes <= 0.025 * full.nbytes


@pytest.fixture(scope="module")
def network() -> Network:
    """Random, and no layer without effect."""
    torch.manual_seed(0)
    network = Network(CONFIG).eval().requires_grad_(False)
    for block in network.blocks:
        for last in (block.out, block.down):  # type: ignore[union-attr]
            nn.init.normal_(last.weight, std=0.1)  # type: ignore[union-attr, arg-type]
    return network


@pytest.mark.parametrize("filling", [0, 3])
def test_the_network_finds_the_same_in_a_cache_as_in_the_log_it_was_made_of(network: Network, filling: int) -> None:
    """Filling makes one head longer than the others, so that they are packed."""
    words = torch.randint(3, 60, (1, WINDOW + 12), generator=torch.Generator().manual_seed(1))
    read = network.read(network.text(words), torch.zeros(1))
    cache = Cache.of(read, 12).each(
        lambda layer, head, slots: slots.joined(
            *[Slots(slots.k[:1], slots.v[:1] + 9, torch.tensor([HIDDEN]))] * (filling * (head == 1))
        )
    )
    question, start = network.word(torch.tensor([[7, 41], [8, 50]])), torch.tensor([12.0])
    right = network.find(question, start, [Past(read, torch.zeros(1, 12))])

    assert torch.allclose(network.find(question, start, [cache.past()]), right, atol=1e-5)
    assert not torch.allclose(network.find(question, start, [cache.cut(2).past()]), right, atol=1e-3)
