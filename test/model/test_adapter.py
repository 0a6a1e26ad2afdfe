"""What a step adds to the trunk that all share: nothing at first, and the same merged or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mm_edge.model.adapter import Adapter
from mm_edge.model.block import Block, Past
from mm_edge.model.network import ASKED, RANKS, Network, NetworkConfig

D, HEADS = 32, 4
SMALL = NetworkConfig(vocabulary=60, marks=10, d=D, layers=2, heads=HEADS, conv=4, history_slots=4)
ZERO, STYLE = torch.zeros(1), torch.ones(1, dtype=torch.long)
Outputs = dict[str, Tensor]


def lively(part: nn.Module) -> nn.Module:
    """Nothing of it is zero any more."""
    for parameter in part.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return part.eval().requires_grad_(False)


@pytest.fixture
def fresh() -> Network:
    """As at the beginning of the training of its steps: the trunk has learnt, they have not."""
    torch.manual_seed(0)
    network = Network(SMALL)
    lively(network.blocks)
    nn.init.normal_(network.flow_time.weight, std=0.1)
    nn.init.normal_(network.in_turn, std=0.1)
    return network.eval().requires_grad_(False)


def wake(network: Network) -> Network:
    torch.manual_seed(1)
    lively(network.steps)
    return network


def context(network: Network) -> Past:
    words = network.read(network.text(torch.arange(3, 30)[None]), ZERO)
    return Past(words, torch.zeros(1, 23))


def spoken(network: Network) -> Outputs:
    """All that the steps of a turn with adapters give."""
    log, ids = context(network), torch.arange(3, 23)[None]
    claims = network.word(torch.tensor([[7, 41, 52, 0]]))
    times = torch.linspace(0, 1, 20)[None]
    noisy = torch.randn(1, 20, D, generator=torch.Generator().manual_seed(2))
    logits, mean = network.flow(noisy, ids, times / 2, times, STYLE, claims)
    return {
        "understand": network.understand(torch.tensor([[40, 41]]), ZERO + 23, [log], torch.zeros(1, 2)),
        "answer": network.answer(ids, STYLE, claims),
        "follow": network.follow(ids, STYLE, claims)[0],
        "flow": logits,
        "mean": mean,
    }


def found(network: Network) -> Outputs:
    """What has none."""
    log = context(network)
    return {
        "find": network.find(network.word(torch.tensor([[7, 41]])), ZERO + 23, [log]),
        "read": torch.cat([k for k, _ in log.layers]),
    }


def test_an_adapter_adds_nothing_at_first() -> None:
    torch.manual_seed(0)
    block, adapter = lively(Block(D, HEADS)), Adapter(D, 4).requires_grad_(False)
    assert torch.equal(passed(block, None), passed(block, adapter))
    assert not torch.allclose(passed(block, None), passed(block, lively(adapter)), atol=1e-2)


def passed(block: nn.Module, adapter: nn.Module | None) -> Tensor:
    x = torch.randn(2, 5, D, generator=torch.Generator().manual_seed(3))
    turn = torch.randn(2, 5, SMALL.turned // 2, generator=torch.Generator().manual_seed(4))
    out: Tensor = block(x, (turn[0], turn[1]), torch.arange(5), [], torch.zeros(1, 1, 1, 1), adapter)[0]
    return out


def test_a_merged_block_is_the_block_with_its_adapter() -> None:
    torch.manual_seed(0)
    block, adapter = lively(Block(D, HEADS)), lively(Adapter(D, 4))
    expected = passed(block, adapter)
    adapter.merge(block)  # type: ignore[operator]
    assert torch.allclose(passed(block, None), expected, atol=1e-5)


def test_an_adapter_is_of_its_rank() -> None:
    torch.manual_seed(0)
    block, adapter = Block(D, HEADS), Adapter(D, 4)
    lively(adapter)
    before = block.up.weight.clone()
    adapter.merge(block)
    assert torch.linalg.matrix_rank((block.up.weight - before).detach(), atol=1e-4) == 4


@pytest.mark.parametrize("outputs", [spoken, found])
def test_a_merged_network_is_the_same_network(fresh: Network, outputs: Callable[[Network], Outputs]) -> None:
    network = wake(fresh)
    before = outputs(network)
    network.merge()
    for name, after in outputs(network).items():
        assert torch.allclose(after, before[name], atol=1e-4), name


def test_merging_twice_adds_nothing(fresh: Network) -> None:
    network = wake(fresh)
    network.merge()
    once = spoken(network)
    network.merge()
    assert all(torch.equal(after, once[name]) for name, after in spoken(network).items())


def test_every_step_that_has_adapters_uses_them_and_no_other(fresh: Network) -> None:
    before, kept = spoken(fresh), found(fresh)
    wake(fresh)
    assert all(not torch.allclose(after, before[name], atol=1e-3) for name, after in spoken(fresh).items())
    assert all(torch.equal(after, kept[name]) for name, after in found(fresh).items())


@pytest.mark.parametrize(("step", "asks"), [("understand", True), ("word", False)])
def test_a_step_has_adapters_of_its_own(fresh: Network, step: str, asks: bool) -> None:
    before = spoken(fresh)
    lively(fresh.steps[step])
    changed = {name for name, after in spoken(fresh).items() if not torch.equal(after, before[name])}
    assert changed == ({"understand"} if asks else before.keys() - {"understand"})


def test_ranks_are_those_of_the_steps(fresh: Network) -> None:
    for step, rank in RANKS.items():
        for adapter in fresh.steps[step]:  # type: ignore[union-attr]
            assert adapter.into["qkv"].weight.shape == (rank, D)


def test_shapes_of_what_is_understood_and_stated(fresh: Network) -> None:
    outputs = spoken(fresh)
    assert outputs["understand"].shape == (1, ASKED, SMALL.vocabulary)
