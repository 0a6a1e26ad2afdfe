"""A generated drive through the assistant: what `make demo` shows."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from mm_edge.bags.source import Source
from mm_edge.errors import UserError
from mm_edge.replay import present
from mm_edge.training.recipe import TRAINING_SEEDS
from mm_edge.world.drive import Drive
from mm_edge.world.export import START_NS, messages


def run(out: Path, seed: int, duration_s: float, view: bool) -> None:
    """Play drive `seed` and leave its recording, speech and report in `out`. Raises UserError."""
    if seed < TRAINING_SEEDS:
        raise UserError(f"drive {seed} is one of those that the model was trained on; take {TRAINING_SEEDS} or more")
    with Console().status("painting the drive"):
        entries = list(messages(Drive(seed, duration_s)))
    inputs = {entry.topic: entry.msgtype for entry in entries}
    present(Source(f"drive {seed}", inputs, START_NS, duration_s, lambda: iter(entries)), out, offline=False, view=view)
