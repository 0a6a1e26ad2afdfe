"""The graphs run by TensorRT (native Python API, 10.3 of JetPack 6 up to 11) on an NVIDIA GPU.

Inputs and outputs are CUDA tensors of torch, bound by address; nothing is copied but what comes from the processor.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from mm_edge.engine.base import EngineError, EngineMissing
from mm_edge.model.graphs import GRAPHS

WORKSPACE_BYTES = 1 << 30
DRIVERS = ("/proc/driver/nvidia/version", "/etc/nv_tegra_release")
"""Where the driver says which it is: with a card, on a Jetson."""


def library() -> ModuleType:
    """Raises EngineMissing."""
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        raise EngineMissing(f"tensorrt is not installed ({error})") from None


def machine() -> str:
    """What a built engine is bound to: TensorRT, GPU, compute capability and driver. Raises EngineMissing."""
    version = library().__version__
    if not torch.cuda.is_available():
        raise EngineMissing("tensorrt needs a GPU that torch can use")
    major, minor = torch.cuda.get_device_capability()
    driver = next((path.read_text().splitlines()[0] for path in map(Path, DRIVERS) if path.is_file()), "unknown")
    return f"TensorRT {version}, {torch.cuda.get_device_name()}, sm_{major}{minor}, {driver}"


def build(onnx: Path, engine: Path, precision: str) -> None:
    """Compile one graph for this machine. Raises EngineError."""
    engine.write_bytes(compiled(library(), onnx, precision))


def compiled(trt: ModuleType, onnx: Path, precision: str, **targets: Any) -> bytes:
    """`trt`: tensorrt, or tensorrt_rtx, which compiles without a GPU for `compute_capability`. Raises EngineError."""
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    strong = int(getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", 0))
    network = builder.create_network(1 << strong if precision == "fp32" else 0)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    if not parser.parse_from_file(str(onnx)):
        faults = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineError(f"TensorRT cannot read {onnx.name}: {faults}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    if precision == "fp16":
        if not hasattr(trt.BuilderFlag, "FP16"):
            raise EngineMissing(f"TensorRT {trt.__version__} takes no half precision from a single-precision graph")
        config.set_flag(trt.BuilderFlag.FP16)
    elif hasattr(trt.BuilderFlag, "TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)  # its ten bits are too few for the start-up check
    if "compute_capability" in targets:
        config.num_compute_capabilities = 1
        config.set_compute_capability(targets["compute_capability"], 0)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"TensorRT cannot compile {onnx.name}")
    return bytes(plan)


class TensorRtRunner:
    def __init__(self, folder: Path, precision: str) -> None:
        """`folder` holds GRAPH.engine for each of GRAPHS. Raises EngineError."""
        trt = library()
        self.name, self.device = f"tensorrt/{precision}", torch.device("cuda")
        self._trt = trt
        self._stream = torch.cuda.Stream()
        runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engines: dict[str, Any] = {}
        for graph in GRAPHS:
            engine = runtime.deserialize_cuda_engine((folder / f"{graph}.engine").read_bytes())
            if engine is None:
                raise EngineError(f"{self.name}: {graph}.engine cannot be loaded")
            self._engines[graph] = engine
        self._contexts = {graph: engine.create_execution_context() for graph, engine in self._engines.items()}

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        engine, context, trt = self._engines[graph], self._contexts[graph], self._trt
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        taken = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        bound = {name: tensor.cuda().contiguous() for name, tensor in zip(taken, inputs, strict=True)}
        for name in names:
            if name not in bound:
                shape = tuple(engine.get_tensor_shape(name))
                bound[name] = torch.empty(shape, device="cuda")
            context.set_tensor_address(name, bound[name].data_ptr())
        self._stream.wait_stream(torch.cuda.current_stream())
        if not context.execute_async_v3(self._stream.cuda_stream):
            raise EngineError(f"{self.name}: {graph} failed")
        self._stream.synchronize()
        return tuple(bound[name] for name in names if name not in taken)
