"""From nothing to weights that can be shipped: train, then measure what trust and plans need on held-out drives."""

from __future__ import annotations

import csv
import os
import socket
from math import isnan, nan
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from mm_edge.engine import open_engine
from mm_edge.engine.reference import reference_path, write_reference
from mm_edge.errors import UserError
from mm_edge.training.hints import fit as fit_hints
from mm_edge.training.plans import fit as fit_plans
from mm_edge.training.recipe import Recipe
from mm_edge.training.trainer import Trainer
from mm_edge.training.trust import fit as fit_trust
from mm_edge.training.trust import require


def run(recipe: Recipe) -> Path:
    """Train, or go on where an earlier run of the same folder stopped; returns the path of the weights.

    Raises UserError when the folder cannot be written, there is no such device, or a library is missing.
    """
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise UserError("torch finds no GPU here; with `device: cpu` in the recipe it takes much longer")
    try:
        recipe.out.mkdir(parents=True, exist_ok=True)
        (recipe.out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UserError(f"cannot write to {recipe.out}: {error.strerror}") from error
    answers = recipe.learns != "all" or recipe.steps > recipe.look_steps
    if answers:
        require()
    if recipe.processes == 1:
        Trainer(recipe, 0).run()
    else:
        mp.spawn(_process, (recipe, _free_port()), recipe.processes)
    weights = recipe.out / "weights.safetensors"
    if answers:
        fit_hints(weights)
        write_reference(open_engine(weights), reference_path(weights))
        fit_trust(weights, recipe.out / "weights.trust.json")
        fit_plans(weights, recipe.out / "weights.plans.json")
    draw(recipe.out / "log.csv", recipe.out / "curve.png")
    return weights


def draw(log: Path, image: Path) -> None:
    """The losses of a run, smoothed, on a logarithmic scale."""
    from matplotlib.figure import Figure

    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(yscale="log", xlabel="step", ylabel="loss")
    steps = [int(row["step"]) for row in rows]
    for name in list(rows[0])[2:]:
        axes.plot(steps, _smoothed([float(row[name]) for row in rows]), label=name)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(image, dpi=120)


def _smoothed(values: list[float], keep: float = 0.95) -> list[float]:
    """An exponential mean that starts at the first number; NaN is skipped."""
    mean, smooth = nan, []
    for value in values:
        if not isnan(value):
            mean = value if isnan(mean) else keep * mean + (1 - keep) * value
        smooth.append(mean)
    return smooth


def _process(process: int, recipe: Recipe, port: int) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=process, world_size=recipe.processes)
    try:
        Trainer(recipe, process).run()
    finally:
        dist.destroy_process_group()


def _end_with_parent() -> None:
    """A run that was killed leaves nobody behind who goes on writing to its folder."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
