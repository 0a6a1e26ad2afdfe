"""What one training run is made of, and which seeds it may touch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mm_edge.errors import UserError

TRAINING_SEEDS = 1_000_000
"""Drives with seeds below this are for training."""
TUNING_SEED = 1_000_000
"""From here on, up to 2,000,000: for tuning and for calibration."""

LONGER = ((0.08, 12), (0.2, 4), (0.35, 2))
"""Until that share of the steps with questions, logs are so many times shorter than at the end."""

LONG_DRIVE_LOGS = 5
"""One in so many steps has drives with long logs."""


class Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    out: Path = Field(Path("out/train"), description="Folder of the log, the curve and the checkpoints.")
    rung: Literal["small", "large"] = Field("small", description="Size of the network.")
    begin: Path | None = Field(None, description="Weights to begin with; none: random ones.")
    eyes: Path | None = Field(None, description="Weights, of any rung, of which only what looks is taken over.")
    learns: Literal["all", "course", "path", "speech", "compactable"] = Field(
        "all",
        description="course, path, speech: trunk and eyes stay; only the guess of the path, on signals alone, the "
        "policy, or what steps have for themselves. compactable: only the trunk's layers, on logs that are "
        "compacted while they are read.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the weights are.")
    steps: int = Field(5200, ge=1, description="Updates of the weights.")
    minutes: float | None = Field(None, gt=0, description="After so long it ends, as at the last step; 1 process.")
    look_steps: int = Field(4000, ge=0, description="The first of them without questions: what looks learns.")
    processes: int = Field(2, ge=1, le=64, description="Single-threaded processes that share every step; 1 on a GPU.")
    workers: int = Field(0, ge=0, le=64, description="Processes that make batches for it; 0: it makes them itself.")
    drives: int = Field(4, ge=1, description="Drives per process and step.")
    pool: int = Field(6000, ge=1, description="Different drives, which come again and again in another order.")
    first_drive: int = Field(0, ge=0, description="Seed of the first of them.")
    requests: int = Field(6, ge=1, description="Requests per moment of a drive: what they ask is understood.")
    finds: int = Field(4, ge=0, description="Per moment, besides all that its scene shows: what its log tells.")
    wordings: int = Field(96, ge=1, description="Claims per process and step that are worded without any context.")
    recall: int = Field(1536, ge=1, description="Words of logs per process and step that only their past is asked of.")
    log: int = Field(1152, ge=64, description="Words of the longest of them; the first ones are shorter.")
    log_grows: bool = Field(True, description="Whether logs begin short; otherwise they are as long as at the end.")
    drive_log: int = Field(192, ge=64, description="Words of the longest log behind a drive's own questions, mostly.")
    rate: float = Field(2e-3, gt=0, description="Highest learning rate of AdamW.")
    hidden_rate: float = Field(0.02, gt=0, description="Highest learning rate of Muon, for hidden layers' matrices.")
    warmup: int = Field(100, ge=0, description="Steps until the highest learning rate.")
    decay: float = Field(0.02, ge=0, description="Weight decay.")
    average: float = Field(0.995, ge=0, lt=1, description="Forgetting factor of the averaged weights that are kept.")
    seed: int = Field(0, ge=0, description="Seed of the initial weights and the masks.")
    save_every: int = Field(100, ge=1, description="Steps between checkpoints.")

    def log_length(self, step: int) -> int:
        """Words of a step's logs: longer and longer, and never one length alone."""
        first = self.look_steps
        done = (step - first) / max(1, self.steps - first)
        shrink = next((shrink for until, shrink in LONGER if self.log_grows and done < until), 1)
        return max(64, int(self.log / shrink * (2 + step % 3) / 4))

    def drive_log_length(self, step: int) -> int:
        """Words of the log behind the questions of a step's drives: now and then as many as logs have at the end."""
        return self.log if step % LONG_DRIVE_LOGS == 0 else self.drive_log

    def seeds(self, step: int, process: int) -> list[int]:
        """The drives of a process's batch: whoever makes batches takes all of its own part of the pool before one comes
        again."""
        makers = max(1, self.workers)
        part = process * makers + step % makers
        own = range(self.first_drive + part, self.first_drive + self.pool, self.processes * makers)
        rounds, places = np.divmod(np.arange(self.drives) + step // makers * self.drives, len(own))
        orders = {turn: np.random.default_rng([turn, 43]).permutation(len(own)) for turn in set(rounds.tolist())}
        return [own[orders[turn][place]] for turn, place in zip(rounds.tolist(), places.tolist(), strict=True)]

    @model_validator(mode="after")
    def _stays_in_training(self) -> Recipe:
        if self.first_drive + self.pool > TRAINING_SEEDS:
            raise ValueError(f"the last drive is beyond the {TRAINING_SEEDS} that are for training")
        if self.pool < self.processes * max(1, self.workers):
            raise ValueError(f"{self.pool} drives are too few for {self.processes * max(1, self.workers)} processes")
        if self.learns != "all" and self.workers:
            raise ValueError(f"eyes that are kept look in the process that has them: `{self.learns}` needs 0 workers")
        if self.learns == "speech" and self.decay:
            raise ValueError("decay would not spare words that are known: `speech` needs a `decay` of 0")
        if self.minutes is not None and self.processes > 1:
            raise ValueError("several processes would not end at the same step: `minutes` needs 1 process")
        if self.device == "cuda" and self.learns == "compactable":
            raise ValueError("what compactions leave is of another shape each time: `compactable` needs `cpu`")
        if self.device == "cuda" and self.processes > 1:
            raise ValueError("on a GPU one process trains; `workers` make its batches")
        return self


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
