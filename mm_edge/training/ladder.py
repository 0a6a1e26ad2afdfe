"""How an action should be put out, in small: one design choice of the policy after the other, trained from nothing.

After VLANeXt (Wu et al. 2026, section 4 and table 1: separate head, loss, link, place of the vehicle's state, loss over
low frequencies). All variants see the same frozen features of the same moments, and share the network's own trunk and
policy in small. Nothing of the vehicle's signals is in the features: they reach a variant as tokens of their own, so
that it is known where. Knows nothing about tables.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from mm_edge.model.encoders import IMAGE_TOKENS, SEEN_FACTS, STATE_TOKENS
from mm_edge.model.features import SIGNALS, STATE_SIZE, features
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.model.policy import EULER_STEPS, QUERIES, SCALE, STEPS, actions, path, sample
from mm_edge.training.batches import SPACING_S
from mm_edge.training.muon import Muon
from mm_edge.training.recipe import Recipe
from mm_edge.training.trainer import CLIP_NORM, progress_factor
from mm_edge.world.drive import STANDING_MPS, Drive

DURATION_S, FIRST_S = 14.0, 0.5
MOMENTS = 10
"""Of a drive, SPACING_S apart, after as many frames as the history holds: the last path ends before the drive."""
MUTE = VehicleState(acceleration_mps2=0.0, throttle=0.0, brake=0.0)
"""The signals that the encoder is shown: nothing known but what is known in every drive."""
SMALL = NetworkConfig(vocabulary=2, marks=1, d=64, layers=2, heads=4, policy=64, conv=1)
"""Of every variant. Its eyes, ears and words stay unused."""
BATCH = 32
"""Moments of a step."""
BINS = 64
COVERED = (0.01, 0.99)
"""Quantiles of an action's values between which its bins lie, as in OpenVLA (Kim et al. 2024, section 3.2)."""


@dataclass(frozen=True)
class Moments:
    """seen: [N, n, d] frozen features of what camera and microphone showed in the last seconds, the newest last; state:
    [N, m, STATE_SIZE] the vehicle's signals at the same times; speed_mps: [N], never NaN; measured: [N, 2] the action
    that the signals show, straight on where they show no bend; path_m and actions: [N, STEPS, 2], what is right."""

    seen: Tensor
    state: Tensor
    speed_mps: Tensor
    measured: Tensor
    path_m: Tensor
    actions: Tensor

    def __len__(self) -> int:
        return len(self.speed_mps)

    def __getitem__(self, rows: Tensor) -> Moments:
        return Moments(*(tensor[rows] for tensor in vars(self).values()))


MEAN_WEIGHT = 0.5
"""Of the loss over low frequencies."""


@dataclass(frozen=True)
class Variant:
    """link: what a separate head sees of the trunk: the queries' last outputs, each layer's scene, or each layer's
    scene and queries; "none": there is no such head, and the trunk writes actions as words. flow: flow matching, else
    regression in one pass. mean_weight: of the error of a chunk's mean. state: where the vehicle's signals go in."""

    link: Literal["none", "loose", "tight", "soft"] = "soft"
    flow: bool = True
    mean_weight: float = MEAN_WEIGHT
    state: Literal["trunk", "policy", "both", "none"] = "trunk"


VLANEXT = "soft_flow_dct"
VARIANTS = {
    "bins": Variant("none"),
    "loose_flow": Variant("loose", mean_weight=0.0),
    "tight_flow": Variant("tight", mean_weight=0.0),
    "soft_flow": Variant(mean_weight=0.0),
    VLANEXT: Variant(),
    "soft_regression": Variant(flow=False, mean_weight=0.0),
    "soft_regression_dct": Variant(flow=False),
    "state_none": Variant(state="none"),
    "state_policy": Variant(state="policy"),
    "state_both": Variant(state="both"),
}
"""The last three differ from VLANEXT in the state alone."""


# -- what is seen -----------------------------------------------------------------------------------------------------


def moments(network: Network, first_seed: int, drives: int) -> Moments:
    """MOMENTS moments of each of the first `drives` drives from `first_seed` on whose speed is known."""
    made = (Drive(seed, DURATION_S) for seed in count(first_seed))
    known = (drive for drive in made if not np.isnan(drive.state(FIRST_S).speed_mps))
    parts = [_moments(network, drive) for drive in islice(known, drives)]
    return Moments(*map(torch.cat, zip(*(vars(part).values() for part in parts), strict=True)))


