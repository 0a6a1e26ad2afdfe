"""A network that grew answers as it did before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mm_edge.model.features import features
from mm_edge.model.growth import grown
from mm_edge.model.network import Network, NetworkConfig, Past, normalised
from mm_edge.model.observation import Observation

SMALL = NetworkConfig(vocabulary=60, marks=10, d=80, layers=2, heads=4, conv=4)
LARGE = replace(SMALL, d=120, heads=6, layers=4)


@pytest.fixture
def small() -> Network:
    """As if trained: nothing is zero any more."""
    torch.manual_seed(0)
    network = Network(SMALL)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
        if "norm" in name and name.endswith("weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)
    return network.eval().requires_grad_(False)


def outputs(network: Network) -> dict[str, Tensor]:
    picture = np.random.default_rng(0).integers(0, 255, (96, 160, 3), dtype=np.uint8)
    encoded = network.encoder(features([Observation(0, picture)]))
    history = encoded.summary[:, None].expand(-1, 3, -1)
    motion, _ = network.motion(history, encoded.summary)
    scene = network.scene(history, encoded.summary, encoded.tokens)
    start = torch.tensor([23.0])
    cache, states, bias = network.look(scene, start, torch.zeros(1, scene.shape[1]))
    log = Past(network.read(network.text(torch.arange(3, 30)[None]), torch.zeros(1)), torch.zeros(1, 23))
    now = Past(cache, torch.zeros(1, scene.shape[1]))
    asked = network.understand(torch.tensor([[40, 41, 52]]), start, [now], torch.zeros(1, 3))
    found = network.find(network.meant(asked), start, [log, now])
    claims = network.state(network.meant(torch.cat([asked[:, :1], found], 1)))
    masked, style = torch.ones(1, 20, dtype=torch.long), torch.ones(1, dtype=torch.long)
    return {
        "facts": torch.cat([*encoded.facts.values()], 1),
        "motion": motion,
        "velocity": network.policy(torch.ones(1, 8, 2), torch.full((1,), 0.5), torch.ones(1, 8, 2), states, bias),
        "asked": asked,
        "found": found,
        "answer": network.answer(masked, style, claims),
    }


def without_mean(
    x: Tensor, _: object, weight: Tensor | None = None, bias: Tensor | None = None, __: float = 0
) -> Tensor:
    """Layer norm that subtracts nothing."""
    return normalised(x) * (1.0 if weight is None else weight) + (0.0 if bias is None else bias)


def test_a_grown_network_answers_as_before(small: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the mean of layer norm."""
    monkeypatch.setattr(torch.nn.functional, "layer_norm", without_mean)
    before, after = outputs(small), outputs(grown(small, LARGE).eval().requires_grad_(False))
    for name, expected in before.items():
        assert (after[name] - expected).abs().max() < 0.002 * expected.abs().max(), name


def test_all_of_a_grown_network_can_learn(small: Network) -> None:
    large = grown(small, LARGE)
    sum(output.square().sum() for output in outputs(large).values()).backward()
    learns = {name: parameter.grad for name, parameter in large.named_parameters() if name.startswith("blocks")}
    assert all(gradient is not None for gradient in learns.values())
    assert learns["blocks.1.out.weight"].any()  # type: ignore[union-attr]
    assert learns["blocks.0.down.weight"][80:].any()  # type: ignore[index]


@pytest.mark.parametrize("change", [{"heads": 8}, {"layers": 3}, {"d": 120}, {"vocabulary": 61}])
def test_what_is_not_larger_is_refused(small: Network, change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="does not continue"):
        grown(small, replace(SMALL, **change))
