"""Gradients of a loss, on a GPU from replayed graphs: a step here is thousands of small kernels, and to launch them one
by one takes longer than to run them (CUDA graphs: Nguyen et al. 2021, "Accelerating PyTorch with CUDA
Graphs"). Knows nothing about what is learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

Shapes = tuple[torch.Size, ...]


class Gradients:
    """Adds the gradients of `loss(given)`, the sum of its parts, to those that the parameters have, and returns the
    parts.

    On a GPU the first of every shape runs as it is and the second is recorded; parameters must then keep their
    gradients' memory, and random numbers must come from the device's own generator.
    """

    def __init__(self, loss: Callable[[Any], Tensor]) -> None:
        self._loss = loss
        self._recorded: dict[Shapes, _Recorded | None] = {}

    def __call__(self, given: Any) -> Tensor:
        """given: tensors in dataclasses, dicts and tuples -> the parts of the loss [n], without gradients."""
        now = [*tensors(given)]
        if now[0].device.type != "cuda":
            return _added(self._loss, given)
        shapes = tuple(tensor.shape for tensor in now)
        if shapes not in self._recorded:
            self._recorded[shapes] = None
            return _added(self._loss, given)
        recorded = self._recorded[shapes] or _Recorded(self._loss, given)
        self._recorded[shapes] = recorded
        return recorded.replay(now)


class _Recorded:
    def __init__(self, loss: Callable[[Any], Tensor], given: Any) -> None:
        self._inputs = [*tensors(given)]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=_pool()):
            self._parts = _added(loss, given)

    def replay(self, now: list[Tensor]) -> Tensor:
        if now[0] is not self._inputs[0]:
            torch._foreach_copy_(self._inputs, now)
        self._graph.replay()
        return self._parts.clone()


@lru_cache(maxsize=1)
def _pool() -> Any:
    """The memory that all graphs share: none of them runs beside another."""
    return torch.cuda.graph_pool_handle()


def _added(loss: Callable[[Any], Tensor], given: Any) -> Tensor:
    parts = loss(given)
    parts.sum().backward()  # type: ignore[no-untyped-call]
    return parts.detach()


def tensors(given: Any) -> Iterator[Tensor]:
    """All that are in dataclasses, dicts, tuples and lists, in order."""
    if isinstance(given, Tensor):
        yield given
    elif isinstance(given, dict):
        for value in given.values():
            yield from tensors(value)
    elif isinstance(given, tuple | list):
        for value in given:
            yield from tensors(value)
    elif is_dataclass(given):
        for field in fields(given):
            yield from tensors(getattr(given, field.name))


def moved(given: Any, device: str) -> Any:
    """The same with all tensors on a device; lists become tuples."""
    if isinstance(given, Tensor):
        return given.to(device)
    if isinstance(given, dict):
        return {name: moved(value, device) for name, value in given.items()}
    if isinstance(given, tuple | list):
        return tuple(moved(value, device) for value in given)
    if is_dataclass(given) and not isinstance(given, type):
        return type(given)(**{field.name: moved(getattr(given, field.name), device) for field in fields(given)})
    return given
