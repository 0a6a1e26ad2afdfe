"""What may be asked of a log: reference queries for compaction, without reading the log again.

Questions of this domain are few: a topic, and a word of the log that the answer is found by (self-study: Zweiger et al.
2026, section 3.1, here without generation). What the ledger counts is not among them: attention need not know it. Knows
nothing about how caches are compacted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from mm_edge.memory.cache import Cache
from mm_edge.model.block import normalised
from mm_edge.model.events import EVENTS, LANDMARKS, NAMES
from mm_edge.model.network import WINDOW, Network
from mm_edge.model.tokenizer import EOS, Tokenizer

LATEST = {
    "last_limit": "limit", "red_wait": "red", "last_caller": "call", "parked": "park", "charged": "charge",
    "location": "place", "traffic": "traffic", "tyres": "tyres", "service": "service", "arrival": "route",
}  # fmt: skip
"""Topics that are asked by a kind of event."""
NAMED: dict[str, tuple[str, ...]] = {
    "call_before": ("place", *LANDMARKS), "call_length": ("call",), "after": ("place", *LANDMARKS),
    "when": ("place", "call", *LANDMARKS), "charged": ("charge",), "task_state": ("task",),
}  # fmt: skip
"""Topics that are asked by a name, or by the landmark itself, of events of these kinds."""
TOPICS = (*dict.fromkeys((*LATEST, *NAMED)),)
GENERAL = "why"
"""A topic that nothing is found by. Asked about a word of the log it serves whatever else may be asked about that."""
STRANGERS = 1
"""Names of other things, and of nothing, that are asked for beside those that are known."""
Subject = tuple[str, str]
Ask = Callable[[Cache], list[Tensor]]
"""A cache -> what is asked of it: the queries of each layer [heads, n, d], scaled."""


def subjects(words: Sequence[str]) -> list[Subject]:
    """The different (kind, name) of a log's words; "" for no name."""
    pairs = pairwise((*words, ""))
    found = ((word, following if following.startswith("@") else "") for word, following in pairs if word in EVENTS)
    return [*dict.fromkeys(found)]


def questions(known: Collection[Subject], topics: Collection[str] = TOPICS) -> list[tuple[str, str]]:
    """All that may be asked of what is `known`, and some of what is not: topic and what it is found by. Then, for what
    nobody thought of, something GENERAL about every name and every kind of event."""
    names = [*dict.fromkeys(name for _, name in known if name)]
    nobody = [mark for mark in (f"@{number}" for number in range(NAMES)) if mark not in names]
    strangers = [*names[:STRANGERS], *nobody[:STRANGERS]]
    asked = [(topic, kind) for topic, kind in LATEST.items()]
    for topic, kinds in NAMED.items():
        own = [name or kind for kind, name in known if kind in kinds and (name or kind in LANDMARKS)]
        asked += [(topic, each) for each in (*own, *strangers)]
    general = [(GENERAL, each) for each in (*names, *dict.fromkeys(kind for kind, _ in known))]
    return [*[each for each in dict.fromkeys(asked) if each[0] in topics], *general]


def question_ids(asked: Sequence[tuple[str, str]], tokenizer: Tokenizer) -> Tensor:
    """[n, ASKED]."""
    rows = [[*tokenizer.claims(f"<{topic}>", 1), *tokenizer.claims(about, 1)] for topic, about in asked]
    return torch.tensor(rows, dtype=torch.long).view(len(rows), 2)


def by_questions(network: Network, ids: Tensor) -> Ask:
    """Queries of questions [n, ASKED]."""
    asked = network.word(ids)

    def ask(cache: Cache) -> list[Tensor]:
        queries = network.find_queries(asked, torch.tensor([float(cache.length)]), [cache.past()])
        return [each.transpose(0, 1).flatten(1, 2) for each in queries]

    return ask


def by_reading(network: Network, ids: Sequence[int]) -> Ask:
    """Queries of a log's own words as they were read, which see only those before them (as H2O has them)."""
    read = network.read_whole(_text(network, ids), torch.zeros(1)).queries
    return lambda cache: [each[0] for each in read]


def by_repeating(network: Network, ids: Sequence[int]) -> Ask:
    """Queries of the log read once more, behind itself (repeat-prefill; KVzip: Kim et al. 2025)."""

    def ask(cache: Cache) -> list[Tensor]:
        read = network.read_whole(_text(network, ids), torch.tensor([float(cache.length)]), [cache.past()]).queries
        return [each[0] for each in read]

    return ask


def by_chance(network: Network, count: int, generator: torch.Generator) -> Ask:
    """Random directions of the length that queries have: a control."""
    config = network.config
    width = config.d // config.heads

    def ask(cache: Cache) -> list[Tensor]:
        queries = []
        for block in network.blocks:
            q = normalised(torch.randn(config.heads, count, width - 1, generator=generator))
            q = q * (block.gain * width**-0.5)  # type: ignore[operator]
            queries.append(torch.cat([q, block.recency.expand(-1, count, 1)], -1))  # type: ignore[operator]
        return queries

    return ask


def together(*asks: Ask) -> Ask:
    """The queries of all of them."""
    return lambda cache: [torch.cat(each, 1) for each in zip(*(ask(cache) for ask in asks), strict=True)]


def _text(network: Network, ids: Sequence[int]) -> Tensor:
    return network.text(torch.tensor([[EOS] * WINDOW + list(ids)]))
