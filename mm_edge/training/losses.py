"""What training minimises of a turn up to its words: what is seen, asked and found, and where the vehicle goes.

Knows nothing about where batches come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.model.block import KV, Past
from mm_edge.model.encoders import PERCEPT_TOKENS
from mm_edge.model.features import Features, signals
from mm_edge.model.network import HIDDEN, WINDOW, Network
from mm_edge.model.policy import Policy, path, sample
from mm_edge.model.tokenizer import EOS
from mm_edge.training.batches import IGNORE, Batch, Driven, Requests, Seen
from mm_edge.training.finds import PIECE, Finds, Recall
from mm_edge.training.speech import Parts, word_losses

WEIGHTS = {
    "facts": 1.0, "gap": 1.0, "course": 0.3, "motion": 1.0, "action": 1.0,
    "asked": 1.0, "found": 1.0, "recalled": 1.0,
    "worded": 0.5, "edited": 0.5, "followed": 0.5, "flowed": 0.5, "mapped": 0.5,
}  # fmt: skip
FAR_WEIGHT = 0.3
"""Of how many metres off the path is, beside the flow's own loss."""


def recall_losses(network: Network, recall: Recall) -> Parts:
    """What logs alone tell."""
    words = recall.log.shape[1] - WINDOW
    log = read_log(network, recall.log, torch.zeros(len(recall.log), words))
    return {"recalled": found_loss(network, recall.finds, torch.full((1,), float(words)), [log])}


def drive_losses(network: Network, batch: Batch, generator: torch.Generator | None) -> Parts:
    """A batch in which nothing is asked trains what looks or, of sights, the path alone; one of sights in which
    something is asked trains all but what looks."""
    seen = batch.seen
    encoded = network.encoder(seen.senses)
    history, hidden = remembered(network, encoded.summary, seen.recalled)
    parts = {}
    if isinstance(seen.senses, Features):
        motion, _ = network.motion(history, encoded.summary)
        parts = {
            "facts": torch.stack([_class_loss(encoded.facts[name], t) for name, t in seen.facts.items()]).sum(),
            "gap": _near(encoded.gap / 0.3, seen.gap / 0.3),
            "motion": _class_loss(motion, seen.motion),
        }
    parts["course"], guess = _course_losses(network, encoded.course, history, encoded.summary, seen)
    if batch.finds is None and isinstance(seen.senses, Features):
        return parts
    start = torch.full((1,), float(batch.log_bias.shape[1]))
    with torch.set_grad_enabled(batch.finds is not None):
        scene = network.scene(history, encoded.summary, encoded.tokens)
        cache, states, bias = network.look(scene, start, _bias(hidden))
    parts["action"] = action_loss(network.policy, seen.actions, seen.speed, guess, states, bias, generator)
    if batch.finds is None:
        return parts
    log = read_log(network, batch.log, batch.log_bias)
    now = Past(cache, _bias(hidden))
    parts["asked"] = torch.stack([_asked_loss(network, requests, start, now) for requests in batch.requests]).mean()
    parts["found"] = found_loss(network, batch.finds, start, [log, now])
    return parts


def read_log(network: Network, ids: Tensor, bias: Tensor) -> Past:
    """Logs [rows, WINDOW + n], as they are seen from behind; bias: [rows, n], of their filling."""
    return Past(read_words(network, ids, bias), bias).seen(torch.full((1,), float(bias.shape[1])))


def read_words(network: Network, ids: Tensor, bias: Tensor, start: int = 0, before: Sequence[Past] = ()) -> list[KV]:
    """Words [rows, WINDOW + n] from the place `start` on, read piece by piece as engines do, with what was read before
    them; bias: [rows, n], of their filling."""
    layers: list[KV] = []
    for first in range(0, bias.shape[1], PIECE):
        last, place = min(first + PIECE, bias.shape[1]), torch.full((1,), float(start + first))
        known = [each.seen(place) for each in (*before, *([Past(layers, bias[:, :first])] if layers else []))]
        new = network.read(network.text(ids[:, first : last + WINDOW]), place, known, bias[:, first:last])
        both = zip(layers or [(k[:, :, :0], v[:, :, :0]) for k, v in new], new, strict=True)
        layers = [(torch.cat([k, more_k], 2), torch.cat([v, more_v], 2)) for (k, v), (more_k, more_v) in both]
    return layers


def request_losses(network: Network, batch: Batch) -> Parts:
    """What requests ask, beside scenes that are given."""
    with torch.no_grad():
        encoded = network.encoder(batch.seen.senses)
        history, hidden = remembered(network, encoded.summary, batch.seen.recalled)
        start = torch.full((1,), float(batch.log_bias.shape[1]))
        scene = network.scene(history, encoded.summary, encoded.tokens)
        now = Past(network.look(scene, start, _bias(hidden))[0], _bias(hidden))
    return {"asked": torch.stack([_asked_loss(network, requests, start, now) for requests in batch.requests]).mean()}


