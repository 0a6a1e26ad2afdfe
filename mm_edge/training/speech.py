"""What training of the words minimises: sentences masked and mistaken, one word after the other, and out of noise.

Nothing here needs a scene or a log: what is worded are claims. Knows nothing about where they come from.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.generation.draft import gumbel
from mm_edge.model.flow import at, halfway, moved
from mm_edge.model.network import BEGIN, Network
from mm_edge.model.tokenizer import EOS, MASK
from mm_edge.training.finds import Wording

ALL_MASKED = 0.4
"""Share of the answers that are masked entirely: few-pass decoding begins there."""
MISTAKEN = 0.3
"""Highest share of the visible words that are replaced by wrong ones."""
KEEPING = 0.1
"""Weight of words that are right already: they are to stay."""
DOUBTFUL, DOUBT = 0.3, 0.4
"""Share of the answers that are worded from claims in doubt, and how much of them at most is something else."""
FILLING = 0.1
"""Weight of the tokens after the end of a sentence, or of what it states."""
GIVEN = 0.5
"""Share of the noisy sentences of which some words are given."""
WHOLE_WAY = 1 / 8
"""Share of the flow map's steps that go all the way."""
Parts = dict[str, Tensor]
Flow = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Noisy state, time now and then -> logits and mean, as `Network.flow`."""


def speech_losses(network: Network, wording: Wording, generator: torch.Generator | None) -> Parts:
    """All ways to word what is stated."""
    claims = _told(network, wording, generator)
    worded, edited = _draft_losses(network, wording, claims, generator)
    flowed, mapped = _flow_losses(network, wording, claims, generator)
    return {
        "worded": worded,
        "edited": edited,
        "followed": _follow_loss(network, wording, claims),
        "flowed": flowed,
        "mapped": mapped,
    }


def wording_losses(network: Network, wording: Wording, generator: torch.Generator | None) -> Parts:
    """Masked words alone."""
    answer = wording.answer
    masked, weight = mask_some(answer, generator)
    logits = network.answer(torch.where(masked, MASK, answer), wording.style, _told(network, wording, generator))
    return {"worded": _mean(word_losses(logits, answer, filling(answer)) * masked * weight, answer)}


def mask_some(answer: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Which tokens [Q, L] to mask, and the weight [Q, 1] of each row's loss: 1 / t, after LLaDA (Nie et al. 2025,
    equation 3)."""
    rows, length = answer.shape
    share = torch.rand(rows, 1, generator=generator).clamp(min=1 / length)
    share = torch.where(torch.rand(rows, 1, generator=generator) < ALL_MASKED, 1.0, share)
    masked = torch.rand(rows, length, generator=generator) < share
    return masked, 1 / share.clamp(min=0.25)


def mistake_some(answer: Tensor, generator: torch.Generator | None) -> Tensor:
    """Some tokens [Q, L] replaced: by any that some sentence has (LLaDA2.1: by any word), or by what another sentence
    says there."""
    rows, length = answer.shape
    share = MISTAKEN * torch.rand(rows, 1, generator=generator)
    chance = torch.rand(rows, length, generator=generator)
    anything = answer.flatten()[torch.randint(answer.numel(), answer.shape, generator=generator)]
    return torch.where(chance < share / 2, anything, torch.where(chance < share, answer.roll(1, 0), answer))


def edit_loss(logits: Tensor, draft: Tensor, answer: Tensor, weight: Tensor) -> Tensor:
    """Mask to token and token to token in one: cross-entropy of every position of a draft [Q, L]; what is masked counts
    `weight` [Q, 1], what is wrong 1, what is right KEEPING. Labels are those of the draft as it is now (multi-turn
    forward, LLaDA2.2)."""
    of = torch.where(draft == MASK, weight, torch.where(draft == answer, KEEPING, 1.0))
    return _mean(word_losses(logits, answer, filling(answer)) * of, answer)


