"""Where the network runs. `load` gives the engine that serves a rung of the shipped model."""

from __future__ import annotations

from pathlib import Path

import torch

from mm_edge.engine.base import Engine, EngineError, EngineMissing, Runner
from mm_edge.engine.export import default_cache, find
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.reference import check, reference_path
from mm_edge.engine.torch_runner import TorchRunner
from mm_edge.model.checkpoint import CheckpointError
from mm_edge.model.checkpoint import load as load_checkpoint

WEIGHTS = Path(__file__).parent.parent / "weights"
BACKENDS = ("tensorrt", "onnxruntime", "torch")
"""The preferred one first; the last one always works."""


def weights_path(rung: str) -> Path:
    return WEIGHTS / f"{rung}.safetensors"


def trust_path(rung: str, precision: str = "fp32") -> Path:
    return WEIGHTS / (f"{rung}.trust.json" if precision == "fp32" else f"{rung}.{precision}.trust.json")


def plans_path(rung: str) -> Path:
    return WEIGHTS / f"{rung}.plans.json"


def relay_path() -> Path:
    """Of the cues by which the large rung hands sentences over to the small one."""
    return WEIGHTS / "large.relay.json"


def load(
    rung: str = "small", threads: int = 1, backend: str = "auto", precision: str = "fp32", cache: Path | None = None
) -> GraphEngine:
    """The engine of a shipped rung, checked against the reference; see `choose`. Raises EngineError."""
    torch.set_num_threads(threads)
    return choose(weights_path(rung), threads, backend, precision, cache or default_cache())


def choose(weights: Path, threads: int, backend: str, precision: str, cache: Path) -> GraphEngine:
    """The first engine from `backend` on in BACKENDS that is there and reproduces the reference.

    "auto" begins with the first, and does not mention those that are not there. Raises EngineError when even torch
    does not work.
    """
    refused = []
    for name in BACKENDS[BACKENDS.index(backend) if backend in BACKENDS else 0 :]:
        wanted = precision if name != "torch" else "fp32"
        try:
            engine = open_engine(weights, name, wanted, threads, cache)
            check(engine, reference_path(weights), wanted)
        except EngineMissing as error:
            refused += [] if backend == "auto" else [f"{name}: {error}"]
        except Exception as error:  # libraries raise what they like; the next engine is there for that
            refused.append(f"{name}: {error}")
        else:
            engine.refused = tuple(refused)
            return engine
    raise EngineError("; ".join(refused))


def next_backend(engine: Engine) -> str:
    """The backend to begin with when this engine is of no use; the last one has none behind it."""
    place = BACKENDS.index(engine.name.partition("/")[0])
    return BACKENDS[min(place + 1, len(BACKENDS) - 1)]


def open_engine(
    weights: Path, backend: str = "torch", precision: str = "fp32", threads: int = 1, cache: Path | None = None
) -> GraphEngine:
    """One engine for a weight file, unchecked. Raises EngineError."""
    try:
        network, tokenizer = load_checkpoint(weights)
    except CheckpointError as error:
        raise EngineError(str(error)) from error
    if backend == "torch":
        runner: Runner = TorchRunner(network, tokenizer.first_spoken)
    else:
        folder = find(weights, backend, precision, cache or default_cache())
        runner = _runner(backend, folder, precision, threads)
    return GraphEngine(network.config, tokenizer, runner)


def _runner(backend: str, folder: Path, precision: str, threads: int) -> Runner:
    if backend == "onnxruntime":
        from mm_edge.engine.onnx_runner import OnnxRunner

        return OnnxRunner(folder, precision, threads)
    from mm_edge.engine.tensorrt_runner import TensorRtRunner

    return TensorRtRunner(folder, precision)


__all__ = [
    "BACKENDS",
    "Engine",
    "EngineError",
    "choose",
    "load",
    "next_backend",
    "open_engine",
    "plans_path",
    "relay_path",
    "trust_path",
    "weights_path",
]