@torch.no_grad()
def _moments(network: Network, drive: Drive) -> Moments:
    slots = network.config.history_slots
    now = slots + torch.arange(MOMENTS)
    before = now[:, None] + torch.arange(-slots, 0)  # [MOMENTS, slots]
    times_s = [FIRST_S + SPACING_S * frame for frame in range(int(now[-1]) + 1)]
    states = [drive.state(t_s) for t_s in times_s]
    encoded = network.encoder(features([replace(drive.observation(t_s), state=MUTE) for t_s in times_s]))
    history = encoded.summary[before]
    _, motion = network.motion(history, encoded.summary[now])
    facts, image, _, sound = encoded.tokens[now].split([len(SEEN_FACTS), IMAGE_TOKENS, STATE_TOKENS, 1], 1)
    told = features([Observation(0, state=state) for state in states]).state
    speed_mps = torch.tensor([states[frame].speed_mps for frame in now])
    path_m = torch.from_numpy(np.stack([drive.path(times_s[frame]) for frame in now]))
    return Moments(
        seen=torch.cat([history[..., :-SIGNALS], facts, image, sound, motion], 1),
        state=told[torch.cat([before, now[:, None]], 1)],
        speed_mps=speed_mps,
        measured=torch.stack([_measured(states[frame]) for frame in now]),
        path_m=path_m,
        actions=actions(path_m, speed_mps),
    )


def _measured(state: VehicleState) -> Tensor:
    bends = state.speed_mps > STANDING_MPS and not np.isnan(state.yaw_rate_rps)
    curvature = state.yaw_rate_rps / state.speed_mps if bends else 0.0
    return torch.tensor([state.acceleration_mps2, curvature]) / torch.tensor(SCALE)


def ade_m(chosen: Tensor, on: Moments) -> float:
    """Mean distance between the paths of actions [N, STEPS, 2] and the true ones."""
    return float((path(chosen, on.speed_mps) - on.path_m).norm(dim=-1).mean())


# -- who acts ---------------------------------------------------------------------------------------------------------


class Told(nn.Module):
    """The vehicle's signals as tokens, one for each time."""

    def __init__(self, times: int, d: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(nn.Linear(STATE_SIZE, d), nn.GELU(), nn.Linear(d, d))
        self.place = nn.Parameter(torch.randn(times, d) * 0.5)

    def forward(self, state: Tensor) -> Tensor:
        """[B, m, STATE_SIZE] -> [B, m, d]."""
        return self.narrow(state) + self.place


class Actor(nn.Module, ABC):
    """Puts out actions. `like`: moments of the kind that it will see."""

    def __init__(self, variant: Variant, like: Moments) -> None:
        super().__init__()
        (_, tokens, width), (_, times, _) = like.seen.shape, like.state.shape
        self.variant = variant
        self.network = Network(SMALL)
        self.lift = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, SMALL.d))
        self.place = nn.Parameter(torch.randn(tokens, SMALL.d) * 0.5)
        self.told = Told(times, SMALL.d) if variant.state in ("trunk", "both") else None

    @abstractmethod
    def loss(self, of: Moments, generator: torch.Generator) -> Tensor: ...

    @abstractmethod
    def act(self, on: Moments) -> Tensor:
        """-> actions [N, STEPS, 2]."""

    def context(self, of: Moments) -> Tensor:
        """[B, n, d], the vehicle's signals first, as in VLANeXt."""
        seen = self.lift(of.seen) + self.place
        return seen if self.told is None else torch.cat([self.told(of.state), seen], 1)

    def look(self, x: Tensor) -> Tensor:
        """[B, n, d] -> the trunk's states [layers, B, n + QUERIES, d]."""
        return self.network.look(x, torch.zeros(1), torch.zeros(x.shape[:2]))[1]


class Head(Actor):
    """A policy of its own beside the trunk."""

    def __init__(self, variant: Variant, like: Moments) -> None:
        super().__init__(variant, like)
        self.told_policy = Told(like.state.shape[1], SMALL.d) if variant.state in ("policy", "both") else None

    def loss(self, of: Moments, generator: torch.Generator) -> Tensor:
        """As `mm_edge.training.losses.action_loss`, with the paper's loss over low frequencies (section 4.3), of which
        eight steps leave the mean; regression is its end where there is nothing but the mean of the
        noise: one step from there is the answer."""
        clean = of.actions
        sigma, noise = torch.ones(len(clean)), torch.zeros_like(clean)
        if self.variant.flow:
            sigma = torch.rand(len(clean), generator=generator)
            noise = torch.randn(clean.shape, generator=generator)
        noisy = torch.lerp(clean, noise, sigma[:, None, None])
        velocity = self._velocity(noisy, sigma, self.linked(of))
        off = noisy - sigma[:, None, None] * velocity - clean
        return (velocity - (noise - clean)).square().mean() + self.variant.mean_weight * off.mean(1).square().mean()

    def act(self, on: Moments) -> Tensor:
        states = self.linked(on)
        steps = EULER_STEPS if self.variant.flow else 1
        return sample(lambda x, sigma: self._velocity(x, sigma, states), torch.zeros_like(on.actions), steps)

    def linked(self, of: Moments) -> Tensor:
        """What each layer of the policy attends to beside its actions: [layers, B, n, d]."""
        states = self.look(self.context(of))
        if self.variant.link == "loose":
            states = states[-1:, :, -QUERIES:].expand(len(states), -1, -1, -1)
        elif self.variant.link == "tight":
            states = states[:, :, :-QUERIES]
        if self.told_policy is None:
            return states
        return torch.cat([states, self.told_policy(of.state).expand(len(states), -1, -1, -1)], 2)

    def _velocity(self, noisy: Tensor, sigma: Tensor, states: Tensor) -> Tensor:
        return self.network.policy(noisy, sigma, torch.zeros_like(noisy), states, torch.zeros(states.shape[1:3]))


