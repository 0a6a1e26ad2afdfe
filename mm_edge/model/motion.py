"""What the vehicle ahead does, told by how what is seen changes. Knows nothing about the trunk."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.schema import SCENE_FACTS


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
        """history [B, m, d], m <= slots, summary [B, d] -> logits [B, values], token [B, 1, d]."""
        missing = self.slots - history.shape[1]
        recent = torch.cat([F.pad(history, (0, 0, missing, 0)), summary[:, None]], 1)
        logits = self.head(F.gelu(self.hidden(self.narrow(recent).flatten(1))))
        return logits, (logits.softmax(-1) @ self.values)[:, None]
