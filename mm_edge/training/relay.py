"""Which sentences the small rung may word for the large one: the margins of its words in what the large one writes.

As RelayGen's released code does it: the large model writes, the small one reads that once, and a cue is kept when what
follows it has a margin above the mean. Sentences are drawn from the grammar, so no drive is needed.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from mm_edge.compute.relay import Cues, cue
from mm_edge.engine import open_engine
from mm_edge.engine.base import Engine
from mm_edge.generation import DECODERS
from mm_edge.generation.draft import words
from mm_edge.model.checkpoint import sha256
from mm_edge.model.network import CLAIMS, STYLES
from mm_edge.world.grammar import draw

SENTENCES = 1500
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
    """The mean margin over all sentences, and that of each cue."""
    rng = np.random.default_rng(SEED)
    found: dict[str, list[float]] = defaultdict(list)
    for topic, facts in (draw(rng) for _ in range(sentences)):
        values = " ".join(value for _, value in sorted(facts.items()))
        claims = large.tokenizer.claims(f"<{topic}> {values}", CLAIMS)
        found[cue(large.tokenizer, claims)].append(_margin(small, large, claims, int(rng.integers(1, STYLES + 1))))
    every = [margin for margins in found.values() for margin in margins]
    return float(np.mean(every)), {name: float(np.mean(margins)) for name, margins in found.items()}


def _margin(small: Engine, large: Engine, claims: list[int], style: int) -> float:
    """Mean margin of the small rung's words in the sentence that the large one writes of these claims."""
    *_, draft = DECODERS["autoregressive"](large, large.tell([claims], style)[0], PASSES)
    (context,) = small.tell([claims], style)
    best, second = words(small, small.verify(torch.tensor(draft.ids), context), ()).topk(2).values.unbind(-1)
    return float((best - second)[: draft.length].mean())