class Words(Actor):
    """Actions as words that the trunk itself writes, one after the other (RT-2: Brohan et al. 2023, section 3.2)."""

    low: Tensor
    wide: Tensor

    def __init__(self, variant: Variant, like: Moments) -> None:
        super().__init__(variant, like)
        edges = torch.quantile(like.actions.flatten(0, 1), torch.tensor(COVERED), dim=0)  # [2, 2]
        self.register_buffer("low", edges[0])
        self.register_buffer("wide", (edges[1] - edges[0]) / BINS)
        self.words = nn.Embedding(BINS + 1, SMALL.d)
        self.word_place = nn.Parameter(torch.randn(2 * STEPS, SMALL.d) * 0.5)
        self.say = nn.Linear(SMALL.d, BINS)

    def loss(self, of: Moments, generator: torch.Generator) -> Tensor:
        words = self.written(of.actions)
        return F.cross_entropy(self._next(self.context(of), words[:, :-1]).flatten(0, 1), words.flatten())

    def act(self, on: Moments) -> Tensor:
        context = self.context(on)
        words = torch.zeros(len(on), 0, dtype=torch.long)
        for _ in range(2 * STEPS):
            words = torch.cat([words, self._next(context, words)[:, -1:].argmax(-1)], 1)
        return self.read(words)

    def written(self, chosen: Tensor) -> Tensor:
        """Actions [B, STEPS, 2] -> words [B, 2 * STEPS]."""
        return ((chosen - self.low) / self.wide).floor().clamp(0, BINS - 1).long().flatten(1)

    def read(self, words: Tensor) -> Tensor:
        """The inverse of `written`: the middles of the bins."""
        return (words.unflatten(1, (STEPS, 2)) + 0.5) * self.wide + self.low

    def _next(self, context: Tensor, words: Tensor) -> Tensor:
        """context [B, n, d] and the first words [B, t] -> logits [B, t + 1, BINS]: of each, and of the one after."""
        known = self.words(F.pad(words, (1, 0), value=BINS)) + self.word_place[: words.shape[1] + 1]
        last = self.look(torch.cat([context, known], 1))[-1]
        return self.say(self.network.norm(last[:, context.shape[1] : -QUERIES]))


def trained(variant: Variant, on: Moments, steps: int, seed: int) -> Actor:
    """A variant's actor, trained from nothing for `steps` batches, ready to act."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        actor = Words(variant, on) if variant.link == "none" else Head(variant, on)
    recipe = Recipe(steps=steps, warmup=steps // 10)
    optimizers = _optimizers(actor, recipe)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        actor.zero_grad(set_to_none=True)
        actor.loss(on[torch.randint(len(on), (BATCH,), generator=generator)], generator).backward()
        torch.nn.utils.clip_grad_norm_(actor.parameters(), CLIP_NORM)
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * progress_factor(recipe, step)
            optimizer.step()
    return actor.eval().requires_grad_(False)


def _optimizers(actor: Actor, recipe: Recipe) -> list[tuple[Optimizer, float]]:
    """With their highest learning rates: Muon for the blocks' matrices, trunk and policy alike, AdamW for the rest."""
    blocks = (*actor.network.blocks.parameters(), *actor.network.policy.blocks.parameters())
    matrices = [parameter for parameter in blocks if parameter.ndim == 2]
    inside = {id(parameter) for parameter in matrices}
    others = [parameter for parameter in actor.parameters() if id(parameter) not in inside]
    return [
        (torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=recipe.decay), recipe.rate),
        (Muon(matrices, lr=recipe.hidden_rate, weight_decay=recipe.decay), recipe.hidden_rate),
    ]
