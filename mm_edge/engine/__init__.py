"""Where the network runs. `load` gives the engine that serves a rung of the shipped model."""

from __future__ import annotations

from pathlib import Path

import torch

from mm_edge.engine.base import Engine, EngineError
from mm_edge.engine.torch_engine import TorchEngine
from mm_edge.model.checkpoint import CheckpointError
from mm_edge.model.checkpoint import load as load_checkpoint

WEIGHTS = Path(__file__).parent.parent / "weights"


def weights_path(rung: str) -> Path:
    return WEIGHTS / f"{rung}.safetensors"


def trust_path(rung: str) -> Path:
    return WEIGHTS / f"{rung}.trust.json"


def load(rung: str = "small", threads: int = 1) -> Engine:
    """The engine of a shipped rung, checked. Raises EngineError."""
    torch.set_num_threads(threads)
    return open_engine(weights_path(rung))


def open_engine(weights: Path) -> Engine:
    """An engine for a weight file of one's own, checked. Raises EngineError."""
    try:
        engine = TorchEngine(*load_checkpoint(weights))
    except CheckpointError as error:
        raise EngineError(str(error)) from error
    engine.check()
    return engine
