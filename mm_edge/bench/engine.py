"""How long each graph of the model takes on each engine of this machine, and whether the answers stay the same.

All engines in one run, graph by graph in turns, one thread, medians. int8 is also asked the same held-out questions as
fp32, since speed without the same answers is worth nothing.
"""

from __future__ import annotations

import time
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from mm_edge.bench.harness import Result
from mm_edge.engine import open_engine, weights_path
from mm_edge.engine.base import EngineMissing, Runner
from mm_edge.engine.export import PRECISIONS, export
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.model.checkpoint import load
from mm_edge.model.graphs import graphs
from mm_edge.training.evaluate import outcomes, recalled

REPEATS, QUICK_REPEATS = 300, 80
DRIVES, QUICK_DRIVES = 150, 20
LOG_WORDS, DRIVES_PER_LOG = 512, 5
REFERENCE, FASTEST = "torch/fp32", "onnxruntime/int8"


def measure(seed: int, quick: bool) -> Result:
    torch.set_num_threads(1)
    weights = weights_path("small")
    with TemporaryDirectory() as cache:
        engines, notes = available(weights, Path(cache))
        medians_ms = timed(engines, weights, QUICK_REPEATS if quick else REPEATS)
        drives = QUICK_DRIVES if quick else DRIVES
        right = {name: _right(engine, seed, drives) for name, engine in engines.items() if name in (REFERENCE, FASTEST)}
    table: list[dict[str, object]] = [
        {"engine": name, **{f"{graph} ms": ms for graph, ms in by_graph.items()}, "turn ms": _turn_ms(by_graph)}
        for name, by_graph in medians_ms.items()
    ]
    n = len(right[REFERENCE])
    headline = {
        "ort_fp32_over_torch_fp32_speedup": _speedup(medians_ms, "onnxruntime/fp32"),
        "ort_int8_over_torch_fp32_speedup": _speedup(medians_ms, FASTEST),
        "torch_fact_accuracy": sum(right[REFERENCE]) / n,
        "ort_int8_fact_accuracy": sum(right[FASTEST]) / n,
        "same_verdict_share": sum(a == b for a, b in zip(*right.values(), strict=True)) / n,
        "n": float(n),
    }
    notes.append(
        "one thread; a turn is encode, look, a short request, what is found in a long log and two short passes; for "
        f"accuracy {drives} drives from seed {seed} and {drives // DRIVES_PER_LOG} logs of {LOG_WORDS} words"
    )
    return Result(headline, table, notes)


def available(weights: Path, cache: Path) -> tuple[dict[str, GraphEngine], list[str]]:
    """Every engine that this machine can run, by name, exported anew; and why the others are left out."""
    engines, notes = {}, []
    for backend, precisions in PRECISIONS.items():
        for precision in precisions:
            try:
                if backend != "torch":
                    export(weights, backend, precision, cache)
                engine = open_engine(weights, backend, precision, 1, cache)
                engines[engine.name] = engine
            except EngineMissing as error:
                notes.append(f"{backend} {precision}: {error}")
    return engines, notes


def timed(engines: dict[str, GraphEngine], weights: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Median milliseconds by engine and graph; the engines take turns, so that noise meets all of them."""
    network, tokenizer = load(weights)
    found: dict[str, dict[str, float]] = {name: {} for name in engines}
    for graph in graphs(network, tokenizer.first_spoken).values():
        inputs = tuple(graph.inputs.values())
        times: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(repeats):
            for name, engine in engines.items():
                times[name].append(_once_ms(engine.runner, graph.name, inputs))
        for name, each in times.items():
            found[name][graph.name] = float(np.median(each))
    return found


def _once_ms(runner: Runner, graph: str, inputs: tuple[Tensor, ...]) -> float:
    began_s = time.perf_counter()
    runner.run(graph, *inputs)
    return (time.perf_counter() - began_s) * 1e3


def _turn_ms(by_graph: dict[str, float]) -> float:
    return sum(by_graph[graph] for graph in ("encode", "look", "understand_short", "find", *["decode_short"] * 2))


def _speedup(medians_ms: dict[str, dict[str, float]], name: str) -> float:
    return _turn_ms(medians_ms[REFERENCE]) / _turn_ms(medians_ms[name])


def _right(engine: GraphEngine, seed: int, drives: int) -> list[bool]:
    asked = chain(outcomes(engine, seed, drives), recalled(engine, seed, drives // DRIVES_PER_LOG, LOG_WORDS))
    return [outcome.right for outcome, _ in asked]
