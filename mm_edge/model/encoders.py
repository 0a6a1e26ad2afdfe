"""From sensors to tokens: camera, vehicle signals and sound, and the facts that one observation shows.

The facts are part of the way: each becomes a token, the mean of its values' embeddings weighted by their probability,
so that what the answer builds on is what the scene report shows (a concept bottleneck: Koh et al. 2020, section 3, with
the picture's own tokens beside it). Knows nothing about requests or history.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.features import MEL_BANDS, STATE_SIZE, Features, signals
from mm_edge.model.policy import STEPS
from mm_edge.model.schema import BY_CAMERA, BY_MICROPHONE, FACTS

SEEN_FACTS = {name: values for name, values in FACTS.items() if name != "lead_motion"}
"""The facts that one observation shows; motion takes several."""
IMAGE_TOKENS = 10
"""A grid of 2 x 5."""
STATE_TOKENS, SOUND_TOKENS = 2, 1
PERCEPT_TOKENS = len(SEEN_FACTS) + IMAGE_TOKENS + STATE_TOKENS + SOUND_TOKENS


@dataclass(frozen=True)
class Sight:
    """What the convolutions make of the sensors; all else follows from it fast. seen: [B, 8c, 6, 10]; flat: [B, 256];
    state: [B, 128]; signals: [B, SIGNALS]; sound: [B, 64]; has_image, has_sound: [B, 1], 1 where the sensor is there.
    """

    seen: Tensor
    flat: Tensor
    state: Tensor
    signals: Tensor
    sound: Tensor
    has_image: Tensor
    has_sound: Tensor


@dataclass(frozen=True)
class Encoded:
    """tokens: [B, PERCEPT_TOKENS, d]; summary: [B, d + SIGNALS], one token and how the vehicle moves; pooled: [B, p];
    facts: name -> logits [B, values]; gap: [B], log of the lead vehicle's distance in metres; course: [B, STEPS, 2] a
    first guess of the actions of the policy."""

    tokens: Tensor
    summary: Tensor
    pooled: Tensor
    facts: dict[str, Tensor]
    gap: Tensor
    course: Tensor


class Conv(nn.Module):
    """A 3 x 3 convolution, batch norm and ReLU. The weight is a matrix [outputs, inputs * 9], as Muon takes it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs * 9).uniform_(-1, 1) * (inputs * 9) ** -0.5)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.unflatten(1, (-1, 3, 3))
        return F.relu(self.norm(F.conv2d(x, kernel, stride=self.stride, padding=1)))


class Encoder(nn.Module):
    def __init__(self, d: int, width: int) -> None:
        super().__init__()
        c = width
        self.camera = nn.Sequential(
            Conv(3, c, 2), Conv(c, 2 * c, 2), Conv(2 * c, 2 * c, 1), Conv(2 * c, 4 * c, 2),
            Conv(4 * c, 4 * c, 1), Conv(4 * c, 8 * c, 2), Conv(8 * c, 8 * c, 1),
        )  # fmt: skip
        self.narrow = nn.Conv2d(8 * c, 2 * c, 1)
        self.flat = nn.Linear(2 * c * 60, 256)
        self.state = nn.Sequential(nn.Linear(STATE_SIZE, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU())
        self.sound = nn.Sequential(
            nn.Conv1d(MEL_BANDS, 64, 5, 2, 2), nn.GELU(), nn.Conv1d(64, 64, 5, 2, 2), nn.GELU()
        )  # [B, 64, 16]
        self.sound_out = nn.Linear(128, 64)
        whole = 256 + 8 * c + 128 + 64
        self.heads = nn.ModuleDict({name: nn.Linear(whole, len(values)) for name, values in SEEN_FACTS.items()})
        self.gap = nn.Linear(256, 1)
        self.course = nn.Linear(whole, STEPS * 2)
        self.values = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(len(values), d)) for name, values in SEEN_FACTS.items()}
        )
        self.image_tokens = nn.Linear(8 * c, d)
        self.image_place = nn.Parameter(torch.randn(IMAGE_TOKENS, d) * 0.1)
        self.no_image = nn.Parameter(torch.randn(IMAGE_TOKENS, d) * 0.3)
        self.no_fact = nn.Parameter(torch.randn(len(SEEN_FACTS), d) * 0.3)
        self.state_tokens = nn.Linear(128, STATE_TOKENS * d)
        self.sound_token = nn.Linear(64, d)
        self.no_sound = nn.Parameter(torch.randn(1, d) * 0.3)
        self.summary = nn.Sequential(nn.Linear(whole + 1, 256), nn.GELU(), nn.Linear(256, d))

    def sense(self, inputs: Features) -> Sight:
        pixels = (inputs.image.contiguous(memory_format=torch.channels_last).float() - 110.0) / 64.0
        seen = self.camera(pixels) * inputs.has_image[:, :, None, None]  # [B, 8c, 6, 10]
        flat = F.gelu(self.flat(F.gelu(self.narrow(seen)).flatten(1))) * inputs.has_image
        state = self.state(inputs.state)
        sound = self.sound(inputs.sound)
        sound = F.gelu(self.sound_out(torch.cat([sound.mean(-1), sound.amax(-1)], -1))) * inputs.has_sound
        return Sight(seen, flat, state, signals(inputs.state), sound, inputs.has_image, inputs.has_sound)

    def forward(self, inputs: Features | Sight) -> Encoded:
        sight = self.sense(inputs) if isinstance(inputs, Features) else inputs
        somewhere = sight.seen.amax((-2, -1))  # what is seen, wherever it is
        whole = torch.cat([sight.flat, somewhere, sight.state, sight.sound], -1)
        facts = {name: head(whole) for name, head in self.heads.items()}
        gap = self.gap(sight.flat)[:, 0]
        return Encoded(
            tokens=self._tokens(sight, facts),
            summary=torch.cat([self.summary(torch.cat([whole, gap.detach()[:, None]], -1)), sight.signals], -1),
            pooled=sight.seen.mean((-2, -1)),
            facts=facts,
            gap=gap,
            course=self.course(whole).unflatten(-1, (STEPS, 2)),
        )

    def blind_course(self, state: Tensor) -> Tensor:
        """The course [B, STEPS, 2] that follows from the vehicle's signals [B, STATE_SIZE] alone."""
        known = self.state(state)
        before, after = self.flat.out_features + self.narrow.in_channels, self.sound_out.out_features
        return self.course(F.pad(known, (before, after))).unflatten(-1, (STEPS, 2))

    def _tokens(self, sight: Sight, facts: dict[str, Tensor]) -> Tensor:
        known = []
        for index, (name, logits) in enumerate(facts.items()):
            there, meant = sensed(name, sight), logits.softmax(-1) @ self.values[name]
            known.append(there * meant + (1 - there) * self.no_fact[index])
        grid = self.image_tokens(F.avg_pool2d(sight.seen, (3, 2)).flatten(2).transpose(1, 2)) + self.image_place
        grid = torch.where(sight.has_image[:, :, None] > 0, grid, self.no_image)
        heard = torch.where(sight.has_sound > 0, self.sound_token(sight.sound), self.no_sound)[:, None]
        return torch.cat(
            [torch.stack(known, 1), grid, self.state_tokens(sight.state).unflatten(-1, (STATE_TOKENS, -1)), heard], 1
        )


def sensed(fact: str, inputs: Sight) -> Tensor:
    """[B, 1]: 1 where the sensor that the fact needs is there."""
    if fact in BY_CAMERA:
        return inputs.has_image
    return inputs.has_sound if fact in BY_MICROPHONE else torch.ones_like(inputs.has_image)
