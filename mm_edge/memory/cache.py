"""Keys and values that attention reads, packed: every head keeps as many slots as it needs, and a bias for each.

A slot may stand for many words: its bias says for how much of their mass (Zweiger et al. 2026, Attention Matching). The
length that is counted in words goes on however few slots are left, and with it the places of later words. Knows nothing
about how slots are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from mm_edge.model.attention import HIDDEN
from mm_edge.model.block import KV, Past
from mm_edge.model.distance import seen, unseen


@dataclass(frozen=True)
class Slots:
    """Of one head. k, v: [n, d]; bias: [n], added to the scores; tag: [n], a name that the word of a slot tells of, -1:
    none; None: not kept."""

    k: Tensor
    v: Tensor
    bias: Tensor
    tag: Tensor | None = None

    def __len__(self) -> int:
        return len(self.bias)

    def at(self, index: Tensor | slice) -> Slots:
        tag = None if self.tag is None else self.tag[index]
        return Slots(self.k[index], self.v[index], self.bias[index], tag)

    def float(self) -> Slots:
        return Slots(self.k.float(), self.v.float(), self.bias.float(), self.tag)

    def joined(self, *later: Slots) -> Slots:
        """With those behind it."""
        every = (self, *later)
        k, v, bias = (torch.cat([getattr(each, name) for each in every]) for name in ("k", "v", "bias"))
        tags = [each.tag for each in every if each.tag is not None]
        return Slots(k, v, bias, torch.cat(tags) if len(tags) == len(every) else None)


@dataclass(frozen=True)
class Packed:
    """The heads of one layer, one after the other. slots: S of them; lengths: of each head, S together."""

    slots: Slots
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, heads: Sequence[Slots]) -> Packed:
        return cls(heads[0].joined(*heads[1:]), tuple(len(head) for head in heads))

    def heads(self) -> list[Slots]:
        ends = [*accumulate(self.lengths, initial=0)]
        return [self.slots.at(slice(first, last)) for first, last in pairwise(ends)]

    def own(self) -> Tensor:
        """What every head adds to its scores [heads, S]: HIDDEN where a slot is another head's.

        So one matrix product reads all heads from one packed store, on every engine and without a kernel of its own.
        """
        bias = self.slots.bias
        whole = torch.full((len(self.lengths), len(bias)), HIDDEN, device=bias.device)
        for head, (first, last) in enumerate(pairwise(accumulate(self.lengths, initial=0))):
            whole[head, first:last] = bias[first:last]
        return whole

    @property
    def nbytes(self) -> int:
        """As stored; a length takes 4 bytes."""
        kept = (self.slots.k, self.slots.v, self.slots.bias, self.slots.tag)
        return sum(part.nbytes for part in kept if part is not None) + 4 * len(self.lengths)


@dataclass(frozen=True)
class Cache:
    """All layers; length: the words they stand for."""

    layers: tuple[Packed, ...]
    length: int

    @classmethod
    def of(cls, layers: Sequence[KV], length: int) -> Cache:
        """Of keys and values [1, heads, n, d] as they were read."""
        return cls(
            tuple(
                Packed.of([Slots(k, v, k.new_zeros(len(k))) for k, v in zip(keys[0], values[0], strict=True)])
                for keys, values in layers
            ),
            length,
        )

    @property
    def slots(self) -> int:
        """Of all heads together."""
        return sum(len(layer.slots) for layer in self.layers)

    @property
    def heads(self) -> int:
        """Of all layers together."""
        return sum(len(layer.lengths) for layer in self.layers)

    @property
    def nbytes(self) -> int:
        return sum(layer.nbytes for layer in self.layers)

    def past(self) -> Past:
        """As the network takes it; heads of one length need no packing."""
        each = [layer.slots for layer in self.layers]
        if any(len(set(layer.lengths)) > 1 for layer in self.layers):
            return Past(
                [(s.k[None, None], s.v[None, None]) for s in each], [layer.own()[None] for layer in self.layers]
            )
        sizes = [(len(layer.lengths), layer.lengths[0]) for layer in self.layers]
        layers = [(s.k.unflatten(0, n)[None], s.v.unflatten(0, n)[None]) for s, n in zip(each, sizes, strict=True)]
        return Past(layers, [s.bias.unflatten(0, n)[None] for s, n in zip(each, sizes, strict=True)])

    def each(self, change: Callable[[int, int, Slots], Slots]) -> Cache:
        """With other slots in every head; change: of the layer, the head, and its slots."""
        layers = (
            Packed.of([change(index, head, slots) for head, slots in enumerate(layer.heads())])
            for index, layer in enumerate(self.layers)
        )
        return Cache(tuple(layers), self.length)

    def seen(self, now: int) -> Cache:
        """As it is attended to from the place `now` (model/distance.py)."""
        return self._rotated(lambda k: seen(k, now))

    def unseen(self, now: int) -> Cache:
        """The inverse of `seen`."""
        return self._rotated(lambda k: unseen(k, now))

    def _rotated(self, change: Callable[[Tensor], Tensor]) -> Cache:
        """With other keys; change: of keys of all heads of a layer."""
        layers = (replace(layer, slots=replace(layer.slots, k=change(layer.slots.k))) for layer in self.layers)
        return Cache(tuple(layers), self.length)

    def cut(self, first: int, last: int | None = None) -> Cache:
        """The slots from `first` to `last` of every head; of the same length."""
        return self.each(lambda layer, head, slots: slots.at(slice(first, last)))


def joined(first: Cache, second: Cache) -> Cache:
    """What was read first, then what was read later."""
    layers = (
        Packed.of([a.joined(b) for a, b in zip(one.heads(), other.heads(), strict=True)])
        for one, other in zip(first.layers, second.layers, strict=True)
    )
    return Cache(tuple(layers), first.length + second.length)
