"""The merged softmax, against the plain one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mm_edge.model import attention
from mm_edge.model.attention import attend, grouped, ungrouped

ROWS, GROUPS, HEADS, T, D = 6, 2, 2, 5, 8


def tensors(shared: int) -> list[Tensor]:
    """Queries, then keys and values of a part that three rows share, then of one of their own."""
    torch.manual_seed(0)
    shapes = [(ROWS, HEADS, T, D), *[(GROUPS, HEADS, shared, D)] * 2, *[(ROWS, HEADS, T, D)] * 2]
    return [torch.randn(shape, requires_grad=True) for shape in shapes]


def attended(q: Tensor, k: Tensor, v: Tensor, own_k: Tensor, own_v: Tensor) -> Tensor:
    bias = torch.zeros(GROUPS, 1, 1, k.shape[2])
    bias[0, ..., :3] = -1e9
    return attend(q, [(k, v, bias), (own_k, own_v, torch.full((1, 1, T, T), -1e9).triu(1))])


def plain(q: Tensor, k: Tensor, v: Tensor, own_k: Tensor, own_v: Tensor) -> Tensor:
    each = ROWS // GROUPS
    keys, values = (
        torch.cat([k.repeat_interleave(each, 0), own_k], 2),
        torch.cat([v.repeat_interleave(each, 0), own_v], 2),
    )
    bias = torch.zeros(ROWS, 1, T, keys.shape[2])
    bias[:each, ..., :3] = -1e9
    bias[..., k.shape[2] :] = torch.full((T, T), -1e9).triu(1)
    return (q @ keys.transpose(-1, -2) + bias).softmax(-1) @ values


@pytest.mark.parametrize("shared", [7, attention.LONG + 1])
def test_parts_together_are_one_softmax(shared: int) -> None:
    inputs = tensors(shared)
    expected = plain(*inputs)
    assert torch.allclose(attended(*inputs), expected, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(attended(*inputs), expected, atol=1e-5)


@pytest.mark.parametrize("shared", [7, attention.LONG + 1])
def test_its_gradient_is_that_of_one_softmax(shared: int) -> None:
    inputs, upstream = tensors(shared), torch.randn(ROWS, HEADS, T, D)
    expected = torch.autograd.grad(plain(*inputs), inputs, upstream)
    for found, right in zip(torch.autograd.grad(attended(*inputs), inputs, upstream), expected, strict=True):
        assert torch.allclose(found, right, atol=1e-4)


def test_rows_come_back_from_their_groups() -> None:
    rows = torch.randn(ROWS, HEADS, T, D)
    assert torch.equal(ungrouped(grouped(rows, GROUPS), ROWS), rows)


def test_short_parts_of_the_same_rows_are_one_softmax_too() -> None:
    torch.manual_seed(1)
    q, *kv = (torch.randn(ROWS, HEADS, length, D) for length in (T, 7, 7, 3, 3, T, T))
    biases = [torch.randn(ROWS, 1, 1, 7), torch.zeros(1, 1, 1, 1), None]
    found = attend(q, [*zip(kv[::2], kv[1::2], biases, strict=True)])
    added = torch.cat([biases[0].expand(-1, -1, T, -1), torch.zeros(ROWS, 1, T, 3 + T)], -1)
    added[..., 10:] += torch.full((T, T), -1e9).triu(1)
    expected = (q @ torch.cat(kv[::2], 2).transpose(-1, -2) + added).softmax(-1) @ torch.cat(kv[1::2], 2)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_single_part_may_be_shared_by_rows() -> None:
    inputs = tensors(7)
    with torch.no_grad():
        shared = attend(inputs[0], [(inputs[1], inputs[2], torch.zeros(1, 1, 1, 1))])
    repeated = [part.repeat_interleave(ROWS // GROUPS, 0) for part in inputs[1:3]]
    weights = (inputs[0] @ repeated[0].transpose(-1, -2)).softmax(-1)
    assert torch.allclose(shared, weights @ repeated[1], atol=1e-5)
