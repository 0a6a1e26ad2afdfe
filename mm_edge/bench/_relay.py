"""What handing sentences over to the small rung saves the large one, and what it costs in right sentences.

Sentences that tell what happened are worded of the same claims by the large rung alone, the small one alone, the relay,
and one that hands over as many of them at random; each one word after the other, and all words at once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mm_edge.bench.harness import wilson
from mm_edge.bench.speech import exported, facts_told
from mm_edge.compute.relay import Cues, Relay
from mm_edge.engine import relay_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.generation import several
from mm_edge.memory.digest import claim
from mm_edge.model.network import CLAIMS, STYLES
from mm_edge.training.evaluate import said
from mm_edge.world.grammar import parse
from mm_edge.world.journey import Journey

PASSES = 100
TOLD = 4
"""Events of an answer."""
WAYS = ("autoregressive", "speedy")
LARGE, SMALL, RELAY, RANDOM = "large alone", "small alone", "relay", "at random"


@dataclass
class Worded:
    """ms: of each answer; right: of each sentence that tells of an event."""

    ms: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)


class RandomRelay(Relay):
    """Hands over this share of all sentences, whatever they are about."""

    def __init__(self, small: Engine, large: Engine, share: float, seed: int) -> None:
        super().__init__(small, large, frozenset())
        self._share, self._random = share, random.Random(seed)

    def _easy(self, claims: Sequence[int]) -> bool:
        return self._random.random() < self._share


def relayed(seed: int, answers: int) -> tuple[dict[str, float], list[dict[str, object]], float]:
    """The headline, the table's rows, and the share of sentences that the relay hands over."""
    small, large = exported("small", "fp32"), exported("large", "fp32")
    cues = Cues.load(relay_path(), weights_path("small"), weights_path("large"))
    relay = Relay(small, large, cues.easy)
    _worded(relay, "speedy", seed, answers)
    share = relay.handed_over / (relay.handed_over + relay.kept)
    engines: dict[str, Engine] = {
        LARGE: large, SMALL: small, RELAY: relay, RANDOM: RandomRelay(small, large, share, seed),
    }  # fmt: skip
    found = {(way, name): Worded() for way in WAYS for name in engines}
    for number in range(answers):
        for way in WAYS:
            for name in sorted(engines, key=lambda name: (number + len(name)) % len(engines)):
                _note(found[way, name], engines[name], way, seed + number)
    return _headline(found, share), _rows(found), share


def _worded(engine: Engine, way: str, seed: int, answers: int) -> None:
    for number in range(answers):
        _note(Worded(), engine, way, seed + number)


def _note(worded: Worded, engine: Engine, way: str, seed: int) -> None:
    """One longer answer, sentence by sentence, since they are not all of one rung."""
    rng = np.random.default_rng([seed, 67])
    journey, style = Journey(seed, 256), int(rng.integers(1, STYLES + 1))
    chosen = [journey.lines[place] for place in sorted(rng.choice(len(journey.lines), TOLD, replace=False).tolist())]
    claims = [engine.tokenizer.claims(claim(line), CLAIMS) for line in chosen]
    began_s = time.perf_counter()
    drafts = [[*several(way, engine, [context], PASSES)][-1][0] for context in engine.tell(claims, style)]
    worded.ms.append((time.perf_counter() - began_s) * 1e3)
    worded.right += [parse(said(draft)) == facts_told(line) for draft, line in zip(drafts, chosen, strict=True)]


def _headline(found: dict[tuple[str, str], Worded], share: float) -> dict[str, float]:
    def faster(name: str, way: str = "autoregressive") -> float:
        return float(np.median(found[way, LARGE].ms) / np.median(found[way, name].ms))

    def points(name: str) -> float:
        large, other = (np.mean(found["autoregressive", each].right) for each in (LARGE, name))
        return 100 * float(large - other)

    return {
        "relay_speedup": faster(RELAY),
        "relay_speedup_at_once": faster(RELAY, "speedy"),
        "relay_loss_points": points(RELAY),
        "relay_random_speedup": faster(RANDOM),
        "relay_random_loss_points": points(RANDOM),
        "small_alone_speedup": faster(SMALL),
        "small_alone_loss_points": points(SMALL),
        "relay_share": share,
    }


def _rows(found: dict[tuple[str, str], Worded]) -> list[dict[str, object]]:
    rows = []
    for (way, name), worded in found.items():
        low, high = wilson(sum(worded.right), len(worded.right))
        rows.append({
            "policy": f"{way}, {name}", "n": len(worded.ms), "right": float(np.mean(worded.right)), "low": low,
            "high": high, "p50 ms": float(np.median(worded.ms)),
        })  # fmt: skip
    return rows
