"""What training minimises: masked tokens of the answers, and the facts on the way to them.

Masked diffusion after LLaDA (Nie et al. 2025, equation 3): a share t of an answer is masked, the cross-entropy of what
is masked counts 1/t. Knows nothing about where batches come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.model.encoders import Encoded
from mm_edge.model.network import Network
from mm_edge.model.tokenizer import MASK
from mm_edge.training.batches import IGNORE, Batch

ALL_MASKED = 0.4
"""Share of the answers that are masked entirely: few-pass decoding begins there."""
WEIGHTS = {"answer": 1.0, "facts": 0.35, "gap": 0.5, "motion": 0.5}


@dataclass(frozen=True)
class Losses:
    total: Tensor
    parts: dict[str, float]


def losses(network: Network, batch: Batch, generator: torch.Generator) -> Losses:
    encoded = network.encoder(batch.observations)
    context, hidden_mask, percept_end = contexts(network, encoded, batch)
    hidden, cache = network.prefill(context, hidden_mask)
    masked, weight = mask_some(batch.answer, generator)
    ids = torch.where(masked, MASK, batch.answer)
    logits = network.answer(ids, cache, hidden_mask)
    each = F.cross_entropy(logits.flatten(0, 1), batch.answer.flatten(), reduction="none").view_as(batch.answer)
    seen = [F.cross_entropy(encoded.facts[name], target, ignore_index=IGNORE) for name, target in batch.facts.items()]
    parts = {
        "answer": (each * masked * weight).sum(1).mean() / batch.answer.shape[1] * 4,
        "facts": torch.stack(seen).sum(),
        "gap": _gap_loss(encoded.gap, batch.gap),
        "motion": F.cross_entropy(network.motion(hidden[:, percept_end]), batch.motion, ignore_index=IGNORE),
    }
    total = torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum()
    return Losses(total, {name: float(part.detach()) for name, part in parts.items()})


def contexts(network: Network, encoded: Encoded, batch: Batch) -> tuple[Tensor, Tensor, int]:
    """The trunk's inputs [Q, n, d], what of them is hidden [Q, 1, 1, n], and the place of the percept's last token."""
    slots = network.config.history_slots
    ages = torch.arange(slots, 0, -1)
    wanted = batch.turn_of[:, None] - ages
    there = ages <= batch.recalled[:, None]
    history = encoded.summary[wanted.clamp(min=0)] * there[:, :, None]
    percept = encoded.tokens[batch.turn_of]
    context = network.context(history, percept, batch.request, batch.style)
    shown = torch.zeros(len(percept), percept.shape[1] + 1, dtype=torch.bool)
    hidden = torch.cat([~there, shown, batch.hidden], 1)
    mask = torch.zeros(hidden.shape).masked_fill(hidden, -1e9)[:, None, None]
    return context, mask, slots + percept.shape[1] - 1


def mask_some(answer: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which tokens [Q, L] to mask, and the weight [Q, 1] of each row's loss: 1 / t."""
    rows, length = answer.shape
    share = torch.rand(rows, 1, generator=generator).clamp(min=1 / length)
    share = torch.where(torch.rand(rows, 1, generator=generator) < ALL_MASKED, 1.0, share)
    masked = torch.rand(rows, length, generator=generator) < share
    return masked, 1 / share.clamp(min=0.25)


def _gap_loss(predicted: Tensor, target: Tensor) -> Tensor:
    there = ~target.isnan()
    return F.smooth_l1_loss(predicted[there] / 0.3, target[there] / 0.3) if there.any() else predicted.sum() * 0
