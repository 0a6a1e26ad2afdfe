"""The network run by torch on the processor: the reference that every other engine must reproduce.

Knows nothing about sentences' meaning, deadlines or memory policies.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mm_edge.engine.base import EngineError, KVCache, Percept
from mm_edge.model.encoders import SEEN_FACTS, Encoded
from mm_edge.model.features import Features, features
from mm_edge.model.network import Network
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.model.tokenizer import MASK, Tokenizer


class TorchEngine:
    """One observation, one request at a time. Not thread-safe: one worker owns it."""

    name = "torch/cpu"

    def __init__(self, network: Network, tokenizer: Tokenizer) -> None:
        self._network = network.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.history_slots = network.config.history_slots
        self.answer_length = network.config.answer_length

    @torch.no_grad()
    def encode(self, observation: Observation) -> Percept:
        inputs = features([observation])
        encoded = self._network.encoder(inputs)
        return Percept(encoded.tokens[0], encoded.summary[0], encoded.pooled[0].numpy(), _sensed(encoded, inputs))

    @torch.no_grad()
    def prefill(self, history: Tensor | None, percept: Percept, text: str, style: int) -> KVCache:
        past = percept.summary.new_zeros(0, len(percept.summary)) if history is None else history
        request = torch.tensor([self.tokenizer.request(text, self._network.config.request_length)], dtype=torch.long)
        context = self._network.context(past[None], percept.tokens[None], request, torch.tensor([style]))
        _, layers = self._network.prefill(context)
        k, v = (torch.stack([layer[part][0] for layer in layers]) for part in (0, 1))
        return KVCache(k, v, torch.zeros(k.shape[2]), k.shape[2])

    @torch.no_grad()
    def decode(self, ids: Tensor, cache: KVCache) -> Tensor:
        layers = [(k[None], v[None]) for k, v in zip(cache.k, cache.v, strict=True)]
        return self._network.answer(ids[None], layers, cache.bias[None, None, None])[0]

    def check(self) -> None:
        """One blind turn through the whole network; raises EngineError when anything but numbers comes out."""
        percept = self.encode(Observation(0, None, VehicleState(), None))
        cache = self.prefill(percept.summary[None], percept, "what is the speed limit", 1)
        logits = self.decode(torch.full((self.answer_length,), MASK), cache)
        if not torch.isfinite(logits).all():
            raise EngineError(f"{self.name}: the network puts out values that are not finite")


def _sensed(encoded: Encoded, inputs: Features) -> dict[str, tuple[str, float]]:
    sees, hears = bool(inputs.has_image[0, 0]), bool(inputs.has_sound[0, 0])
    sensed = {name: hears if name == "siren" else sees or name == "limit" for name in encoded.facts}
    best = {name: logits[0].softmax(-1).max(-1) for name, logits in encoded.facts.items() if sensed[name]}
    return {name: (SEEN_FACTS[name][int(p.indices)], float(p.values)) for name, p in best.items()}
