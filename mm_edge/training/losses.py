"""What training minimises: masked tokens of the answers, and the facts on the way to them.

Masked diffusion after LLaDA (Nie et al. 2025, equation 3): a share t of an answer is masked, the cross-entropy of what
is masked counts 1/t. Knows nothing about where batches come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.model.encoders import Encoded
from mm_edge.model.network import BARE, HIDDEN, Network, Past
from mm_edge.model.policy import Policy
from mm_edge.model.tokenizer import EOS, MASK
from mm_edge.training.batches import IGNORE, Batch, Recall, Turns

ALL_MASKED = 0.4
"""Share of the answers that are masked entirely: few-pass decoding begins there."""
TOPIC_GIVEN = 0.5
"""Share of the sentences whose topic is not masked: the passes after the first know it, as bare answers do."""
FILLING = 0.1
"""Weight of the tokens after a sentence's end."""
WEIGHTS = {"answer": 1.0, "facts": 1.0, "gap": 1.0, "motion": 1.0, "action": 1.0, "bare": 1.0, "recall": 1.0}
MEAN_WEIGHT = 0.5


@dataclass(frozen=True)
class Losses:
    total: Tensor
    parts: dict[str, float]


def losses(network: Network, batch: Batch | None, recall: Recall | None, generator: torch.Generator) -> Losses:
    """Either may be missing; a batch without turns trains what looks, and leaves out the others."""
    parts = {} if batch is None else _batch_losses(network, batch, generator)
    if recall is not None:
        log = _log(network, recall.log, recall.log_bias)
        start = torch.tensor([float(recall.log_bias.shape[1])])
        parts["recall"] = _answer_loss(network, recall.turns, log, None, start, generator)
    total = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
    return Losses(total, {name: float(parts[name].detach()) if name in parts else nan for name in WEIGHTS})


def _batch_losses(network: Network, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    encoded = network.encoder(batch.observations)
    history, hidden = remembered(network, encoded, batch)
    motion, _ = network.motion(history, encoded.summary)
    parts = {
        "facts": torch.stack([_class_loss(encoded.facts[name], t) for name, t in batch.facts.items()]).sum(),
        "gap": _gap_loss(encoded.gap, batch.gap),
        "motion": _class_loss(motion, batch.motion),
    }
    if len(batch.turns.of):
        scene = network.scene(history, encoded.summary, encoded.tokens)
        start = torch.tensor([float(batch.log_bias.shape[1])])
        seen, states, bias = network.look(scene, start, _bias(hidden))
        parts["action"] = action_loss(network.policy, batch.actions, states, bias, generator)
        context = _log(network, batch.log, batch.log_bias), Past(seen, _bias(hidden)), start, generator
        parts["answer"] = _answer_loss(network, batch.turns, *context)
        parts["bare"] = _answer_loss(network, batch.bare, *context)
    return parts


def _log(network: Network, ids: Tensor, bias: Tensor) -> Past:
    return Past(network.read(network.text(ids), torch.zeros(1), bias=bias), bias)


def action_loss(policy: Policy, target: Tensor, states: Tensor, bias: Tensor, generator: torch.Generator) -> Tensor:
    """Flow matching, and the squared error of the chunk's mean: with eight steps that is all that is left of VLANeXt's
    loss over low frequencies (Wu et al. 2026, section 4.3). target: [N, STEPS, 2], NaN where unknown."""
    known = ~target.flatten(1).isnan().any(1)
    if not known.any():
        return torch.stack([p.sum() for p in policy.parameters()]).sum() * 0  # every process has the same gradients
    clean = target[known]
    sigma = torch.rand(len(clean), generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    noisy = torch.lerp(clean, noise, sigma[:, None, None])
    velocity = policy(noisy, sigma, states[:, known], bias[known]).float()
    off = noisy - sigma[:, None, None] * velocity - clean
    return (velocity - (noise - clean)).square().mean() + MEAN_WEIGHT * off.mean(1).square().mean()


def _answer_loss(
    network: Network,
    turns: Turns,
    log: Past,
    scene: Past | None,
    start: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """scene: of every observation; start: of the scene."""
    past = [log]
    if scene is not None:
        past.append(Past([(k[turns.of], v[turns.of]) for k, v in scene.layers], scene.bias[turns.of]))
    bias = _bias(F.pad(turns.hidden, (1, 0)))
    request = network.request(turns.request, turns.style)
    past.append(Past(network.read(request, start + network.config.scene_length, past, bias), bias))
    masked, weight = mask_some(turns.answer, generator)
    given = (turns.style == BARE) | (torch.rand(len(turns.style), generator=generator) < TOPIC_GIVEN)
    masked[:, 0] &= ~given
    ids = torch.where(masked, MASK, turns.answer)
    logits = network.answer(ids, turns.style, start + network.config.turn_length, past)
    each = F.cross_entropy(logits.flatten(0, 1), turns.answer.flatten(), reduction="none").view_as(turns.answer)
    weight = weight * torch.where(filling(turns.answer), FILLING, 1.0)
    return (each * masked * weight).sum() / (turns.answer != EOS).sum()


def remembered(network: Network, encoded: Encoded, batch: Batch) -> tuple[Tensor, Tensor]:
    """The summaries [N, slots, d] before every observation, zero where there are none, and what of its scene is
    hidden [N, n] for that reason."""
    slots = network.config.history_slots
    ages = torch.arange(slots, 0, -1)
    there = ages <= batch.recalled[:, None]
    wanted = torch.arange(len(batch.recalled))[:, None] - ages
    history = encoded.summary[wanted.clamp(min=0)] * there[:, :, None]
    return history, F.pad(~there, (0, encoded.tokens.shape[1] + 1))


def _bias(hidden: Tensor) -> Tensor:
    """hidden: bool [B, n] -> what is added to attention scores."""
    return torch.zeros(hidden.shape).masked_fill(hidden, HIDDEN)


def filling(answer: Tensor) -> Tensor:
    """Which tokens [Q, L] follow the first end of the sentence."""
    return (answer == EOS).cumsum(1) > 1


def mask_some(answer: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which tokens [Q, L] to mask, and the weight [Q, 1] of each row's loss: 1 / t."""
    rows, length = answer.shape
    share = torch.rand(rows, 1, generator=generator).clamp(min=1 / length)
    share = torch.where(torch.rand(rows, 1, generator=generator) < ALL_MASKED, 1.0, share)
    masked = torch.rand(rows, length, generator=generator) < share
    return masked, 1 / share.clamp(min=0.25)


def _class_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the targets that are not IGNORE; zero when there is none."""
    there = (target != IGNORE).sum().clamp(min=1)
    return F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum") / there


def _gap_loss(predicted: Tensor, target: Tensor) -> Tensor:
    there = ~target.isnan()
    return F.smooth_l1_loss(predicted[there] / 0.3, target[there] / 0.3) if there.any() else predicted.sum() * 0
