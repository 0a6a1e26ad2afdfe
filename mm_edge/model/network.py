"""The unified network: encoders, one transformer trunk, and a head over words.

The trunk is causal over the context (history, percept, request) and bidirectional inside the answer block, whose tokens
attend to the whole context through its cached keys and values (block diffusion: Arriola et al. 2025, section 3). Knows
nothing about tokens' meaning, sampling or time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.encoders import PERCEPT_TOKENS, Encoder
from mm_edge.model.schema import SCENE_FACTS

STYLES = 8


@dataclass(frozen=True)
class NetworkConfig:
    """d: width; conv: channels of the first convolution; answer_length: tokens of the answer block."""

    vocabulary: int
    d: int = 128
    layers: int = 3
    heads: int = 4
    conv: int = 16
    history_slots: int = 8
    request_length: int = 24
    answer_length: int = 16


KV = tuple[Tensor, Tensor]
"""Keys and values of one layer, each [B, heads, n, d_head]."""


class Block(nn.Module):
    """Pre-norm attention and a squared-ReLU perceptron (So et al. 2021, Primer)."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor, past: KV | None, mask: Tensor | None) -> tuple[Tensor, KV]:
        """x: [B, T, d]; mask: added to the scores, broadcast to [B, heads, T, n + T]; returns x and its own K, V."""
        q, k, v = self.qkv(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        own = (k, v)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(F.relu(self.up(self.norm_mlp(x))).square()), own


class Network(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d
        self.encoder = Encoder(d, config.conv)
        self.words = nn.Embedding(config.vocabulary, d)
        self.styles = nn.Embedding(STYLES + 1, d)
        self.history_place = nn.Parameter(torch.randn(config.history_slots, d) * 0.3)
        self.percept_place = nn.Parameter(torch.randn(PERCEPT_TOKENS, d) * 0.3)
        self.request_place = nn.Parameter(torch.randn(config.request_length + 1, d) * 0.3)
        self.answer_place = nn.Parameter(torch.randn(config.answer_length, d) * 0.3)
        self.blocks = nn.ModuleList(Block(d, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, config.vocabulary)
        self.motion = nn.Linear(d, len(SCENE_FACTS["lead_motion"]))
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.normal_(self.styles.weight, std=0.3)
        with torch.no_grad():
            self.head.weight.copy_(0.1 * self.words.weight)  # a word is first of all itself

    def context(self, history: Tensor, percept: Tensor, request: Tensor, style: Tensor) -> Tensor:
        """history [B, m, d], percept [B, n, d], request ids [B, t], style [B] -> the trunk's input [B, m+n+1+t, d].

        The newest summary is at the last place of the history, whatever m is.
        """
        slots = self.config.history_slots
        if history.shape[1] > slots:
            raise ValueError(f"a history of {history.shape[1]} summaries, at most {slots}")
        remembered = history + self.history_place[slots - history.shape[1] :]
        asked = torch.cat([self.styles(style)[:, None], self.words(request)], 1)
        asked = asked + self.request_place[: asked.shape[1]]
        return torch.cat([remembered, percept + self.percept_place, asked], 1)

    def prefill(self, context: Tensor, mask: Tensor | None = None) -> tuple[Tensor, list[KV]]:
        """Causal pass over the context [B, n, d]; mask [B, 1, 1, n] hides what is only filling. -> hidden, KV."""
        length = context.shape[1]
        causal = torch.full((length, length), -torch.inf, device=context.device).triu(1)
        cache = []
        for block in self.blocks:
            context, kv = block(context, None, causal if mask is None else torch.maximum(causal + mask, _LOWEST))
            cache.append(kv)
        return context, cache

    def answer(self, ids: Tensor, cache: list[KV], bias: Tensor | None = None) -> Tensor:
        """ids [B, L] -> logits [B, L, V]. bias: [B, 1, 1, n], added to the scores of the cached context."""
        x = self.words(ids) + self.answer_place[: ids.shape[1]]
        mask = None if bias is None else F.pad(bias, (0, ids.shape[1])).expand(-1, -1, ids.shape[1], -1)
        for block, past in zip(self.blocks, cache, strict=True):
            x, _ = block(x, past, mask)
        return self.head(self.norm(x))


_LOWEST = torch.tensor(-1e9)
"""Instead of minus infinity where a whole row may be hidden: softmax of nothing is NaN."""
