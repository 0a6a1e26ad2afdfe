"""Weights on disk: one safetensors file that also says how to build the network and its vocabulary.

Knows nothing about training or where the network will run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.tokenizer import Tokenizer

FORMAT = "mm_edge/11"
LANGUAGE = ("spoken", "heard", "sentences")
"""What the file keeps of the tokenizer."""


class CheckpointError(Exception):
    """The file is missing, damaged, or of another program."""


def save(path: Path, weights: dict[str, Tensor], config: NetworkConfig, tokenizer: Tokenizer) -> None:
    """Write `path` in one go: a reader sees the old file or the whole new one. Matrices are kept in half precision."""
    language = {name: json.dumps(getattr(tokenizer, name)) for name in LANGUAGE}
    metadata = {"format": FORMAT, "config": json.dumps(asdict(config)), **language}
    part = path.with_suffix(".part")
    save_file({name: _kept(tensor.detach()).contiguous() for name, tensor in weights.items()}, part, metadata)
    part.replace(path)


def sha256(path: Path) -> str:
    """What binds other files to these weights. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path) -> tuple[Network, Tokenizer]:
    """The network, ready to run, and its tokenizer. Raises CheckpointError."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if metadata.get("format") != FORMAT:
            raise CheckpointError(f"{path}: format {metadata.get('format')!r}, expected {FORMAT!r}")
        tokenizer = Tokenizer(*(json.loads(metadata[name]) for name in LANGUAGE))
        network = Network(NetworkConfig(**json.loads(metadata["config"])))
        network.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in weights.items()})
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return network.eval().requires_grad_(False), tokenizer


def _kept(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
