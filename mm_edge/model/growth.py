"""A larger network that begins as a smaller one: the same answers, from more weights.

Wider: every vector of the trunk is filled up with zeros (Net2Net: Chen et al. 2016), and scaled so that normalised
words keep their root mean square of 1. Deeper: new layers add nothing at first (LEMON: Wang et al. 2024). Exact but for
the mean that layer norm subtracts, which the zeros change. Knows nothing about training.
"""

from __future__ import annotations

import re
from dataclasses import replace

import torch
from torch import Tensor

from mm_edge.model.encoders import STATE_TOKENS
from mm_edge.model.network import WINDOW, Network, NetworkConfig
from mm_edge.model.tokenizer import Tokenizer

_LAYER = re.compile(r"((?:policy\.)?blocks|steps\.\w+)\.(\d+)\.(.*)")
_SCALED = re.compile(
    r"codes|answer_styles\.weight|standing\.weight|scene_place|answer_place|asking|finding|claim_place|queries"
    r"|in_turn|flow_time\..*|steps\.\w+\.\d+\.from_\.(out|down)\.weight"
    r"|motion\.values"
    r"|encoder\.(values\..*|no_\w+|image_place|image_tokens\..*|state_tokens\..*|sound_token\..*|summary\.2\..*)"
    r"|blocks\.\d+\.(out|down)\..*"
)
"""What writes into the trunk."""
_READING = re.compile(r"(policy\.)?blocks\.\d+\.(norm_\w+|link_norm)\.weight|norm\.weight|motion\.narrow\.weight")
"""What reads from it, as it is or normalised."""
_FRESH = re.compile(r"blocks\.\d+\.(qkv|up|gain|recency|norm_\w+|link_norm)|^norm\.")
"""What of it is new begins as in a new network, so that what is new elsewhere can learn."""


@torch.no_grad()
def grown(small: Network, config: NetworkConfig) -> Network:
    """A network of `config` that answers as `small`. Raises ValueError when it is not larger in width and depth alone,
    with heads of the same width."""
    old = small.config
    same = ("vocabulary", "marks", "policy", "conv", "history_slots", "request_length", "answer_length")
    fits = old.d // old.heads == config.d // config.heads and config.layers % old.layers == 0 and config.d >= old.d
    if not fits or any(getattr(old, name) != getattr(config, name) for name in same):
        raise ValueError(f"{config} does not continue {old}")
    large = Network(config)
    known, scale, every = small.state_dict(), (config.d / old.d) ** 0.5, config.layers // old.layers
    for name, target in large.state_dict().items():
        source = _source(name, every)
        if source is None:
            continue
        factor = scale if _SCALED.fullmatch(source) else 1 / scale if _READING.fullmatch(source) else 1.0
        _paste(*_views(name, target, known[source], large, small), factor, fresh=_FRESH.search(name) is not None)
    return large


@torch.no_grad()
def reworded(network: Network, known: Tokenizer, wanted: Tokenizer) -> Network:
    """The same network with the words of another tokenizer and no hints; words that it does not know begin as new ones,
    unlikely to be said. Raises ValueError when the marks are other ones."""
    marks = network.config.marks
    if [known.tokens[mark] for mark in known.marks] != [wanted.tokens[mark] for mark in wanted.marks]:
        raise ValueError("its marks are other ones")
    config = replace(network.config, vocabulary=len(wanted), topics=len(wanted.topics))
    made = Network(config)
    other = ("words.", "unsaid", "clock", "hints.")
    made.load_state_dict({n: t for n, t in network.state_dict().items() if not n.startswith(other)}, strict=False)
    made.unsaid.fill_(network.unsaid.min())
    rows = {token: row for row, token in enumerate(known.tokens[:-marks])}
    for row, token in enumerate(wanted.tokens[:-marks]):
        if token in rows:
            made.words.weight[row] = network.words.weight[rows[token]]
            made.unsaid[row] = network.unsaid[rows[token]]
    return made


def _source(name: str, every: int) -> str | None:
    """What a tensor was called in the smaller network, where each layer is followed by `every` - 1 fewer."""
    layer = _LAYER.fullmatch(name)
    if layer is None:
        return name
    index, other = divmod(int(layer[2]), every)
    return None if other else f"{layer[1]}.{index}.{layer[3]}"


def _views(name: str, target: Tensor, source: Tensor, large: Network, small: Network) -> tuple[Tensor, Tensor]:
    """Both cut so that what belongs together begins at the same index of every axis."""
    if re.match(r"blocks\.\d+\.qkv|steps\.\w+\.\d+\.from_\.qkv", name):
        shape: tuple[int, ...] = (3, -1, small.config.d // small.config.heads)
    elif name.startswith("encoder.state_tokens"):
        shape = (STATE_TOKENS, -1)
    elif name == "before.weight":
        return target.view(large.config.d, WINDOW, -1), source.view(small.config.d, WINDOW, -1)
    else:
        return target, source
    return target.unflatten(0, shape), source.unflatten(0, shape)


def _paste(target: Tensor, source: Tensor, factor: float, fresh: bool) -> None:
    """`fresh`: what is new stays as it is; otherwise it becomes zero."""
    if not fresh and target.is_floating_point() and target.shape != source.shape:
        target.zero_()
    corner = target[tuple(slice(length) for length in source.shape)]
    corner.copy_(source * factor if source.is_floating_point() else source)
