"""Fits which requests are about the drive: the crowd's and the drives' own against all others.

The threshold is the one below which REFUSED of the requests lie that belong to no intent at all, in the crowd's
validation split, which nothing was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from mm_edge.trust.scope import PIECES, Scope, pieces
from mm_edge.world.crowd import REFUSED as REFUSED_FAMILY
from mm_edge.world.crowd import crowd, out_of_scope
from mm_edge.world.journey import Journey
from mm_edge.world.questions import WORDINGS, request
from mm_edge.world.recall import HISTORY_FAMILIES, ask_history

JOURNEYS, WORDS = 40, 256
"""Journeys whose logs are asked about, and how long these are: every family of questions once on each."""
REFUSED = 0.95
EPOCHS, BATCH, RATE, COOLING, DECAY = 15, 256, 0.3, 0.8, 1e-3
DROPPED = 0.2
"""Share of a text's pieces that is left out at random, so that no single one decides."""


def fit(first_seed: int) -> Scope:
    """first_seed: of the journeys."""
    texts = [*((text, family != REFUSED_FAMILY) for family, own in crowd("train").items() for text in own)]
    texts += own_requests(first_seed, JOURNEYS)
    scope = _trained([pieces(text) for text, _ in texts], [inside for _, inside in texts])
    unseen = [scope.probability(text) for text in out_of_scope("val")]
    return Scope(scope.weights, scope.bias, float(np.quantile(unseen, REFUSED)))


def own_requests(first_seed: int, journeys: int) -> list[tuple[str, bool]]:
    """Requests of every family, names marked, and whether they are about the drive."""
    found = []
    for seed in range(first_seed, first_seed + journeys):
        rng, journey = np.random.default_rng([seed, 19]), Journey(seed, WORDS)
        found += [(request(family, rng), family != REFUSED_FAMILY) for family in WORDINGS]
        found += [
            (journey.names.marked(ask_history(journey, rng, family).text), family != REFUSED_FAMILY)
            for family in HISTORY_FAMILIES
        ]
    return found


def _trained(texts: Sequence[Sequence[int]], inside: Sequence[bool]) -> Scope:
    """Logistic regression by AdamW."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.zeros(PIECES, 1, requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    known = [torch.tensor(each) for each in texts]
    wanted = torch.tensor(inside, dtype=torch.float32)
    optimizer = torch.optim.AdamW([weights, bias], lr=RATE, weight_decay=DECAY)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(known), generator=generator).split(BATCH):
            kept = [_some(known[index], generator) for index in batch.tolist()]
            starts = torch.tensor([0, *map(len, kept[:-1])]).cumsum(0)
            scores = F.embedding_bag(torch.cat(kept), weights, starts, mode="mean")[:, 0] + bias
            loss = F.binary_cross_entropy_with_logits(scores, wanted[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= COOLING
    return Scope(weights.detach()[:, 0].double().numpy(), float(bias.detach()), 0.0)


def _some(text: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    kept = text[torch.rand(len(text), generator=generator) >= DROPPED]
    return kept if len(kept) else text
