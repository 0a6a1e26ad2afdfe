"""Fits what the words of a request hint at: a linear model on their pieces, and how much it takes to refuse.

The texts are the crowd's and the drives' own, each family weighed alike. What is added to the score of a refusal is
found by learn then test (Angelopoulos et al. 2021), on the validation split's requests that belong to no intent at all:
network and hints together refuse at least REFUSED of such requests, with the certainty CERTAIN.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.engine import open_engine
from mm_edge.model.attention import HIDDEN
from mm_edge.model.block import Past
from mm_edge.model.checkpoint import load, save
from mm_edge.model.hints import PIECES, Hints, numbers, pieces
from mm_edge.model.network import Network
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.batches import fragment, own_request
from mm_edge.training.recipe import TUNING_SEED
from mm_edge.world.crowd import REFUSED as REFUSED_FAMILY
from mm_edge.world.crowd import crowd, out_of_scope
from mm_edge.world.drive import Drive
from mm_edge.world.journey import Journey
from mm_edge.world.recall import ABOUT_KIND

REQUESTS, EVERY, WORDS = 6000, 20, 128
"""The drives' own requests, how many of them are about one log, and how long these are."""
FRAGMENTS = 600
UNKNOWN = 3
"""How often the training split's hundred requests of no intent count."""
INVERSE_DECAY = 30.0
"""Of the logistic regression: its C."""
WEIGHT = 3.0
"""Of the hints beside the network."""
UNLIKELY = -20.0
"""The hint at topics that no request has."""
REFUSED, CERTAIN = 0.95, 0.85
CLEARLY = 0.01
"""What makes a refusal's score the higher one."""
TOGETHER, DURATION_S = 25, 14.0
"""Requests that are understood beside one scene, in the middle of a drive of that length."""


def fit(weights: Path) -> None:
    """Fit the hints of `weights`, and write them there; needs scikit-learn."""
    network, tokenizer = load(weights)
    network.hints = hints(*texts(), tokenizer)
    refuse = tokenizer.topics.index(_topic(REFUSED_FAMILY, tokenizer))
    network.hints.bias[refuse] += _missing(weights, network, tokenizer)
    save(weights, network.state_dict(), network.config, tokenizer)


def texts() -> tuple[list[str], list[str]]:
    """Requests, names marked, and the family of each."""
    rng = np.random.default_rng(61)
    found = [(text, family) for family, own in crowd("train").items() for text in own]
    found += [(text, REFUSED_FAMILY) for text in out_of_scope("train") * UNKNOWN]
    found += [(fragment(found[rng.integers(len(found))][0], rng), REFUSED_FAMILY) for _ in range(FRAGMENTS)]
    for count in range(REQUESTS):
        if count % EVERY == 0:
            journey = Journey(int(rng.integers(TUNING_SEED)), WORDS)
        text, topic, _ = own_request(journey, rng)
        found.append((text, topic[1:-1]))
    return [text for text, _ in found], [family for _, family in found]


def hints(requests: Sequence[str], families: Sequence[str], tokenizer: Tokenizer) -> Hints:
    """Logistic regression, every family as heavy as any other."""
    from sklearn.linear_model import LogisticRegression

    known = [numbers(text) for text in requests]
    rarity = _rarity(known)
    fitted = LogisticRegression(C=INVERSE_DECAY, class_weight="balanced", max_iter=300)
    fitted.fit(_rows(known, rarity), families)
    made = Hints(len(tokenizer), len(tokenizer.topics))
    made.rarity[:PIECES] = torch.from_numpy(rarity)
    made.ids.copy_(torch.tensor(tokenizer.topics))
    made.bias.fill_(UNLIKELY)
    for family, weights, bias in zip(fitted.classes_, fitted.coef_, fitted.intercept_, strict=True):
        place = tokenizer.topics.index(_topic(family, tokenizer))
        made.weight[:PIECES, place] = WEIGHT * torch.from_numpy(weights)
        made.bias[place] = WEIGHT * float(bias)
        made.kinds[place] = tokenizer.claims(ABOUT_KIND.get(family, ""), 1)[0]
        made.named[place] = any("@" in text for text, own in zip(requests, families, strict=True) if own == family)
    return made


def _topic(family: str, tokenizer: Tokenizer) -> int:
    return tokenizer.claims(f"<{family}>", 1)[0]


def _rarity(known: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Inverse document frequency of every piece, at least 1."""
    texts_with = np.bincount(np.concatenate(known).astype(int), minlength=PIECES)
    return 1 + np.log((1 + len(known)) / (1 + texts_with))  # type: ignore[no-any-return]


def _rows(known: Sequence[Sequence[int]], rarity: NDArray[np.float64]) -> Any:
    """Sparse [n, PIECES], each of length 1, as Hints weighs pieces."""
    from scipy.sparse import csr_matrix

    places = np.concatenate(known).astype(int)
    lengths = [max(1.0, float(np.linalg.norm(rarity[each]))) for each in known]
    values = rarity[places] / np.repeat(lengths, [*map(len, known)])
    return csr_matrix((values, places, np.cumsum([0, *map(len, known)])), (len(known), PIECES))


def _missing(weights: Path, network: Network, tokenizer: Tokenizer) -> float:
    """What a refusal's score lacks for all but so few of the requests of no intent as the test allows."""
    from scipy.stats import binom

    asked = topics(weights, network, tokenizer, out_of_scope("val"))
    refuse = _topic(REFUSED_FAMILY, tokenizer)
    others = asked.clone()
    others[:, refuse] = -torch.inf
    lacking = (others.max(1).values - asked[:, refuse]).sort(descending=True).values
    allowed = int(binom.ppf(1 - CERTAIN, len(lacking), 1 - REFUSED)) - 1
    return float(lacking[allowed]) + CLEARLY


@torch.no_grad()
def topics(weights: Path, network: Network, tokenizer: Tokenizer, requests: Sequence[str]) -> Tensor:
    """The logits of what requests are about [n, V], TOGETHER of them beside the scene of one tuning drive."""
    engine, limit, start = open_engine(weights), network.config.request_length, torch.zeros(1)
    found = []
    for first in range(0, len(requests), TOGETHER):
        seed, together = TUNING_SEED + first, requests[first : first + TOGETHER]
        journey = Journey(seed, WORDS)
        scene = engine.look(None, engine.encode(Drive(seed, DURATION_S).observation(DURATION_S / 2)))
        k, v = (part[:, None].expand(-1, len(together), -1, -1, -1) for part in (scene.k, scene.v))
        marked = [journey.names.marked(text) for text in together]
        ids = [tokenizer.request(text, limit) for text in marked]
        rows = torch.tensor([each + [EOS] * (limit - len(each)) for each in ids])
        bias = torch.tensor([[0.0] * len(each) + [HIDDEN] * (limit - len(each)) for each in ids])
        past = Past([*zip(k, v, strict=True)], scene.bias.expand(len(together), -1))
        asked = network.understand(rows, start, [past], bias, torch.cat([pieces(text) for text in marked]))
        found.append(asked[:, 0])
    return torch.cat(found)
