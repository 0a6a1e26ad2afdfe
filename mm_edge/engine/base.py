"""What every engine offers, wherever the network runs: look, read, write one pass.

Tensors in and out are torch tensors. Knows nothing about sentences' meaning, deadlines or memory policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.model.observation import Observation
from mm_edge.model.tokenizer import Tokenizer


class EngineError(Exception):
    """The engine cannot be used; the message says why: damaged files, or it does not reproduce the reference."""


class EngineMissing(EngineError):
    """The engine was never installed, or nothing was exported for it."""


@dataclass(frozen=True)
class Percept:
    """One observation, encoded.

    tokens: [n, d], as the trunk takes them; summary: [d], what the history keeps; pooled: [p] float32, for novelty;
    facts: scene facts, name -> (most probable value, its probability), only those whose sensor is there.
    """

    tokens: Tensor
    summary: Tensor
    pooled: NDArray[np.float32]
    facts: dict[str, tuple[str, float]]


@dataclass(frozen=True)
class KVCache:
    """Keys and values [layers, heads, n, d_head] of the context, and a bias [n] added to every attention score.

    `logical_length`: how many tokens the n slots stand for; fewer than n when some are only filling, more after
    compaction.
    """

    k: Tensor
    v: Tensor
    bias: Tensor
    logical_length: int


class Engine(Protocol):
    name: str
    history_slots: int
    tokenizer: Tokenizer
    answer_length: int

    def encode(self, observation: Observation) -> Percept: ...

    def prefill(self, history: Tensor | None, percept: Percept, text: str, style: int) -> KVCache:
        """history: summaries [m, d], oldest first, m <= history_slots; text: the request, "" for a watch turn."""

    def decode(self, ids: Tensor, cache: KVCache) -> Tensor:
        """One pass over the answer block: ids [L] -> logits [L, V]."""


class Runner(Protocol):
    """Runs the graphs of `mm_edge.model.graphs`."""

    name: str

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs and outputs are those of the graph, in order."""
