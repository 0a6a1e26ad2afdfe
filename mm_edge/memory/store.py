"""A memory on disk: one safetensors file with a checksum, written in one go.

A file that is damaged is set aside, never read in part. Knows nothing about when to write, or about what is remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from mm_edge.memory.cache import Cache, Packed, Slots

FORMAT = 1
ASIDE = ".damaged"
"""Suffix of a file that could not be read."""
_PARTS = ("k", "v", "bias", "tag")


class StoreError(Exception):
    """The file is damaged; the message says how, and where it is now."""


@dataclass(frozen=True)
class Kept:
    """state: anything that JSON can say; cache: None before the first compaction."""

    state: Mapping[str, Any]
    cache: Cache | None


def write(path: Path, kept: Kept) -> None:
    """After a crash there is the old file or the new one. Raises OSError: the old file is then as it was."""
    tensors = {} if kept.cache is None else _tensors(kept.cache)
    length = 0 if kept.cache is None else kept.cache.length
    said = json.dumps({"format": FORMAT, "length": length, "state": kept.state})
    body = save({name: tensor.contiguous() for name, tensor in tensors.items()}, {"said": said})
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(hashlib.sha256(body).digest() + body)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read(path: Path) -> Kept | None:
    """None when there is no file. Raises StoreError for a damaged one, which is set aside, and OSError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, body = raw[:32], raw[32:]
    try:
        if hashlib.sha256(body).digest() != digest:
            raise ValueError("its checksum is wrong")
        size = int.from_bytes(body[:8], "little")
        said = json.loads(json.loads(body[8 : 8 + size])["__metadata__"]["said"])
        if said["format"] != FORMAT:
            raise ValueError(f"it is of format {said['format']}, not {FORMAT}")
        tensors = load(body)
        return Kept(said["state"], _cache(tensors, said["length"]) if tensors else None)
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        aside = path.with_name(path.name + ASIDE)
        path.replace(aside)
        raise StoreError(f"{path}: {error}; it is now {aside.name}") from error


def _tensors(cache: Cache) -> dict[str, Tensor]:
    named = {}
    for index, layer in enumerate(cache.layers):
        named[f"lengths.{index}"] = torch.tensor(layer.lengths)
        named |= {f"{part}.{index}": tensor for part in _PARTS if (tensor := getattr(layer.slots, part)) is not None}
    return named


def _cache(tensors: Mapping[str, Tensor], length: int) -> Cache:
    layers = []
    for index in range(sum(name.startswith("lengths.") for name in tensors)):
        slots = Slots(*(tensors.get(f"{part}.{index}") for part in _PARTS))  # type: ignore[arg-type]
        layers.append(Packed(slots, tuple(tensors[f"lengths.{index}"].tolist())))
    return Cache(tuple(layers), length)
