"""The network's algebra, on random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from mm_edge.model.checkpoint import CheckpointError, load, save
from mm_edge.model.encoders import PERCEPT_TOKENS, SEEN_FACTS
from mm_edge.model.features import MEL_BANDS, MEL_FRAMES, STATE_SIZE, features
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.model.schema import BY_CAMERA
from mm_edge.model.tokenizer import MASK, Tokenizer

SMALL = NetworkConfig(vocabulary=60, d=32, layers=2, heads=2, conv=4, history_slots=4)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return Network(SMALL).eval().requires_grad_(False)


def observation(**values: object) -> Observation:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return Observation(0, **({"image": picture, "audio": rng.normal(size=16_000).astype(np.float32)} | values))  # type: ignore[arg-type]


def context(network: Network, slots: int = 4) -> Tensor:
    encoded = network.encoder(features([observation()]))
    history = torch.randn(1, slots, SMALL.d)
    asked = network.request(torch.tensor([[40, 41, 42]]), torch.tensor([1]))
    return torch.cat([network.context(history, encoded.summary, encoded.tokens), asked], 1)


def masked() -> Tensor:
    return torch.full((1, SMALL.answer_length), MASK)


def test_shapes(network: Network) -> None:
    encoded = network.encoder(features([observation(), observation(image=None)]))
    assert encoded.tokens.shape == (2, PERCEPT_TOKENS, SMALL.d)
    assert {name: tuple(logits.shape) for name, logits in encoded.facts.items()} == {
        name: (2, len(values)) for name, values in SEEN_FACTS.items()
    }
    assert network.answer(masked(), network.prefill(context(network))).shape == (1, SMALL.answer_length, 60)


def test_reading_in_two_parts_is_reading_at_once(network: Network) -> None:
    whole = context(network)
    at_once = network.prefill(whole)
    in_parts = network.prefill(whole[:, 20:], network.prefill(whole[:, :20]))
    for one, two in zip(at_once, in_parts, strict=True):
        assert torch.allclose(one[0], two[0], atol=1e-5)
        assert torch.allclose(one[1], two[1], atol=1e-5)


def test_the_context_does_not_see_what_follows(network: Network) -> None:
    whole = context(network)
    changed = whole.clone()
    changed[:, -1] += 1.0
    for (k, _), (other, _) in zip(network.prefill(whole), network.prefill(changed), strict=True):
        assert torch.equal(k[:, :, :-1], other[:, :, :-1])


def test_a_bias_of_zero_is_no_bias_and_one_of_minus_infinity_hides(network: Network) -> None:
    whole = context(network)
    cache = network.prefill(whole)
    length = whole.shape[1]
    plain = network.answer(masked(), cache)
    assert torch.allclose(plain, network.answer(masked(), cache, torch.zeros(1, 1, 1, length)), atol=1e-6)
    hidden = torch.zeros(1, 1, 1, length)
    hidden[..., -1] = -1e9
    shorter = [(k[:, :, :-1], v[:, :, :-1]) for k, v in cache]
    assert torch.allclose(network.answer(masked(), cache, hidden), network.answer(masked(), shorter), atol=1e-5)


def test_a_lost_camera_says_nothing_about_the_scene(network: Network) -> None:
    blind = network.encoder(features([observation(image=None), observation(image=None, state=VehicleState(gear=4))]))
    seen = [index for index, name in enumerate(SEEN_FACTS) if name in BY_CAMERA]
    assert torch.equal(blind.tokens[0, seen], blind.tokens[1, seen])
    assert torch.isfinite(blind.tokens).all()


def test_too_long_a_history_is_refused(network: Network) -> None:
    with pytest.raises(ValueError, match="at most 4"):
        context(network, slots=5)


@pytest.mark.parametrize(
    "seen",
    [
        Observation(0),
        observation(image=np.zeros((1, 1, 3), np.uint8)),
        observation(image=np.zeros((3, 2000, 3), np.uint8)),
        observation(audio=np.zeros(0, np.float32)),
        observation(state=VehicleState(speed_mps=1e30, gear=250)),
    ],
)
def test_anything_sensed_becomes_numbers(seen: Observation) -> None:
    made = features([seen])
    assert made.state.shape == (1, STATE_SIZE)
    assert made.sound.shape == (1, MEL_BANDS, MEL_FRAMES)
    assert all(torch.isfinite(tensor.float()).all() for tensor in (made.image, made.state, made.sound))


def test_weights_come_back(network: Network, tmp_path: Path) -> None:
    words = [f"word{n}" for n in range(60)]
    save(tmp_path / "w.safetensors", network.state_dict(), SMALL, Tokenizer(words))
    again, tokenizer = load(tmp_path / "w.safetensors")
    assert tokenizer.spoken == tuple(words)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "renamed"])
def test_weights_that_cannot_be_used_are_named(network: Network, tmp_path: Path, damage: str) -> None:
    path, weights = tmp_path / "w.safetensors", network.state_dict()
    if damage == "renamed":
        weights["other"] = weights.pop("head.bias")
    if damage != "missing":
        save(path, weights, SMALL, Tokenizer(["a"]))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    if damage == "foreign":
        path.write_bytes(b"PK\x03\x04 a pickle")
    with pytest.raises(CheckpointError, match=r"w\.safetensors"):
        load(path)
