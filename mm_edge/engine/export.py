"""Graphs for other engines, in a cache keyed by all that they depend on.

An export is a folder named by the hash of its manifest: the weights, the precision and, where engines are built for one
machine, the library, the GPU and the driver. What does not match is not found, so that it is never used, and nothing is
built unless it is asked for: a vehicle does not start to compile. Knows nothing about turns.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from mm_edge.engine.base import EngineError, EngineMissing
from mm_edge.model.checkpoint import CheckpointError, load, sha256
from mm_edge.model.graphs import Graph, graphs

FORMAT = 12
"""Increases when the graphs' inputs or outputs change."""
WEIGHTS, SHARED_BYTES = "weights.bin", 1024
"""The file beside the graphs with what they are made of, and from which size on a tensor is kept there."""
PAGE = 4096
"""Tensors begin at multiples of this, so that they can be mapped into memory."""
PRECISIONS = {"torch": ("fp32",), "onnxruntime": ("fp32", "int8"), "tensorrt": ("fp32", "fp16")}
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Manifest:
    """What an export depends on. `machine`: library, GPU and driver, for engines that are built for one."""

    weights_sha256: str
    backend: str
    precision: str
    machine: str = ""
    format: int = FORMAT

    @property
    def key(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.backend}-{self.precision}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def default_cache() -> Path:
    """`$MM_EDGE_CACHE`, else mm_edge in the user's cache folder."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MM_EDGE_CACHE") or base / "mm_edge")


def manifest(weights: Path, backend: str, precision: str) -> Manifest:
    """What an export for this machine must say now. Raises EngineError."""
    if precision not in PRECISIONS[backend]:
        raise EngineMissing(f"{backend} has no {precision}: {', '.join(PRECISIONS[backend])}")
    machine = ""
    if backend == "tensorrt":
        from mm_edge.engine.tensorrt_runner import machine as tensorrt_machine

        machine = tensorrt_machine()
    try:
        return Manifest(sha256(weights), backend, precision, machine)
    except OSError as error:
        raise EngineError(f"{weights}: {error.strerror}") from error


def find(weights: Path, backend: str, precision: str, cache: Path) -> Path:
    """The folder of a finished export. Raises EngineMissing when there is none for these weights and this machine."""
    wanted = manifest(weights, backend, precision)
    folder = cache / wanted.key
    if not (folder / "manifest.json").is_file():
        raise EngineMissing(f"nothing was exported for {backend} {precision}: mm-edge export")
    return folder


def export(weights: Path, backend: str, precision: str, cache: Path, tell: Tell = lambda _: None) -> Path:
    """Write the graphs for `backend`; returns their folder, at once when it is there. Raises EngineError."""
    wanted = manifest(weights, backend, precision)
    folder = cache / wanted.key
    if (folder / "manifest.json").is_file():
        return folder
    part, whole = cache / f"{wanted.key}.part", cache / manifest(weights, backend, "fp32").key
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        network, tokenizer = load(weights)
        for graph in graphs(network, tokenizer.first_spoken).values():
            tell(f"{backend} {precision}: {graph.name}")
            if precision == "int8" and _intact(whole / f"{graph.name}.onnx"):
                _copy_whole(whole / f"{graph.name}.onnx", part)
            else:
                write_onnx(graph, part / f"{graph.name}.onnx")
            if backend == "tensorrt":
                from mm_edge.engine.tensorrt_runner import build

                build(part / f"{graph.name}.onnx", part / f"{graph.name}.engine", precision)
            elif precision == "int8":
                quantize(part / f"{graph.name}.onnx")
        share_weights(part)
        (part / "manifest.json").write_text(json.dumps(asdict(wanted), indent=2) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except CheckpointError as error:
        raise EngineError(str(error)) from error
    except OSError as error:
        raise EngineError(f"{cache}: {error}") from error
    return folder


def write_onnx(graph: Graph, path: Path) -> None:
    """Raises EngineMissing without the packages of the extra `export`."""
    if not hasattr(torch.onnx, "ONNXProgram"):
        raise EngineMissing(f"exporting needs torch 2.5 or newer, this is {torch.__version__}")
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise EngineMissing('exporting needs more packages: pip install "mm_edge[export]"') from None
    with _quiet():
        program = torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(path)


def _intact(path: Path) -> bool:
    """Whether a graph is there and can be read; not without the packages of the extra `export`."""
    try:
        import onnx
    except ImportError:
        return False
    try:
        onnx.checker.check_model(path)
    except onnx.checker.ValidationError:
        return False
    return True


def quantize(path: Path) -> None:
    """Matrix products in int8, in place: weights by channel, activations as they come (dynamic). Constants are folded
    first: a matrix that several steps use is turned anew for each, and only what is constant is quantized."""
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folded, options = path.with_suffix(".folded.onnx"), SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath, options.log_severity_level = str(folded), 4
    with _quiet():
        InferenceSession(path, options, ["CPUExecutionProvider"], disabled_optimizers=["MatMulAddFusion"])
        quantize_dynamic(
            folded, path, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8
        )
    folded.unlink()


def share_weights(folder: Path) -> None:
    """Keep every tensor of the graphs in a folder once, beside them: most graphs are made of the same matrices."""
    import onnx

    places: dict[bytes, int] = {}
    with (folder / WEIGHTS).open("wb") as shared:
        for path in sorted(folder.glob("*.onnx")):
            model = onnx.load(path)
            for tensor in model.graph.initializer:
                tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
                raw = tensor.raw_data
                if len(raw) < SHARED_BYTES:
                    continue
                key = hashlib.sha256(raw).digest()
                if key not in places:
                    places[key] = shared.seek(-shared.tell() % PAGE, os.SEEK_CUR)
                    shared.write(raw)
                onnx.external_data_helper.set_external_data(tensor, WEIGHTS, places[key], len(raw))
                tensor.ClearField("raw_data")
            path.write_bytes(model.SerializeToString())


def _copy_whole(path: Path, folder: Path) -> None:
    """A graph with its tensors."""
    import onnx

    onnx.save(onnx.load(path), folder / path.name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' advice to their own developers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
