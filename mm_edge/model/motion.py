"""What takes several observations to tell: what the vehicle ahead does, and what this one is about to do. Knows nothing
about the trunk."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.features import SIGNALS
from mm_edge.model.policy import STEPS
from mm_edge.model.schema import SCENE_FACTS

CLOSER = 4.0
"""How much larger changes of the speed are told than speeds."""


class Motion(nn.Module):
    """What the lead vehicle does, from the newest summaries: the one scene fact that a single observation hides."""

    def __init__(self, d: int, slots: int) -> None:
        super().__init__()
        values = len(SCENE_FACTS["lead_motion"])
        self.slots = slots
        self.narrow = nn.Linear(d, 24)
        self.hidden = nn.Linear(24 * (slots + 1), 128)
        self.head = nn.Linear(128, values)
        self.values = nn.Parameter(torch.randn(values, d))

    def forward(self, history: Tensor, summary: Tensor) -> tuple[Tensor, Tensor]:
        """history [B, m, d + SIGNALS], m <= slots, summary [B, d + SIGNALS] -> logits [B, values], token [B, 1, d]."""
        recent = _recent(history, summary, self.slots)[..., :-SIGNALS]
        logits = self.head(F.gelu(self.hidden(self.narrow(recent).flatten(1))))
        return logits, (logits.softmax(-1) @ self.values)[:, None]


class Course(nn.Module):
    """A guess of what the vehicle will do, from one that knows the present alone and from how it moved until now: when
    a driver last changed the speed says when it will change again, and several noisy curvatures tell more than one."""

    def __init__(self, slots: int, width: int = 256) -> None:
        super().__init__()
        self.slots = slots
        told = (slots + 1) * SIGNALS + slots + STEPS * 2
        self.layers = nn.Sequential(nn.Linear(told, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.head = nn.Linear(width, STEPS * 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, history: Tensor, summary: Tensor, guess: Tensor) -> Tensor:
        """history [B, m, d + SIGNALS], m <= slots, summary [B, d + SIGNALS], guess [B, STEPS, 2] -> [B, STEPS, 2]."""
        moved = _recent(history, summary, self.slots)[..., -SIGNALS:]
        speed, known = moved[..., 0], moved[..., SIGNALS // 2]
        change = CLOSER * (speed[:, :-1] - speed[:, -1:]) * known[:, :-1] * known[:, -1:]
        told = torch.cat([moved.flatten(1), change, guess.flatten(1)], 1)
        return guess + self.head(self.layers(told)).unflatten(-1, (STEPS, 2))


def _recent(history: Tensor, summary: Tensor, slots: int) -> Tensor:
    """[B, m, n] and [B, n] -> [B, slots + 1, n], zeros in front."""
    return torch.cat([F.pad(history, (0, 0, slots - history.shape[1], 0)), summary[:, None]], 1)
