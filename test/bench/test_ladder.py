"""The ladder of the policy's design choices: who sees what, and that all learn. The features are of random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from mm_edge.bench.ladder import WHAT, Size, compare, standard_error
from mm_edge.model.encoders import PERCEPT_TOKENS, STATE_TOKENS
from mm_edge.model.features import STATE_SIZE
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.training import ladder
from mm_edge.training.ladder import MOMENTS, VARIANTS, VLANEXT, Actor, Head, Moments, Words, ade_m, moments, trained
from mm_edge.training.losses import action_loss
from mm_edge.world.drive import Drive

SEED, DRIVES = 1_600_000, 3


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """More are slower on networks this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(NetworkConfig(vocabulary=2, marks=1, d=32, layers=1, heads=4, conv=2)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def data(network: Network) -> Moments:
    return moments(network, SEED, DRIVES)


def actor(name: str, data: Moments) -> Actor:
    """Of random weights, the policy's last layer among them."""
    torch.manual_seed(1)
    made = Words(VARIANTS[name], data) if name == "bins" else Head(VARIANTS[name], data)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval().requires_grad_(False)


def test_moments_are_of_drives_whose_speed_is_known(data: Moments, network: Network) -> None:
    n, slots = DRIVES * MOMENTS, network.config.history_slots
    assert data.seen.shape == (n, slots + PERCEPT_TOKENS - STATE_TOKENS + 1, 32)
    assert data.state.shape == (n, slots + 1, STATE_SIZE)
    assert not any(tensor.isnan().any() for tensor in vars(data).values())
    assert ade_m(data.actions, data) < 1e-3


def test_what_is_seen_holds_nothing_of_the_signals(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    before = moments(network, SEED, 1)
    state = Drive.state
    monkeypatch.setattr(Drive, "state", lambda self, t_s: replace(state(self, t_s), speed_limit_mps=3.0, gear=2))
    after = moments(network, SEED, 1)

    assert torch.equal(after.seen, before.seen)
    assert not torch.equal(after.state, before.state)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_state_reaches_who_is_told(name: str, data: Moments) -> None:
    made = actor(name, data)
    told = replace(data, state=data.state + 1)
    place = VARIANTS[name].state

    assert torch.equal(made.context(told), made.context(data)) == (place in ("policy", "none"))
    losses = [made.loss(of, torch.Generator().manual_seed(0)) for of in (told, data)]
    assert torch.equal(*losses) == (place == "none")


@pytest.mark.parametrize(("name", "tokens"), [("loose_flow", 16), ("tight_flow", 46), ("soft_flow", 62)])
def test_the_link_says_what_the_policy_sees(name: str, tokens: int, data: Moments) -> None:
    states = actor(name, data).linked(data)  # type: ignore[attr-defined]

    assert states.shape == (ladder.SMALL.layers, len(data), tokens, ladder.SMALL.d)
    assert torch.equal(states[0], states[-1]) == (name == "loose_flow")


def test_the_shipped_design_learns_as_in_training(data: Moments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_edge.training.losses.FAR_WEIGHT", 0.0)
    made = actor("soft_flow", data)
    states = made.linked(data)  # type: ignore[attr-defined]
    bias = torch.zeros(states.shape[1:3])

    guess, again = torch.zeros_like(data.actions), torch.Generator().manual_seed(3)

    theirs = action_loss(made.network.policy, data.actions, data.speed_mps, guess, states, bias, again)

    assert torch.allclose(made.loss(data, torch.Generator().manual_seed(3)), theirs, rtol=1e-4)


@pytest.mark.parametrize("name", ["soft_regression", "soft_regression_dct"])
def test_regression_learns_what_it_puts_out(name: str, data: Moments) -> None:
    made = actor(name, data)
    off = made.act(data) - data.actions

    expected = off.square().mean() + VARIANTS[name].mean_weight * off.mean(1).square().mean()

    assert torch.allclose(made.loss(data, torch.Generator()), expected, rtol=1e-4)


def test_words_say_actions_to_half_a_bin(data: Moments) -> None:
    words = Words(VARIANTS["bins"], data)
    within = (data.actions >= words.low) & (data.actions < words.low + ladder.BINS * words.wide)

    off = (words.read(words.written(data.actions)) - data.actions).abs()

    assert (off <= words.wide * 0.501)[within].all()


def test_a_word_depends_on_the_words_before_it_alone(data: Moments) -> None:
    made = actor("bins", data)
    assert isinstance(made, Words)
    context, words = made.context(data), made.written(data.actions)
    changed = words.clone()
    changed[:, 8:] = (words[:, 8:] + 9) % ladder.BINS

    one, other = (made._next(context, ids[:, :-1]) for ids in (words, changed))

    assert torch.allclose(one[:, :9], other[:, :9], atol=1e-5)
    assert not torch.allclose(one[:, 9:], other[:, 9:], atol=1e-2)


@pytest.mark.parametrize("name", ["bins", VLANEXT, "soft_regression"])
def test_a_few_steps_teach_something(name: str, data: Moments) -> None:
    def loss(steps: int) -> float:
        return float(trained(VARIANTS[name], data, steps, 0).loss(data, torch.Generator().manual_seed(0)))

    assert loss(12) < loss(1)


def test_a_training_follows_from_its_seed(data: Moments) -> None:
    acts = [trained(VARIANTS[VLANEXT], data, 2, seed).act(data) for seed in (5, 5, 6)]
    assert torch.equal(acts[0], acts[1])
    assert not torch.equal(acts[0], acts[2])


def test_every_variant_is_measured_and_told(network: Network) -> None:
    result = compare(network, SEED, Size(drives=1, held_out=1, steps=1, trainings=2))

    assert [row["variant"] for row in result.table] == list(WHAT)
    assert all(np.isfinite(value) for value in result.headline.values())
    assert {f"ladder_{name}_{kind}_m" for name in VARIANTS for kind in ("ade", "se")} <= result.headline.keys()
    assert result.headline["n"] == MOMENTS
    assert result.headline["ladder_bins_of_truth_ade_m"] < result.headline["ladder_constant_velocity_ade_m"]


def test_a_single_training_has_no_error() -> None:
    assert np.isnan(standard_error([1.0]))
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
