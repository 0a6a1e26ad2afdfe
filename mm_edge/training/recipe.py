"""What one training run is made of, and which seeds it may touch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mm_edge.errors import UserError

TRAINING_SEEDS = 1_000_000
"""Drives with seeds below this are for training."""
TUNING_SEED = 1_000_000
"""From here on, up to 2,000,000: for tuning and for calibration."""

LONGER = ((0.15, 12), (0.35, 6), (0.55, 3), (0.75, 1.5))
"""Until that share of the steps with questions, logs are so many times shorter than at the end."""


class Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path = Field(Path("out/train"), description="Folder of the log, the curve and the checkpoints.")
    rung: Literal["small", "large"] = Field("small", description="Size of the network.")
    begin: Path | None = Field(None, description="Weights to begin with; none: random ones.")
    steps: int = Field(3400, ge=1, description="Updates of the weights.")
    look_steps: int = Field(1500, ge=0, description="The first of them without questions: only what looks learns.")
    recall_steps: int = Field(800, ge=0, description="The next ones without drives: only the trunk learns, to recall.")
    processes: int = Field(2, ge=1, le=64, description="Single-threaded processes that share every step.")
    drives: int = Field(4, ge=1, description="Drives per process and step.")
    turns: int = Field(24, ge=1, description="Questions per drive.")
    bare: int = Field(16, ge=1, description="Bare questions per drive, answered by facts alone.")
    recall: int = Field(2048, ge=1, description="Words of logs per process and step with bare questions about them.")
    log: int = Field(1536, ge=64, description="Words of the longest log of a drive; the first ones are shorter.")
    drive_log: int = Field(192, ge=64, description="Words of the longest log behind a drive's own questions.")
    rate: float = Field(2e-3, gt=0, description="Highest learning rate of AdamW.")
    hidden_rate: float = Field(0.02, gt=0, description="Highest learning rate of Muon, for hidden layers' matrices.")
    warmup: int = Field(100, ge=0, description="Steps until the highest learning rate.")
    decay: float = Field(0.02, ge=0, description="Weight decay.")
    average: float = Field(0.995, ge=0, lt=1, description="Forgetting factor of the averaged weights that are kept.")
    bfloat16: bool = Field(True, description="Multiply in bfloat16: half the time on processors with AMX.")
    seed: int = Field(0, ge=0, description="Seed of the initial weights and the masks.")
    save_every: int = Field(100, ge=1, description="Steps between checkpoints.")

    def log_length(self, step: int) -> int:
        """Words of a step's logs: longer and longer, and never one length alone."""
        first = self.look_steps
        done = (step - first) / max(1, self.steps - first)
        shrink = next((shrink for until, shrink in LONGER if done < until), 1)
        return max(64, int(self.log / shrink * (2 + step % 3) / 4))

    def first_seed(self, step: int, process: int) -> int:
        """The first drive of a process's batch. Raises ValueError when the training seeds are used up."""
        seed = (step * self.processes + process) * self.drives
        if seed + self.drives > TRAINING_SEEDS:
            raise ValueError(f"{self.steps} steps need more than {TRAINING_SEEDS} drives")
        return seed


def read(path: Path | None, changes: dict[str, object]) -> Recipe:
    """The recipe of a YAML file, or the shipped weights' own, with `changes`. Raises UserError naming what is wrong."""
    try:
        fields = {} if path is None else yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe.model_validate(fields | changes)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise UserError(f"the recipe {path} cannot be read: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"recipe {path or ''}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
