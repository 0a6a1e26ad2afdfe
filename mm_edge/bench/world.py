"""Whether generated drives keep up with training: both on one core, in turns, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from mm_edge.bench.harness import Result
from mm_edge.training.batches import Batch, BatchShape, Seen, batch, look
from mm_edge.training.finds import Recall, Wording, recall, wording
from mm_edge.training.recipe import Recipe
from mm_edge.training.trainer import Trainer
from mm_edge.world.drive import Drive
from mm_edge.world.journey import Journey

REPEATS, QUICK_REPEATS = 30, 8
FRAMES = 40
DURATION_S = 14.0
LOG_WORDS = 768


def measure(seed: int, quick: bool) -> Result:
    repeats = QUICK_REPEATS if quick else REPEATS
    with TemporaryDirectory() as folder:
        trainer = Trainer(Recipe(out=Path(folder)), 0)
    recipe = trainer.recipe
    shape = BatchShape(requests=recipe.requests, finds=recipe.finds, log=recipe.drive_log)
    seeds = [seed + row for row in range(recipe.drives)]

    def seen(drive: int) -> Seen:
        return look(drive, shape.moments, trainer.config.history_slots, trainer.tokenizer)

    def generated() -> tuple[Batch, Recall, Wording]:
        drives = batch(seen, seeds, 0, shape, trainer.config, trainer.tokenizer)
        logs = recall(seed, recipe.recall, LOG_WORDS, trainer.tokenizer)
        return drives, logs, wording(seed, recipe.wordings, trainer.config, trainer.tokenizer)

    made = generated()

    def step() -> None:
        trainer.update(*made)

    drive = Drive(seed, DURATION_S)
    moments = np.linspace(0.5, DURATION_S - 0.5, FRAMES)
    tasks: dict[str, Callable[[], object]] = {
        "a drive": lambda: Drive(seed, DURATION_S),
        f"{FRAMES} frames of 160 x 96": lambda: [drive.image(t_s, 96) for t_s in moments],
        f"{FRAMES} frames of 400 x 240": lambda: [drive.image(t_s, 240) for t_s in moments],
        f"a log of {LOG_WORDS} words": lambda: Journey(seed, LOG_WORDS),
        "a training batch": generated,
        "a training step on it": step,
    }
    seconds = _medians_s(tasks, repeats)
    names = list(tasks)
    headline = {
        "drives_per_s": 1 / seconds[names[0]],
        "frames_per_s": FRAMES / seconds[names[1]],
        "large_frames_per_s": FRAMES / seconds[names[2]],
        "logs_per_s": 1 / seconds[names[3]],
        "generation_share_of_training": seconds[names[4]] / (seconds[names[4]] + seconds[names[5]]),
        "n": float(repeats),
    }
    rows: list[dict[str, object]] = [{"task": name, "median ms": 1e3 * s} for name, s in seconds.items()]
    notes = [
        f"one core; a batch: {recipe.drives} drives, {recipe.drives * shape.moments} frames, sound, questions, logs; "
        "all of it drawn anew, where training draws a drive once and comes back to it"
    ]
    return Result(headline, rows, notes)


def _medians_s(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The tasks take turns, so that noise meets all of them."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            began_s = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - began_s)
    return {name: float(np.median(each)) for name, each in times.items()}