def semigroup_loss(flow: Flow, noisy: Tensor, times: tuple[Tensor, Tensor, Tensor], clock: Tensor) -> Tensor:
    """Per token [Q, L], the KL divergence from what two halves of the way give to what the whole way gives (FMLM,
    section 4 of the third version; the teacher is the network itself). times: now, middle and then, each [Q, L]."""
    now, middle, then = times
    levels = tuple(at(clock, time) for time in times)
    with torch.no_grad():
        first, mean = flow(noisy, now, middle)
        second, _ = flow(moved(noisy, mean, levels[0], levels[1]), middle, then)
        target = halfway(first.softmax(-1), second.softmax(-1), *levels)
        entropy = -torch.special.xlogy(target, target).sum(-1)
    logits, _ = flow(noisy, now, then)
    return -(target * logits.log_softmax(-1)).sum(-1) - entropy


def word_losses(logits: Tensor, target: Tensor, fills: Tensor) -> Tensor:
    """Cross-entropies [Q, L], FILLING times where the target only `fills` up."""
    each = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none").view_as(target)
    return each * torch.where(fills, FILLING, 1.0)


def filling(answer: Tensor) -> Tensor:
    """Which tokens [Q, L] follow the first end of the sentence."""
    return (answer == EOS).cumsum(1) > 1


def _told(network: Network, wording: Wording, generator: torch.Generator | None) -> Tensor:
    """Its claims [Q, CLAIMS, d], some of them in doubt."""
    rows = len(wording.claims)
    doubt = DOUBT * torch.rand(rows, 1, 1, generator=generator)
    doubt = doubt * (torch.rand(rows, 1, 1, generator=generator) < DOUBTFUL)
    told = network.word(wording.claims)
    return torch.lerp(told, told.roll(1, 0), doubt)


def _draft_losses(
    network: Network, wording: Wording, claims: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Of a draft with masks and mistakes, and of what the network makes of it."""
    answer = wording.answer
    masked, weight = mask_some(answer, generator)
    draft = torch.where(masked, MASK, mistake_some(answer, generator))
    logits = network.answer(draft, wording.style, claims)
    first = edit_loss(logits, draft, answer, weight)
    with torch.no_grad():
        said = (logits + gumbel(logits, generator)).argmax(-1)
        better = torch.where(masked & (torch.rand(answer.shape, generator=generator) < 0.8), said, draft)
    return first, edit_loss(network.answer(better, wording.style, claims), better, answer, weight)


def _follow_loss(network: Network, wording: Wording, claims: Tensor) -> Tensor:
    answer = wording.answer
    before = F.pad(answer[:, :-1], (1, 0), value=BEGIN)
    logits, _ = network.follow(before, wording.style, claims)
    return _mean(word_losses(logits, answer, filling(answer)), answer)


def _flow_losses(
    network: Network, wording: Wording, claims: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """On the way (now = then), from the words themselves; and between two times, from the halves of that way."""
    answer = wording.answer
    rows, length = answer.shape
    words = network.word(answer).detach() @ network.noise()[1]

    def chance(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    share = chance(rows, 1) * (chance(rows, 1) < GIVEN)
    given = chance(rows, length) < share
    span, after = chance(rows, 1), chance(rows, 1)
    all_way = chance(rows, 1) < WHOLE_WAY
    start = torch.where(all_way, 0.0, after * (1 - span))
    now = torch.where(given, 1.0, start)
    then = torch.where(given, 1.0, torch.where(all_way, 1.0, start + span))
    noise = torch.randn((rows, length, words.shape[-1]), generator=generator)

    def flow(state: Tensor, begin: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        return network.flow(state, answer, begin, end, wording.style, claims)

    def at_level(time: Tensor) -> Tensor:
        level = at(network.clock, time)[..., None]
        return torch.lerp(noise, words, level)

    on_way = torch.where(given, 1.0, span)
    logits, _ = flow(at_level(on_way), on_way, on_way)
    fills = filling(answer)
    flowed = _mean(word_losses(logits, answer, fills) * ~given, answer)
    times = (now, (now + then) / 2, then)
    each = semigroup_loss(flow, at_level(now), times, network.clock)
    return flowed, _mean(each * torch.where(fills, FILLING, 1.0) * ~given, answer)


def _mean(each: Tensor, answer: Tensor) -> Tensor:
    """Per word said."""
    return each.sum() / (answer != EOS).sum()
