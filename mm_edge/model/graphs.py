"""The network cut into graphs of static shape: what an engine runs, and what is exported.

    encode   what the sensors show now           -> tokens, summary, pooled, facts
    prefill  history, percept and request        -> keys and values of the whole context
    decode   an answer block against the context -> logits

Batch size 1. A context is always CONTEXT slots long; `bias` hides those that are only filling. Knows nothing about who
runs them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mm_edge.model.encoders import PERCEPT_TOKENS, SEEN_FACTS
from mm_edge.model.features import Features, features
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.observation import Observation

GRAPHS = ("encode", "prefill", "decode")
"""In the order in which a turn needs them."""


@dataclass(frozen=True)
class Graph:
    """inputs: name -> an example of the only shape; outputs: the names of what `module` returns, in order."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


class Encode(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(
        self, image: Tensor, state: Tensor, sound: Tensor, has_image: Tensor, has_sound: Tensor
    ) -> tuple[Tensor, ...]:
        """-> tokens [1, n, d], summary [1, d], pooled [1, p], facts [1, all values of SEEN_FACTS in a row]: logits."""
        encoded = self.encoder(Features(image, state, sound, has_image, has_sound))
        return encoded.tokens, encoded.summary, encoded.pooled, torch.cat([*encoded.facts.values()], 1)


class Prefill(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, history: Tensor, summary: Tensor, percept: Tensor, request: Tensor, style: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        """bias: [1, 1, 1, n] -> k, v [layers, 1, heads, n, d_head]."""
        context = self.network.context(history, summary, percept)
        cache = self.network.prefill(torch.cat([context, self.network.request(request, style)], 1), bias=bias)
        return torch.stack([k for k, _ in cache]), torch.stack([v for _, v in cache])


class Decode(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """ids [1, L], k, v [layers, 1, heads, n, d_head], bias [1, 1, 1, n] -> logits [1, L, V]."""
        return self.network.answer(ids, [*zip(k.unbind(0), v.unbind(0), strict=True)], bias)


def context_length(config: NetworkConfig) -> int:
    """Slots of a context: the history, the percept with its motion, the style and the request."""
    return config.history_slots + PERCEPT_TOKENS + 1 + 1 + config.request_length


def graphs(network: Network) -> dict[str, Graph]:
    """Those of GRAPHS, by name."""
    config, n = network.config, context_length(network.config)
    blind = features([Observation(0)])
    kv = torch.zeros(2, config.layers, 1, config.heads, n, config.d // config.heads)
    bias = torch.zeros(1, 1, 1, n)
    return {
        graph.name: graph
        for graph in (
            Graph("encode", Encode(network), vars(blind), ("tokens", "summary", "pooled", "facts")),
            Graph(
                "prefill",
                Prefill(network),
                {
                    "history": torch.zeros(1, config.history_slots, config.d),
                    "summary": torch.zeros(1, config.d),
                    "percept": torch.zeros(1, PERCEPT_TOKENS, config.d),
                    "request": torch.zeros(1, config.request_length, dtype=torch.long),
                    "style": torch.ones(1, dtype=torch.long),
                    "bias": bias,
                },
                ("k", "v"),
            ),
            Graph(
                "decode",
                Decode(network),
                {"ids": torch.zeros(1, config.answer_length, dtype=torch.long), "k": kv[0], "v": kv[1], "bias": bias},
                ("logits",),
            ),
        )
    }


def split_facts(logits: Tensor) -> dict[str, Tensor]:
    """The row of `encode`'s facts [values], cut by fact."""
    parts = logits.split([len(values) for values in SEEN_FACTS.values()])
    return dict(zip(SEEN_FACTS, parts, strict=True))
