"""From nothing to weights that can be shipped: train, then fit what trust needs on drives that were held out."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import torch.distributed as dist
import torch.multiprocessing as mp

from mm_edge.errors import UserError
from mm_edge.training.recipe import Recipe
from mm_edge.training.trainer import Trainer


def run(recipe: Recipe) -> Path:
    """Train, or go on where an earlier run of the same folder stopped; returns the path of the weights.

    Raises UserError when the folder cannot be written.
    """
    try:
        recipe.out.mkdir(parents=True, exist_ok=True)
        (recipe.out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n")
    except OSError as error:
        raise UserError(f"cannot write to {recipe.out}: {error.strerror}") from error
    if recipe.processes == 1:
        Trainer(recipe, 0).run()
    else:
        mp.spawn(_process, (recipe, _free_port()), recipe.processes)
    return recipe.out / "weights.safetensors"


def _process(process: int, recipe: Recipe, port: int) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=process, world_size=recipe.processes)
    try:
        Trainer(recipe, process).run()
    finally:
        dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
