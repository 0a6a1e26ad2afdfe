"""A network that grew answers as it did before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mm_edge.model.block import Past
from mm_edge.model.features import features
from mm_edge.model.growth import grown, reworded
from mm_edge.model.network import Network, NetworkConfig, normalised
from mm_edge.model.observation import Observation
from mm_edge.model.tokenizer import Tokenizer

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
        if name == "in_turn":
            nn.init.normal_(parameter, std=0.1)
        if "norm" in name and name.endswith("weight"):
            nn.init.uniform_(parameter, 0.5, 1.5)
    return network.eval().requires_grad_(False)


def outputs(network: Network) -> dict[str, Tensor]:
    """Of the flow only what it makes of words that are all given: noise has as many coordinates as the trunk, so that
    two widths have none in common."""
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
    claims = network.meant(torch.cat([asked[:, :1], found], 1))
    masked, style = torch.ones(1, 20, dtype=torch.long), torch.ones(1, dtype=torch.long)
    words, there = torch.arange(3, 23)[None], torch.ones(1, 20)
    return {
        "facts": torch.cat([*encoded.facts.values()], 1),
        "motion": motion,
        "velocity": network.policy(torch.ones(1, 8, 2), torch.full((1,), 0.5), torch.ones(1, 8, 2), states, bias),
        "asked": asked,
        "found": found,
        "answer": network.answer(masked, style, claims),
        "followed": network.follow(words, style, claims)[0],
        "flowed": network.flow(torch.zeros(1, 20, network.config.d), words, there, there, style, claims)[0],
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


KNOWN = Tokenizer(["red", "green", "@0", "=0"], ["light"])
MORE = Tokenizer(["amber", "red", "green", "@0", "=0"], ["light", "lamp"])


def of_words(tokenizer: Tokenizer) -> NetworkConfig:
    return replace(SMALL, vocabulary=len(tokenizer), marks=len(tokenizer.marks))


def answered(network: Network, tokenizer: Tokenizer, words: list[str]) -> Tensor:
    """What is made of the words of KNOWN: logits of those alone."""
    ids = torch.tensor([[tokenizer.id(word) for word in words]])
    claims = network.word(ids[:, :4])
    style = torch.ones(1, dtype=torch.long)
    logits = torch.cat([network.answer(ids, style, claims), network.follow(ids, style, claims)[0]], 1)
    return logits[..., [tokenizer.id(token) for token in KNOWN.tokens]]


def test_other_words_change_nothing_about_those_that_are_known() -> None:
    torch.manual_seed(0)
    network = Network(of_words(KNOWN)).eval().requires_grad_(False)
    nn.init.normal_(network.unsaid)
    for block in network.blocks:
        nn.init.normal_(block.out.weight, std=0.1)  # type: ignore[union-attr]
    made = reworded(network, KNOWN, MORE).eval().requires_grad_(False)
    assert made.config.vocabulary == len(MORE)
    words = ["light", "red", "@0", "green", "=0"]
    assert torch.allclose(answered(made, MORE, words), answered(network, KNOWN, words), atol=1e-5)
    new = [MORE.id(word) for word in ("amber", "lamp")]
    assert (made.unsaid[new] == network.unsaid.min()).all()


def test_words_that_are_gone_are_no_words_any_more() -> None:
    torch.manual_seed(0)
    network = Network(of_words(MORE))
    assert reworded(network, MORE, KNOWN).config.vocabulary == len(KNOWN)


@pytest.mark.parametrize(
    "spoken", [["red", "@0", "=0", "=1"], ["red", "=0", "@0"], ["red", "@0"], ["red", "@1", "@0", "=0"]]
)
def test_other_marks_are_refused(spoken: list[str]) -> None:
    with pytest.raises(ValueError, match="marks"):
        reworded(Network(of_words(KNOWN)), KNOWN, Tokenizer(spoken))
