"""From sensors to tokens: camera, vehicle signals and sound, and the facts that one observation shows.

The facts are part of the way: each becomes a token, the mean of its values' embeddings weighted by their probability,
so that what the answer builds on is what the scene report shows. Knows nothing about requests or history.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.features import MEL_BANDS, STATE_SIZE, Features
from mm_edge.model.schema import SCENE_FACTS

SEEN_FACTS = {name: values for name, values in SCENE_FACTS.items() if name != "lead_motion"}
"""The facts that one observation shows; motion takes several."""
IMAGE_TOKENS = 10
"""A grid of 2 x 5."""
STATE_TOKENS, SOUND_TOKENS = 2, 1
PERCEPT_TOKENS = len(SEEN_FACTS) + IMAGE_TOKENS + STATE_TOKENS + SOUND_TOKENS


@dataclass(frozen=True)
class Encoded:
    """tokens: [B, PERCEPT_TOKENS, d]; summary: [B, d]; pooled: [B, p]; facts: name -> logits [B, values]; gap: [B],
    log of the lead vehicle's distance in metres."""

    tokens: Tensor
    summary: Tensor
    pooled: Tensor
    facts: dict[str, Tensor]
    gap: Tensor


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Encoder(nn.Module):
    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        c = width
        self.camera = nn.Sequential(
            _conv(3, c, 2), _conv(c, 2 * c, 2), _conv(2 * c, 2 * c, 1), _conv(2 * c, 4 * c, 2),
            _conv(4 * c, 4 * c, 1), _conv(4 * c, 8 * c, 2), _conv(8 * c, 8 * c, 1),
        )  # fmt: skip
        self.narrow = nn.Conv2d(8 * c, 2 * c, 1)
        self.flat = nn.Linear(2 * c * 60, 256)
        self.state = nn.Sequential(nn.Linear(STATE_SIZE, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU())
        self.sound = nn.Sequential(
            nn.Conv1d(MEL_BANDS, 64, 5, 2, 2), nn.GELU(), nn.Conv1d(64, 64, 5, 2, 2), nn.GELU()
        )  # [B, 64, 16]
        self.sound_out = nn.Linear(128, 64)
        whole = 256 + 128 + 64
        self.heads = nn.ModuleDict({name: nn.Linear(whole, len(values)) for name, values in SEEN_FACTS.items()})
        self.gap = nn.Linear(256, 1)
        self.values = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(len(values), d) * 0.3) for name, values in SEEN_FACTS.items()}
        )
        self.image_tokens = nn.Linear(8 * c, d)
        self.image_place = nn.Parameter(torch.randn(IMAGE_TOKENS, d) * 0.1)
        self.no_image = nn.Parameter(torch.randn(IMAGE_TOKENS, d) * 0.3)
        self.no_fact = nn.Parameter(torch.randn(len(SEEN_FACTS), d) * 0.3)
        self.state_tokens = nn.Linear(128, STATE_TOKENS * d)
        self.sound_token = nn.Linear(64, d)
        self.no_sound = nn.Parameter(torch.randn(1, d) * 0.3)
        self.summary = nn.Sequential(nn.Linear(whole + 1, 256), nn.GELU(), nn.Linear(256, d))

    def forward(self, inputs: Features) -> Encoded:
        seen = self.camera((inputs.image.float() - 110.0) / 64.0) * inputs.has_image[:, :, None, None]  # [B, 8c, 6, 10]
        flat = F.gelu(self.flat(F.gelu(self.narrow(seen)).flatten(1))) * inputs.has_image
        state = self.state(inputs.state)
        sound = self.sound(inputs.sound)
        sound = F.gelu(self.sound_out(torch.cat([sound.mean(-1), sound.amax(-1)], -1))) * inputs.has_sound
        whole = torch.cat([flat, state, sound], -1)
        facts = {name: head(whole) for name, head in self.heads.items()}
        gap = self.gap(flat)[:, 0]
        return Encoded(
            tokens=self._tokens(inputs, seen, state, sound, facts),
            summary=self.summary(torch.cat([whole, gap.detach()[:, None]], -1)),
            pooled=seen.mean((-2, -1)),
            facts=facts,
            gap=gap,
        )

    def _tokens(self, inputs: Features, seen: Tensor, state: Tensor, sound: Tensor, facts: dict[str, Tensor]) -> Tensor:
        sensed = {name: inputs.has_image for name in facts} | {"siren": inputs.has_sound}
        sensed["limit"] = torch.ones_like(inputs.has_image)
        known = [
            sensed[name] * (logits.softmax(-1) @ self.values[name]) + (1 - sensed[name]) * self.no_fact[index]
            for index, (name, logits) in enumerate(facts.items())
        ]
        grid = self.image_tokens(F.avg_pool2d(seen, (3, 2)).flatten(2).transpose(1, 2)) + self.image_place
        grid = torch.where(inputs.has_image[:, :, None] > 0, grid, self.no_image)
        heard = torch.where(inputs.has_sound > 0, self.sound_token(sound), self.no_sound)[:, None]
        return torch.cat(
            [torch.stack(known, 1), grid, self.state_tokens(state).unflatten(-1, (STATE_TOKENS, -1)), heard], 1
        )
