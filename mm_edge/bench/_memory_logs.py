"""Logs of held-out journeys, what is asked of them, and whether it is found: the common ground of the memory's figures.

Knows nothing about how caches are compacted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_edge.bench.harness import wilson
from mm_edge.memory.cache import Cache
from mm_edge.memory.ledger import COUNTED, Ledger
from mm_edge.model.block import KV
from mm_edge.model.network import WINDOW, Network, Past
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.finds import Find, Finds, finds_of, stated_by
from mm_edge.world.journey import Journey
from mm_edge.world.questions import Question
from mm_edge.world.recall import HISTORY_FAMILIES, ask_history

FOUND = tuple(family for family in HISTORY_FAMILIES if family not in COUNTED)
TRIES = 4
"""Questions drawn of each family; those that ask for the same are one."""
CHUNK = 64
"""Words that engines read at once."""
SWIFT = 512
"""Words at once where only the outcome matters: quickest on a processor."""


@dataclass(frozen=True)
class Log:
    """words, ids: of a journey's log; asked: different questions; finds: the same for the network."""

    lines: Sequence[Sequence[str]]
    words: Sequence[str]
    ids: Sequence[int]
    asked: Sequence[Question]
    finds: Finds


@dataclass(frozen=True)
class Share:
    """Of answers that are right. full: the same questions on the full cache."""

    right: list[bool]
    full: list[bool]

    @property
    def retention(self) -> float:
        return sum(self.right) / max(1, sum(self.full))

    def row(self, part: str, method: str, ratio: float) -> dict[str, object]:
        low, high = wilson(sum(self.right), len(self.right))
        accuracy = float(np.mean(self.right)) if self.right else float("nan")
        return {
            "part": part, "method": method, "ratio": ratio, "n": len(self.right), "right": accuracy, "low": low,
            "high": high, "retention": self.retention, "time": "", "bytes": "", "error": "",
        }  # fmt: skip


def log_of(seed: int, words: int, tokenizer: Tokenizer, families: Sequence[str] = FOUND) -> Log:
    """A journey's log and questions about it."""
    journey, rng = Journey(seed, words), np.random.default_rng([seed, 13])
    drawn = [ask_history(journey, rng, family) for family in families for _ in range(TRIES)]
    asked = [*{(each.topic, each.about): each for each in drawn}.values()]
    return Log(journey.lines, journey.words, tokenizer.log(journey.words), asked, finds(asked, tokenizer))


def finds(asked: Sequence[Question], tokenizer: Tokenizer) -> Finds:
    wanted = [Find(f"<{each.topic}>", each.about, stated_by(each.facts)) for each in asked]
    return finds_of(torch.zeros(len(wanted), dtype=torch.long), wanted, tokenizer)


def read(network: Network, ids: Sequence[int], chunk: int = SWIFT, start: int = 0) -> Cache:
    """`chunk` words at once, from the place `start` on; nothing comes before."""
    padded = torch.tensor([[EOS] * WINDOW + list(ids)])
    layers: list[KV] = []
    for first in range(0, len(ids), chunk):
        x = network.text(padded[:, first : first + chunk + WINDOW])
        place = torch.tensor([float(start + first)])
        known = [Past(layers, torch.zeros(1, first)).seen(place)] if layers else []
        new = network.read(x, place, known)
        layers = [
            (torch.cat([k, more_k], 2), torch.cat([v, more_v], 2))
            for (k, v), (more_k, more_v) in zip(layers, new, strict=True)
        ] if layers else new  # fmt: skip
    return Cache.of(layers, len(ids))


def right(network: Network, finds: Finds, past: Sequence[Past], length: int) -> list[bool]:
    """Of each question: whether what is found behind `length` words is what a right answer states."""
    found = network.find(network.word(finds.asked), torch.tensor([float(length)]), past).argmax(-1)
    same: Tensor = ((found == finds.stated) | (finds.stated == EOS)).all(1)
    return same.tolist()  # type: ignore[no-any-return]


def remembered(network: Network, log: Log, cache: Cache) -> list[bool]:
    return right(network, log.finds, [cache.seen(cache.length).past()], cache.length)


def counted(network: Network, tokenizer: Tokenizer, seeds: Collection[int], words: int) -> list[dict[str, object]]:
    """What the ledger states and what attention finds on the full cache, of the families that need counting."""
    ledger_right: dict[str, list[bool]] = {family: [] for family in COUNTED}
    full: dict[str, list[bool]] = {family: [] for family in COUNTED}
    for seed in seeds:
        log, ledger = log_of(seed, words, tokenizer, COUNTED), Ledger()
        for line in log.lines:
            ledger.add(line)
        found = remembered(network, log, read(network, log.ids))
        for question, each in zip(log.asked, found, strict=True):
            stated = ledger.stated(f"<{question.topic}>", question.about)
            ledger_right[question.family].append(stated == stated_by(question.facts))
            full[question.family].append(each)
    return [
        Share(shares[family], full[family]).row(family, name, 1) | {"retention": ""}
        for family in COUNTED
        for name, shares in (("ledger", ledger_right), ("attention, full cache", full))
    ]
