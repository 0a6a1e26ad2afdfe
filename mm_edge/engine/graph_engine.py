"""One turn on whatever runs the graphs: fills up to the static shapes, and hides the filling.

Knows nothing about sentences' meaning, deadlines or memory policies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.engine.base import KVCache, Percept, Runner
from mm_edge.model.features import Features, features
from mm_edge.model.graphs import context_length, split_facts
from mm_edge.model.network import NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, Tokenizer

HIDDEN = -1e9
"""Added to the attention scores of slots that are only filling."""


class GraphEngine:
    """One observation, one request at a time. Not thread-safe: one worker owns it.

    `refused`: why each engine that was to be preferred is not this one.
    """

    def __init__(self, config: NetworkConfig, tokenizer: Tokenizer, runner: Runner) -> None:
        self.name = runner.name
        self.tokenizer = tokenizer
        self.history_slots = config.history_slots
        self.answer_length = config.answer_length
        self.refused: tuple[str, ...] = ()
        self._config = config
        self._slots = context_length(config)
        self.runner = runner

    def encode(self, observation: Observation) -> Percept:
        inputs = features([observation])
        tokens, summary, pooled, facts = self.runner.run("encode", *vars(inputs).values())
        return Percept(tokens[0], summary[0], pooled[0].cpu().numpy(), _scene(facts[0].cpu(), inputs))

    def prefill(self, history: Tensor | None, percept: Percept, text: str, style: int) -> KVCache:
        past = percept.summary.new_zeros(0, len(percept.summary)) if history is None else history
        missing = self.history_slots - len(past)
        if missing < 0:
            raise ValueError(f"a history of {len(past)} summaries, at most {self.history_slots}")
        ids = self.tokenizer.request(text, self._config.request_length)
        unasked = self._config.request_length - len(ids)
        bias = torch.zeros(self._slots)
        bias[:missing] = HIDDEN
        bias[self._slots - unasked :] = HIDDEN
        k, v = self.runner.run(
            "prefill",
            F.pad(past, (0, 0, missing, 0))[None],
            percept.summary[None],
            percept.tokens[None],
            torch.tensor([ids + [EOS] * unasked]),
            torch.tensor([style]),
            bias[None, None, None],
        )
        return KVCache(k[:, 0], v[:, 0], bias, self._slots - missing - unasked)

    def decode(self, ids: Tensor, cache: KVCache) -> Tensor:
        (logits,) = self.runner.run(
            "decode", ids[None], cache.k[:, None], cache.v[:, None], cache.bias[None, None, None]
        )
        return logits[0].cpu()


def _scene(logits: Tensor, inputs: Features) -> dict[str, tuple[str, float]]:
    """The surest value of every scene fact whose sensor is there."""
    hidden = hidden_facts(bool(inputs.has_image[0]), bool(inputs.has_sound[0]))
    best = {
        name: part.softmax(-1).max(-1)
        for name, part in split_facts(logits).items()
        if name in SCENE_FACTS and name not in hidden
    }
    return {name: (SCENE_FACTS[name][int(p.indices)], float(p.values)) for name, p in best.items()}
