"""Attention Matching for the cache of a Hugging Face decoder: keys, values and biases in place of what it has read.

After Zweiger, Fu, Guo, Kim (arXiv 2602.16284) and their code: what the model asks is recorded after its norms and
rotations, heads of different length are padded to the longest of their layer, and later words go on counting from the
length that was read. Layers that see only a window stay as they are. The bias is one more column of the keys: the
attention that is registered here takes it off again, and any other refuses keys that are wider than its queries. Knows
the interfaces of `transformers` 5 (attention, masks, cache layers), but no model in particular, no prompt and no
tokenizer: where the queries come from is for the caller to say. Models that squash their scores, share keys between
layers, or have memory of another kind than keys and values are refused. `transformers` is optional.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.memory.budgets import highest
from mm_edge.memory.cache import Slots
from mm_edge.memory.matching import Matching, match, scores
from mm_edge.model.attention import HIDDEN

try:
    from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
    from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer, DynamicSlidingWindowLayer
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask
except ImportError as error:
    raise ImportError(f"models of Hugging Face need transformers 5, which is not installed ({error})") from None

NAME = "mm_edge_biased"
"""Of the attention, as `set_attn_implementation` takes it."""


def read(model: PreTrainedModel, input_ids: Tensor, past: Cache | None = None) -> tuple[Cache, list[Tensor]]:
    """Let the model read words [1, n], after what is in `past`, which is left as it is.

    -> the cache, and what every layer asked [kv_heads, queries, d], scaled, in float32: the query heads that share keys
    are one after the other (the paper's reference queries). Words that repeat `past` ask for what may be needed later;
    the words themselves, for less of it. Sets the model's attention. Raises ValueError as `prepare` does, for more than
    one row, for no words, and where attention layers do not hand on what the model is given.
    """
    prepare(model)
    if input_ids.shape[0] != 1 or not input_ids.shape[1]:
        raise ValueError(f"one row of words is read at a time, not {list(input_ids.shape)}")
    cache = DynamicCache(config=model.config) if past is None else twin(past)
    asked: dict[int, Tensor] = {}
    with torch.no_grad():
        model(input_ids, past_key_values=cache, use_cache=True, logits_to_keep=1, asked=asked)
    if sorted(asked) != list(range(len(cache.layers))):
        raise ValueError(f"{type(model).__name__} does not hand on what its attention is given, or shares keys")
    return cache, [asked[layer] for layer in range(len(cache.layers))]


def compact(
    model: PreTrainedModel, cache: Cache, queries: Sequence[Tensor], keep: int | Sequence[int], how: Matching
) -> Cache:
    """What the model can go on from as it could from `cache`, which is left as it is.

    queries: of every layer [kv_heads, n, d], as `read` gives them; those of layers that see a window are not used.
    keep: slots of all heads together, which go to the highest scores (budgets.highest), or of every head, layer by
    layer. What is returned goes where any cache does: `model(input_ids, past_key_values=...)`, `generate`, `read`, or
    `compact` again, where biases carry over. Its length is that of `cache`, so places go on counting. Keys, values and
    biases are stored in the precision of the cache, and fitted in float32.

    Sets the model's attention. Raises ValueError as `prepare` and `match` do; for more than one row, an empty cache, or
    layers of another kind; and where there are not as many queries or budgets as heads.
    """
    prepare(model)
    whole = compactable(model, cache)
    heads = {layer: slots_of(cache.layers[layer]) for layer in whole}
    if len(queries) != len(cache.layers) or any(len(queries[layer]) != len(heads[layer]) for layer in whole):
        raise ValueError("there have to be queries of every layer, and in each of every head of its keys")
    slots = [head for layer in whole for head in heads[layer]]
    asked = [rows.float() for layer in whole for rows in queries[layer]]
    found = [scores(head, rows, how.score, how.pool) for head, rows in zip(slots, asked, strict=True)]
    budgets = highest([score.cpu() for score in found], keep) if isinstance(keep, int) else list(keep)
    if len(budgets) != len(slots):
        raise ValueError(f"{len(budgets)} budgets for {len(slots)} heads")
    each = zip(slots, asked, budgets, found, strict=True)
    kept = iter([match(head, rows, budget, how, score) for head, rows, budget, score in each])
    compacted = twin(cache)
    for layer in whole:
        compacted.layers[layer] = CompactedLayer([next(kept) for _ in heads[layer]], cache.layers[layer])
    return compacted


def twin(cache: Cache) -> Cache:
    """The same, but to grow on its own: layers replace their tensors rather than write into them."""
    other = copy.copy(cache)
    other.layers = [copy.copy(layer) for layer in cache.layers]
    return other


def prepare(model: PreTrainedModel) -> None:
    """Set the attention that takes biases. Raises ValueError where it cannot be set, or the model squashes scores."""
    name = type(model).__name__
    if not isinstance(model, PreTrainedModel) or not model._supports_sdpa:
        raise ValueError(f"the attention of {name} cannot be set")
    config = model.config.get_text_config(decoder=True)
    if getattr(config, "attn_logit_softcapping", None):
        raise ValueError(f"{name} squashes its scores, so that a bias is no mass")
    if config._attn_implementation != NAME:
        model.set_attn_implementation(NAME)
    if config._attn_implementation != NAME:
        raise ValueError(f"the attention of {name} cannot be set")


def compactable(model: PreTrainedModel, cache: Cache) -> list[int]:
    """The layers that see everything. Raises ValueError for a cache that `compact` does not take."""
    if not cache.layers or not all(layer.is_initialized and layer.get_seq_length() for layer in cache.layers):
        raise ValueError("the cache is empty")
    kinds = {type(layer) for layer in cache.layers} - {DynamicLayer, DynamicSlidingWindowLayer, CompactedLayer}
    if kinds:
        raise ValueError(f"cannot compact {', '.join(sorted(kind.__name__ for kind in kinds))}")
    if any(len(_states(layer)[0]) != 1 for layer in cache.layers):
        raise ValueError("one row is compacted at a time")
    whole = [index for index, sliding in enumerate(cache.is_sliding) if not sliding]
    types = getattr(model.config.get_text_config(decoder=True), "layer_types", None)
    if types and any(types[index] != "full_attention" for index in whole):
        raise ValueError("a layer that sees a window has a cache of everything: make it with DynamicCache(config=...)")
    return whole


def slots_of(layer: CacheLayerMixin) -> list[Slots]:
    """Of each head of its keys, without those that only pad."""
    keys, values = (states[0].float() for states in _states(layer))
    if not isinstance(layer, CompactedLayer):
        return [Slots(k, v, k.new_zeros(len(k))) for k, v in zip(keys, values, strict=True)]
    heads = [Slots(k[:, :-1], v, k[:, -1]) for k, v in zip(keys, values, strict=True)]
    return [head.at(head.bias > HIDDEN / 2) for head in heads]


class CompactedLayer(DynamicLayer):
    """Keys [1, kv_heads, slots, d + 1], the last column of which is the bias, and values [1, kv_heads, slots, d].

    `words` are what the first `slots` stand for, as many as `like` has read. Masks are of later words only, so that one
    serves layers of any length.
    """

    keys: Tensor
    values: Tensor

    def __init__(self, heads: Sequence[Slots], like: CacheLayerMixin) -> None:
        super().__init__()
        self.words = like.get_seq_length()
        self.slots = max(len(head) for head in heads)
        padded = [_padded(head, self.slots) for head in heads]
        keys = torch.stack([torch.cat([head.k, head.bias[:, None]], 1) for head in padded])[None]
        values = torch.stack([head.v for head in padded])[None]
        keys, values = (part.to(old.dtype) for part, old in zip((keys, values), _states(like), strict=True))
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Later words have no bias."""
        keys, values = super().update(F.pad(key_states, (0, 1)), value_states, *args, **kwargs)
        return keys, values

    def get_seq_length(self) -> int:
        return self.words + int(self.keys.shape[-2]) - self.slots

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        """As the base has it, less what the slots stand for; older releases give the places of the queries."""
        length, _ = super().get_mask_sizes(query_length)
        return length - self.words, self.words

    def crop(self, max_length: int) -> None:
        """Raises ValueError where this is shorter than the words that the slots stand for."""
        length = max_length if max_length >= 0 else self.get_seq_length() + max_length
        if length < self.words:
            raise ValueError(f"{self.words} words were compacted, of which none can be taken back alone")
        physical = length - self.words + self.slots
        self.keys, self.values = self.keys[..., :physical, :], self.values[..., :physical, :]


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    asked: dict[int, Tensor] | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """The attention of one layer, as `transformers` calls it: its own (sdpa), and biases.

    query: [B, heads, q, d]; key: [B, kv_heads, n, d], or d + 1 with a bias; value: [B, kv_heads, n, d]; attention_mask:
    [B, 1, q, m] of the last m slots, or none if rows see everything before them; asked: where queries are put by layer.
    """
    if asked is not None:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        asked[module.layer_idx] = (query[0].float() * scale).unflatten(0, (key.shape[1], -1)).flatten(1, 2)
    if key.shape[-1] == query.shape[-1] + 1:
        attention_mask = _added(key[..., -1].float(), query, attention_mask)
        key = key[..., :-1]
    found, _ = sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    return found, None


def _added(bias: Tensor, query: Tensor, mask: Tensor | None) -> Tensor:
    """What is added to the scores [B, heads, q, n]; bias: [B, kv_heads, n]."""
    rows, slots = query.shape[2], bias.shape[-1]
    added = bias.repeat_interleave(query.shape[1] // bias.shape[1], 1)[:, :, None]  # fused kernels repeat no mask
    if mask is None:
        mask = torch.ones(rows, slots, dtype=torch.bool, device=bias.device).tril(slots - rows)
    elif mask.shape[-1] > slots:
        raise ValueError(f"the mask is of {mask.shape[-1]} slots, of which there are {slots}")
    if mask.dtype == torch.bool:
        seen = F.pad(mask, (slots - mask.shape[-1], 0), value=True)
        return added.masked_fill(~seen, HIDDEN).to(query.dtype)
    return (added + F.pad(mask.float(), (slots - mask.shape[-1], 0))).to(query.dtype)


def _states(layer: CacheLayerMixin) -> tuple[Tensor, Tensor]:
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys, layer.values


def _padded(head: Slots, slots: int) -> Slots:
    more = slots - len(head)
    k, v = (F.pad(part, (0, 0, 0, more)) for part in (head.k, head.v))
    return Slots(k, v, F.pad(head.bias, (0, more), value=HIDDEN))


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
