"""The unified network: encoders, one transformer trunk, and a head over words.

The trunk is causal over the context (history, percept, motion, request) and bidirectional inside the answer block,
whose tokens attend to the whole context through its cached keys and values (block diffusion: Arriola et al. 2025,
section 3). Knows nothing about tokens' meaning, sampling or time.
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
    layers: int = 4
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
        """x: [B, T, d]; mask: added to the scores, broadcast to [B, heads, T, n + T]; returns x and all n + T K, V."""
        q, k, v = self.qkv(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
        attended = (scores if mask is None else scores + mask).softmax(-1) @ v
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(F.relu(self.up(self.norm_mlp(x))).square()), (k, v)


class Motion(nn.Module):
    """What the lead vehicle does, from the newest summaries: the one scene fact that a single observation hides."""

    def __init__(self, d: int, slots: int) -> None:
        super().__init__()
        values = len(SCENE_FACTS["lead_motion"])
        self.slots = slots
        self.narrow = nn.Linear(d, 24)
        self.hidden = nn.Linear(24 * (slots + 1), 128)
        self.head = nn.Linear(128, values)
        self.values = nn.Parameter(torch.randn(values, d) * 0.3)

    def forward(self, history: Tensor, summary: Tensor) -> tuple[Tensor, Tensor]:
        """history [B, m, d], m <= slots, summary [B, d] -> logits [B, values], token [B, 1, d]."""
        missing = self.slots - history.shape[1]
        recent = torch.cat([F.pad(history, (0, 0, missing, 0)), summary[:, None]], 1)
        logits = self.head(F.gelu(self.hidden(self.narrow(recent).flatten(1))))
        return logits, (logits.softmax(-1) @ self.values)[:, None]


class Network(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d
        self.encoder = Encoder(d, config.conv)
        self.words = nn.Embedding(config.vocabulary, d)
        self.styles = nn.Embedding(STYLES + 1, d)
        self.history_place = nn.Parameter(torch.randn(config.history_slots, d) * 0.3)
        self.percept_place = nn.Parameter(torch.randn(PERCEPT_TOKENS + 1, d) * 0.3)
        self.request_place = nn.Parameter(torch.randn(config.request_length + 1, d) * 0.3)
        self.answer_place = nn.Parameter(torch.randn(config.answer_length, d) * 0.3)
        self.blocks = nn.ModuleList(Block(d, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, config.vocabulary)
        self.motion = Motion(d, config.history_slots)
        nn.init.normal_(self.words.weight, std=0.3)
        nn.init.normal_(self.styles.weight, std=0.3)
        with torch.no_grad():
            self.head.weight.copy_(0.1 * self.words.weight)  # a word is first of all itself

    def context(self, history: Tensor, summary: Tensor, percept: Tensor) -> Tensor:
        """What is known before anybody asks: history [B, m, d], summary [B, d], percept [B, n, d] -> [B, m + n + 1, d].

        The newest summary of the history is at its last place, whatever m is.
        """
        slots = self.config.history_slots
        if history.shape[1] > slots:
            raise ValueError(f"a history of {history.shape[1]} summaries, at most {slots}")
        remembered = history + self.history_place[slots - history.shape[1] :]
        _, motion = self.motion(history, summary)
        return torch.cat([remembered, torch.cat([percept, motion], 1) + self.percept_place], 1)

    def request(self, ids: Tensor, style: Tensor) -> Tensor:
        """ids [B, t], style [B] -> [B, 1 + t, d], which follows the context."""
        asked = torch.cat([self.styles(style)[:, None], self.words(ids)], 1)
        return asked + self.request_place[: asked.shape[1]]

    def prefill(self, x: Tensor, past: list[KV] | None = None, bias: Tensor | None = None) -> list[KV]:
        """Causal pass over x [B, T, d], which follows the n tokens of `past`; -> keys and values of all n + T tokens.

        bias: [B, 1, 1, n + T], added to the scores; hides what is only filling.
        """
        new, known = x.shape[1], 0 if past is None else past[0][0].shape[2]
        mask = torch.full((new, known + new), -torch.inf, device=x.device).triu(known + 1)
        mask = mask if bias is None else torch.maximum(mask + bias, _LOWEST)
        cache = []
        for index, block in enumerate(self.blocks):
            x, kv = block(x, None if past is None else past[index], mask)
            cache.append(kv)
        return cache

    def answer(self, ids: Tensor, cache: list[KV], bias: Tensor | None = None) -> Tensor:
        """ids [B, L] -> logits [B, L, V]. bias: [B, 1, 1, n], added to the scores of the cached context."""
        x = self.words(ids) + self.answer_place[: ids.shape[1]]
        mask = None if bias is None else F.pad(bias, (0, ids.shape[1])).expand(-1, -1, ids.shape[1], -1)
        for block, past in zip(self.blocks, cache, strict=True):
            x, _ = block(x, past, mask)
        return self.head(self.norm(x))


_LOWEST = torch.tensor(-1e9)
"""Instead of minus infinity where a whole row may be hidden: softmax of nothing is NaN."""
