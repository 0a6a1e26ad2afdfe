"""Which sentences the small rung may word for the large one: the margins of its words in what the large one writes.

As RelayGen's released code does it, the large model writes, the small one reads that once, and cues go by the mean
margin of what follows them. Which margin is enough is not published; here it is the smallest one with which the small
rung's own sentences are wrong at most LOSS more often than the large one's. Sentences are drawn from the grammar, so no
drive is needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

import numpy as np
import torch

from mm_edge.compute.relay import Cues, cue
from mm_edge.engine import open_engine
from mm_edge.engine.base import Engine
from mm_edge.generation import DECODERS
from mm_edge.generation.draft import Draft, words
from mm_edge.model.checkpoint import sha256
from mm_edge.model.network import CLAIMS, STYLES
from mm_edge.training.evaluate import said
from mm_edge.world.grammar import draw, facts_of, parse

SENTENCES = 1500
LOSS = 0.005
PASSES = 100
SEED = 61


def fit(small: Path, large: Path, out: Path, sentences: int = SENTENCES) -> Cues:
    """Write `out` for the weights of two rungs."""
    torch.set_num_threads(1)
    reference, margins = measured(open_engine(small), open_engine(large), sentences)
    cues = Cues(sha256(small), sha256(large), reference, margins)
    cues.save(out)
    return cues


def measured(small: Engine, large: Engine, sentences: int) -> tuple[float, dict[str, float]]:
    """The margin that is enough, and the mean margin of each cue."""
    rng = np.random.default_rng(SEED)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for topic, facts in (draw(rng) for _ in range(sentences)):
        values = " ".join(value for _, value in sorted(facts.items()))
        claims = large.tokenizer.claims(f"<{topic}> {values}", CLAIMS)
        style = int(rng.integers(1, STYLES + 1))
        by_large, by_small = (_worded(engine, claims, style) for engine in (large, small))
        right = [parse(said(draft)) == facts_of(topic, facts) for draft in (by_large, by_small)]
        margin = _margin(small, by_large, claims, style)
        found[cue(large.tokenizer, claims)].append((margin, float(right[0]) - float(right[1])))
    margins = {name: float(np.mean([margin for margin, _ in each])) for name, each in found.items()}
    lost = {name: [loss for _, loss in each] for name, each in found.items()}
    return enough(margins, lost, LOSS), margins


def enough(margins: Mapping[str, float], lost: Mapping[str, Sequence[float]], most: float) -> float:
    """The smallest margin so that of all sentences of cues with at least that, at most the share `most` is lost; more
    than there is where none will do. lost: of each cue's sentences, 1 where handing it over makes it wrong."""
    least = inf
    so_far: list[float] = []
    for name in sorted(margins, key=lambda name: -margins[name]):
        so_far += lost[name]
        if np.mean(so_far) <= most:
            least = margins[name]
    return least if least < inf else 1.0 + max(margins.values(), default=0.0)


def _worded(engine: Engine, claims: list[int], style: int) -> Draft:
    *_, draft = DECODERS["autoregressive"](engine, engine.tell([claims], style)[0], PASSES)
    return draft


def _margin(small: Engine, draft: Draft, claims: list[int], style: int) -> float:
    """Mean margin of the small rung's words in a sentence of these claims."""
    (context,) = small.tell([claims], style)
    best, second = words(small, small.verify(torch.tensor(draft.ids), context), ()).topk(2).values.unbind(-1)
    return float((best - second)[: draft.length].mean())
