"""What one training run is made of, and which seeds it may touch."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mm_edge.errors import UserError

TRAINING_SEEDS = 1_000_000
"""Drives with seeds below this are for training."""
TUNING_SEED = 1_000_000
"""From here on, up to 2,000,000: for tuning and for calibration."""


class Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path = Field(Path("out/train"), description="Folder of the log, the curve and the checkpoints.")
    begin: Path | None = Field(None, description="Weights to begin with; none: random ones.")
    steps: int = Field(3400, ge=1, description="Updates of the weights.")
    look_steps: int = Field(1500, ge=0, description="The first of them without questions: only what looks learns.")
    processes: int = Field(2, ge=1, le=64, description="Single-threaded processes that share every step.")
    drives: int = Field(4, ge=1, description="Drives per process and step.")
    turns: int = Field(40, ge=1, description="Questions per drive.")
    rate: float = Field(2e-3, gt=0, description="Highest learning rate of AdamW.")
    hidden_rate: float = Field(0.02, gt=0, description="Highest learning rate of Muon, for hidden layers' matrices.")
    warmup: int = Field(100, ge=0, description="Steps until the highest learning rate.")
    decay: float = Field(0.02, ge=0, description="Weight decay.")
    average: float = Field(0.995, ge=0, lt=1, description="Forgetting factor of the averaged weights that are kept.")
    bfloat16: bool = Field(True, description="Multiply in bfloat16: half the time on processors with AMX.")
    seed: int = Field(0, ge=0, description="Seed of the initial weights and the masks.")
    save_every: int = Field(100, ge=1, description="Steps between checkpoints.")

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
