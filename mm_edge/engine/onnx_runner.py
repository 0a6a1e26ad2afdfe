"""The graphs run by ONNX Runtime on the processor, in fp32 or int8 (weights and activations of matrix products)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mm_edge.engine.base import EngineError, EngineMissing
from mm_edge.model.graphs import GRAPHS


class OnnxRunner:
    device = torch.device("cpu")

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        """`folder` holds GRAPH.onnx for each of GRAPHS. Raises EngineError."""
        try:
            import onnxruntime
        except ImportError as error:
            raise EngineMissing(f"onnxruntime is not installed ({error})") from None
        self.name = f"onnxruntime/{precision}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        try:
            self._sessions = {
                graph: onnxruntime.InferenceSession(folder / f"{graph}.onnx", options, ["CPUExecutionProvider"])
                for graph in GRAPHS
            }
        except Exception as error:  # the library's own exceptions share no base
            raise EngineError(f"{self.name}: {error}") from error
        self._names = {graph: [i.name for i in session.get_inputs()] for graph, session in self._sessions.items()}

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        feed = {name: tensor.numpy() for name, tensor in zip(self._names[graph], inputs, strict=True)}
        return tuple(torch.from_numpy(array) for array in self._sessions[graph].run(None, feed))
