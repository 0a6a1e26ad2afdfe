"""Of slots that are alike the latest keeps its lead, however long ago that was."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.memory.cache import Cache, Packed, Slots
from mm_edge.memory.drive import LIVE, compacted
from mm_edge.memory.repeats import lost, outdated
from mm_edge.model.distance import NEAR, NEWER, moved, pairs

WIDTH = 40
NAMES = torch.eye(WIDTH)[2 * pairs(WIDTH) :]
"""Ways of keys that are not rotated."""


def keys(*words: tuple[int, int]) -> Tensor:
    """Of (name, place)."""
    return torch.stack([torch.cat([NAMES[name][:-1], torch.tensor([place / NEWER])]) for name, place in words])


def scores(k: Tensor, now: int, recency: float) -> Tensor:
    """Of a query that asks for the name 0 only, once what is outdated counts for less."""
    cache = Cache((Packed.of([Slots(k, torch.zeros_like(k), torch.zeros(len(k)))]),), now)
    query = torch.cat([4 * NAMES[0][:-1], torch.tensor([recency])])
    (layer,) = outdated(cache, now, [query[None, None]]).seen(now).layers
    return layer.slots.k @ query + layer.slots.bias


@pytest.mark.parametrize("hours_words", [1000, 10_000, 100_000])
def test_the_latest_mention_leads_by_as_much_as_if_it_were_just_now(hours_words: int) -> None:
    earlier, latest = scores(keys((0, 100), (0, 250)), 250 + hours_words, recency=1.0)

    assert float(latest - earlier) == pytest.approx(150 / NEWER, abs=1e-3)


def test_of_several_mentions_each_is_behind_the_latest() -> None:
    first, second, third, other = lost(keys((0, 100), (0, 200), (0, 280), (1, 290)), 10_000)

    assert first > second > 0
    assert third == other == 0


def test_what_is_near_and_what_was_said_once_stay_as_they_are() -> None:
    near, once = keys((0, 10), (0, NEAR)), keys((0, 10), (1, 200), (2, 300))

    assert not lost(near, NEAR + 10).any()
    assert not lost(once, 10_000).any()


def test_a_head_that_does_not_care_what_is_recent_blends_as_before() -> None:
    earlier, latest = scores(keys((0, 100), (0, 250)), 10_000, recency=0.0)

    assert float(earlier) == pytest.approx(float(latest))


def test_a_compacted_memory_tells_what_was_said_last() -> None:
    """Each name was mentioned twice: the first time with the value 0, then with 1."""
    names = len(NAMES) - 1
    k = keys(*((name, 5 * name) for name in range(names)), *((name, 200 + 5 * name) for name in range(names)))
    v = torch.cat([torch.zeros(names, WIDTH), torch.ones(names, WIDTH)])
    snapshot = Cache((Packed.of([Slots(k, v, torch.zeros(len(k)))]),), 300)
    asked = torch.cat([12 * NAMES[:-1, :-1], torch.ones(names, 1)], 1)

    kept = compacted(snapshot, 10_000, [asked[None, None]], names + 2, LIVE).cache
    slots = kept.seen(10_000).layers[0].slots

    assert ((asked @ slots.k.T + slots.bias).softmax(-1) @ slots.v).min() > 0.9


def test_what_is_no_number_harms_nothing_else() -> None:
    k = keys((0, 100), (0, 250), (0, 200))
    k[2, :-1] = torch.nan

    assert lost(k, 10_000)[:2].equal(lost(k[:2], 10_000))


def test_keys_are_compared_as_they_are_seen() -> None:
    same = torch.eye(WIDTH)[:1].expand(2, -1)
    k = moved(same, torch.tensor([100.0, 103.0]))

    assert F.cosine_similarity(k[0, :-1], k[1, :-1], dim=0) < 0
    assert lost(k, 10_000)[0] > 0
