"""The graphs run by torch on the processor: the reference that every other engine must reproduce."""

from __future__ import annotations

import torch
from torch import Tensor

from mm_edge.model.graphs import graphs
from mm_edge.model.network import Network


class TorchRunner:
    name = "torch/fp32"

    def __init__(self, network: Network) -> None:
        self._graphs = graphs(network.eval().requires_grad_(False))

    @torch.no_grad()
    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = self._graphs[graph].module(*inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)
