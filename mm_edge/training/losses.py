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
from mm_edge.model.network import KV, Network
from mm_edge.model.tokenizer import EOS, MASK
from mm_edge.training.batches import IGNORE, Batch

ALL_MASKED = 0.4
"""Share of the answers that are masked entirely: few-pass decoding begins there."""
FILLING = 0.1
"""Weight of the tokens after a sentence's end."""
TYPICAL_LENGTH = 8
"""Tokens of a sentence; it only scales the loss."""
WEIGHTS = {"answer": 1.0, "facts": 1.0, "gap": 1.0, "motion": 1.0}


@dataclass(frozen=True)
class Losses:
    total: Tensor
    parts: dict[str, float]


def losses(network: Network, batch: Batch, generator: torch.Generator) -> Losses:
    """A batch without turns trains what looks, and leaves out "answer"."""
    encoded = network.encoder(batch.observations)
    history, hidden = remembered(network, encoded, batch)
    motion, _ = network.motion(history, encoded.summary)
    parts = {
        "facts": torch.stack([_class_loss(encoded.facts[name], t) for name, t in batch.facts.items()]).sum(),
        "gap": _gap_loss(encoded.gap, batch.gap),
        "motion": _class_loss(motion, batch.motion),
    }
    if len(batch.turn_of):
        context = network.prefill(network.context(history, encoded.summary, encoded.tokens), bias=_bias(hidden))
        parts["answer"] = _answer_loss(network, context, hidden, batch, generator)
    total = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
    return Losses(total, {name: float(parts[name].detach()) if name in parts else nan for name in WEIGHTS})


def _answer_loss(
    network: Network, context: list[KV], hidden: Tensor, batch: Batch, generator: torch.Generator
) -> Tensor:
    """context: of every observation; `hidden` [N, n] of it."""
    past = [(k[batch.turn_of], v[batch.turn_of]) for k, v in context]
    bias = _bias(torch.cat([hidden[batch.turn_of], F.pad(batch.hidden, (1, 0))], 1))
    cache = network.prefill(network.request(batch.request, batch.style), past, bias)
    masked, weight = mask_some(batch.answer, generator)
    logits = network.answer(torch.where(masked, MASK, batch.answer), cache, bias)
    each = F.cross_entropy(logits.flatten(0, 1), batch.answer.flatten(), reduction="none").view_as(batch.answer)
    weight = weight * torch.where(filling(batch.answer), FILLING, 1.0)
    return (each * masked * weight).sum(1).mean() / TYPICAL_LENGTH


def remembered(network: Network, encoded: Encoded, batch: Batch) -> tuple[Tensor, Tensor]:
    """The summaries [N, slots, d] before every observation, zero where there are none, and what of its context is
    hidden [N, n] for that reason."""
    slots = network.config.history_slots
    ages = torch.arange(slots, 0, -1)
    there = ages <= batch.recalled[:, None]
    wanted = torch.arange(len(batch.recalled))[:, None] - ages
    history = encoded.summary[wanted.clamp(min=0)] * there[:, :, None]
    return history, F.pad(~there, (0, encoded.tokens.shape[1] + 1))


def _bias(hidden: Tensor) -> Tensor:
    """hidden: bool [B, n] -> [B, 1, 1, n], to be added to attention scores."""
    return torch.zeros(hidden.shape).masked_fill(hidden, -1e9)[:, None, None]


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
