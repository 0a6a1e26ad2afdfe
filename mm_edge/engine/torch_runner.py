"""The graphs run by torch: on the processor the reference that every other engine must reproduce; on a GPU, where torch
finds one, each of them is captured once (CUDA graphs) and replayed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mm_edge.model.graphs import Graph, graphs
from mm_edge.model.network import Network

WARM_UP = 3
"""Runs before a capture, in which libraries choose their kernels and allocate."""


class TorchRunner:
    _graphs: dict[str, Callable[..., Tensor | tuple[Tensor, ...]]]

    def __init__(self, network: Network, first_spoken: int, device: torch.device | None = None) -> None:
        """first_spoken: as `graphs` takes it; device: the GPU, if torch finds one, unless another is given."""
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.name = "torch/fp32" if self.device.type == "cpu" else f"torch-{self.device.type}/fp32"
        made = graphs(network.eval().requires_grad_(False).to(self.device), first_spoken)
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # its ten bits are too few for the start-up check
            self._graphs = {name: _Captured(each, self.device) for name, each in made.items()}
        else:
            self._graphs = {name: graph.module for name, graph in made.items()}

    @torch.no_grad()
    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        with self.device:  # what a graph makes on its way is made there
            outputs = self._graphs[graph](*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)


class _Captured:
    """A graph in fixed memory: inputs are copied into it, and outputs out of it."""

    @torch.no_grad()
    def __init__(self, graph: Graph, device: torch.device) -> None:
        self._inputs = [tensor.to(device, copy=True) for tensor in graph.inputs.values()]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with device:
            with torch.cuda.stream(stream):
                for _ in range(WARM_UP):
                    graph.module(*self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                outputs = graph.module(*self._inputs)
        self._outputs = outputs if isinstance(outputs, tuple) else (outputs,)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._outputs)