def signal_losses(network: Network, driven: Driven) -> Parts:
    """Of guesses by the vehicle's signals alone."""
    moved = signals(driven.state)
    history, _ = remembered(network, moved, driven.recalled)
    first = network.encoder.blind_course(driven.state)
    return {"course": _course_losses(network, first, history, moved, driven)[0]}


def _course_losses(
    network: Network, first: Tensor, history: Tensor, summary: Tensor, true: Seen | Driven
) -> tuple[Tensor, Tensor]:
    """Of the first guess and of the better one, which is returned without gradients."""
    later = network.course(history.detach(), summary.detach(), first.detach())
    loss = course_loss(first, true.actions, true.speed) + course_loss(later, true.actions, true.speed)
    return loss, later.detach()


def action_loss(
    policy: Policy,
    target: Tensor,
    speed: Tensor,
    guess: Tensor,
    states: Tensor,
    bias: Tensor,
    generator: torch.Generator | None,
) -> Tensor:
    """Flow matching, and where the actions lead that engines take: those from no noise at all. That stands for
    VLANeXt's loss over low frequencies (Wu et al. 2026, section 4.3): a sum of actions is a place. target: [N, STEPS,
    2], NaN where unknown; speed: [N] in m/s; guess: [N, STEPS, 2]."""
    known = ~target.flatten(1).isnan().any(1)
    clean = torch.where(known[:, None, None], target, 0.0)
    sigma = torch.rand(len(clean), generator=generator)
    noise = torch.randn(clean.shape, generator=generator)

    def velocity(actions: Tensor, sigma: Tensor) -> Tensor:
        return policy(actions, sigma, guess, states, bias).float()

    there = velocity(torch.lerp(clean, noise, sigma[:, None, None]), sigma)
    taken = sample(velocity, torch.zeros_like(clean))
    each = (there - (noise - clean)).square().mean((1, 2)) + FAR_WEIGHT * apart(taken, clean, speed)
    return _mean_of(each, known)


def course_loss(course: Tensor, target: Tensor, speed: Tensor) -> Tensor:
    """Of a first guess [N, STEPS, 2]; target and speed: as in `action_loss`."""
    known = ~target.flatten(1).isnan().any(1)
    return _mean_of(apart(course, torch.where(known[:, None, None], target, 0.0), speed), known)


def apart(actions: Tensor, others: Tensor, speed: Tensor) -> Tensor:
    """How many metres two paths lie apart, on average over their steps [N], that actions [N, STEPS, 2] lead along from
    a speed [N] in m/s on."""
    one, other = (path(each, speed.nan_to_num()) for each in (actions, others))
    return ((one - other).square().sum(-1) + 1e-6).sqrt().mean(1)


def _asked_loss(network: Network, requests: Requests, start: Tensor, scene: Past) -> Tensor:
    """start: [1], the place of the scenes; scene: of every moment."""
    asked = network.understand(requests.ids, start, [scene], _bias(requests.hidden))
    return word_losses(asked, requests.asked, torch.zeros(1, dtype=torch.bool)).mean()


def found_loss(network: Network, finds: Finds, start: Tensor, past: Sequence[Past]) -> Tensor:
    """start: [1], the place of the scenes."""
    found = network.find(network.word(finds.asked), start, past)
    return word_losses(found, finds.stated, finds.stated == EOS).mean()


def remembered(network: Network, summary: Tensor, recalled: Tensor) -> tuple[Tensor, Tensor]:
    """The summaries [N, slots, n] before every observation [N, n], zero where there are none, and what of its scene is
    hidden [N, slots + PERCEPT_TOKENS + 1] for that reason."""
    slots = network.config.history_slots
    ages = torch.arange(slots, 0, -1)
    there = ages <= recalled[:, None]
    wanted = torch.arange(len(recalled))[:, None] - ages
    history = summary[wanted.clamp(min=0)] * there[:, :, None]
    return history, F.pad(~there, (0, PERCEPT_TOKENS + 1))


def _bias(hidden: Tensor) -> Tensor:
    """hidden: bool [B, n] -> what is added to attention scores."""
    return torch.zeros(hidden.shape).masked_fill(hidden, HIDDEN)


def _class_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the targets that are not IGNORE; zero when there is none."""
    there = (target != IGNORE).sum().clamp(min=1)
    return F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="sum") / there


def _mean_of(each: Tensor, known: Tensor) -> Tensor:
    """Mean over the rows [N] that are known; zero when there is none."""
    return (each * known).sum() / known.sum().clamp(min=1)


def _near(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean over the targets that are known; zero when there is none."""
    there = ~target.isnan()
    each = F.smooth_l1_loss(predicted, torch.where(there, target, 0.0), reduction="none")
    return (each * there).sum() / there.sum().clamp(min=1)
