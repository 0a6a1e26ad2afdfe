"""What queries get from all slots of a head, block by block."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor

from mm_edge.memory import matching
from mm_edge.memory.cache import Slots
from mm_edge.memory.matching import attended, attention

D = 8


def some(count: int) -> Slots:
    k, v = torch.randn(2, count, D, generator=torch.Generator().manual_seed(0))
    return Slots(k, v, torch.linspace(-1, 1, count))


def asked(count: int) -> Tensor:
    return torch.randn(count, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("block", [1, 60, 2**18])
@pytest.mark.parametrize("score", ["rms", "mean", "max"])
def test_all_that_is_attended_to_is_the_same_block_by_block(
    monkeypatch: pytest.MonkeyPatch, score: Literal["rms", "mean", "max"], block: int
) -> None:
    monkeypatch.setattr(matching, "BLOCK", block)
    slots, queries = some(20), asked(30)
    weights = attention(slots, queries)
    right = {"rms": weights.square().mean(0).sqrt(), "mean": weights.mean(0), "max": weights.amax(0)}[score]

    found = attended(slots, queries, score)

    assert torch.allclose(found.score, right, atol=1e-6)
    assert torch.allclose(found.mass, (queries @ slots.k.T + slots.bias).logsumexp(1), atol=1e-5)
    assert torch.allclose(found.outputs, weights @ slots.v, atol=1e-5)


def test_nothing_is_attended_to_where_there_is_none() -> None:
    without, empty = attended(some(5), asked(0)), attended(some(0), asked(3))

    assert not without.score.any()
    assert (without.mass.shape, without.outputs.shape) == ((0,), (0, D))
    assert empty.score.shape == (0,)
