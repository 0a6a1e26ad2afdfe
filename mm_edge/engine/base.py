"""What every engine offers, wherever the network runs: look, read, write one pass.

Tensors in and out are torch tensors. Knows nothing about sentences' meaning, deadlines or memory policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.model.distance import from_here
from mm_edge.model.graphs import by_length
from mm_edge.model.observation import Observation
from mm_edge.model.tokenizer import Tokenizer


class EngineError(Exception):
    """The engine cannot be used; the message says why: damaged files, or it does not reproduce the reference."""


class EngineMissing(EngineError):
    """The engine was never installed, or nothing was exported for it."""


@dataclass(frozen=True)
class Percept:
    """One observation, encoded.

    tokens: [n, d], as the trunk takes them; summary: [d + SIGNALS], what the history keeps; pooled: [p] float32, for
    novelty; facts: scene facts, name -> (most probable value, its probability), only those whose sensor is there;
    course: [STEPS, 2], a first guess of what the vehicle will do, by this alone; logits: of the same facts, [values]
    float32.
    """

    tokens: Tensor
    summary: Tensor
    pooled: NDArray[np.float32]
    facts: dict[str, tuple[str, float]]
    course: Tensor
    logits: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class Scene:
    """What is seen and was seen before, as the trunk has read it; nothing is asked yet.

    k, v: [layers, heads, n, d_head]; bias: [n], HIDDEN where nothing was seen before; states: [layers, 1, m, d],
    states_bias [1, m] and course [STEPS, 2], a guess of what the vehicle will do: for the path.
    """

    k: Tensor
    v: Tensor
    bias: Tensor
    states: Tensor
    states_bias: Tensor
    course: Tensor

    @cached_property
    def layers(self) -> list[Tensor]:
        """Keys and values of each layer in turn, in a batch of one."""
        return _layers(self.k, self.v)


Likely = tuple[tuple[int, float], ...]
"""The likeliest words in some place, ids and probabilities, the best first."""


@dataclass(frozen=True)
class Understood:
    """What a request asks beside a scene. meant: [1, ASKED, d]; asked: the likeliest words that it asks by, none where
    nothing was asked; topics: what it is likeliest about; skimmed: whether its words alone told, so that it was not
    read."""

    meant: Tensor
    asked: tuple[str, ...] = ()
    topics: Likely = ()
    skimmed: bool = False


@dataclass(frozen=True)
class Context:
    """What an answer is worded from, and its style. stated: the topic and each thing that is stated [CLAIMS, d]; asked:
    the likeliest words that a request asks by, none where nothing was asked; claims: the likeliest words of what is
    stated."""

    stated: Tensor
    style: int
    asked: tuple[str, ...] = ()
    claims: tuple[Likely, ...] = ()


@dataclass(frozen=True)
class Log:
    """The end of a drive's log as it was read, and a memory of what came before.

    k, v: [layers, heads, n, d_head]; bias: [n], added to every attention score, HIDDEN where a slot is only filling;
    ids: its words; before: the WINDOW ids that came before them; start: how many words did; memory: of each layer keys
    and values [1, S, d_head] and every head's own bias [heads, S].
    """

    k: Tensor
    v: Tensor
    bias: Tensor
    ids: tuple[int, ...]
    before: tuple[int, ...]
    start: int
    memory: Memory

    @property
    def length(self) -> int:
        """Words of the whole."""
        return self.start + len(self.ids)

    @cached_property
    def layers(self) -> list[Tensor]:
        """Of each layer in turn keys, values and what a memory has of it, in a batch of one."""
        return _layers(self.k, self.v, self.memory)

    @cached_property
    def from_here(self) -> Log:
        """As it is asked: its keys seen from its end, where the place 0 is. A short one of which nothing was compacted
        is cut, and has no memory. Kept, since most logs are asked several times."""
        short, full = by_length("find", self.k.shape[2]).values()
        slots = short if self.is_short else full
        k, v = from_here(self.k[:, :, :slots], self.length), self.v[:, :, :slots].contiguous()
        compacted = self.memory if slots == full else ()
        memory = [(from_here(k, self.length), v, own) for k, v, own in compacted]
        return replace(self, k=k, v=v, bias=self.bias[:slots], memory=memory)

    @cached_property
    def recent(self) -> Log:
        """Its last raw words alone, as many as a short one has: finding in them is quicker. Kept as `from_here` is."""
        short = by_length("find", self.k.shape[2])["find_short"]
        first = max(0, len(self.ids) - short)
        end, bias = slice(first, first + short), self.bias[first : first + short]
        before = (self.before + self.ids[:first])[-len(self.before) :]
        k, v, ids = self.k[:, :, end], self.v[:, :, end], self.ids[first:]
        return Log(k, v, bias, ids, before, self.start + first, ())

    @property
    def is_short(self) -> bool:
        """Whether it is looked at without a memory."""
        return len(self.ids) <= by_length("find", self.k.shape[2])["find_short"] and not (self.start and self.memory)


Memory = Sequence[tuple[Tensor, Tensor, Tensor]]


def _layers(k: Tensor, v: Tensor, memory: Memory = ()) -> list[Tensor]:
    more: Sequence[Sequence[Tensor]] = memory or [()] * len(k)
    return [part[None] for first, second, own in zip(k, v, more, strict=True) for part in (first, second, *own)]


@dataclass(frozen=True)
class Said:
    """The first words of `rows` sentences as they were said: `place` of them. k, v: [layers, rows, heads, CLAIMS + L,
    d_head], of the claims and then of the words; bias: [rows, CLAIMS + L], HIDDEN where nothing was said yet."""

    k: Tensor
    v: Tensor
    bias: Tensor
    place: int


class Engine(Protocol):
    """refused: why each engine that was to be preferred is not this one. Logits of sentences are of S words, those of
    `Tokenizer.sayable`, in its order."""

    name: str
    refused: tuple[str, ...]
    history_slots: int
    log_length: int
    memory_length: int
    memory_slots: int
    tokenizer: Tokenizer
    answer_length: int
    width: int

    @property
    def precision(self) -> str: ...

    def encode(self, observation: Observation) -> Percept: ...

    def read(self, words: Sequence[str], known: Log | None = None) -> Log:
        """The end of a drive's log, at most log_length words, behind the memory of `known`. What `known` holds already
        is not read again, and its tensors are taken over: it cannot be used any more. Raises ValueError for too many
        words or an unknown one."""

    def remember(self, log: Log, words: int, memory: Memory) -> Log:
        """The log without its first `words`, a multiple of CHUNK, which `memory` holds from now on; `log` is taken
        over. Raises ValueError for another number, or when the memory has more slots than there are."""

    def resume(self, memory: Memory, start: int, before: Sequence[int]) -> Log:
        """A log of which nothing but a memory of `start` words is left; before: the ids of the last of them. Raises
        ValueError for a memory of another shape."""

    def ask(self, asked: Tensor, log: Log) -> Tensor:
        """What questions [n, ASKED], as ids, ask of the log: queries [layers, heads, n * STATED, d_head], scaled."""

    def look(self, history: Tensor | None, percept: Percept) -> Scene:
        """history: summaries [m, d + SIGNALS], oldest first. Raises ValueError for more than history_slots."""

    def understand(self, scene: Scene, text: str) -> Understood:
        """text: the request with names marked, "" for a watch turn. What its words alone leave no doubt about is not
        read."""

    def find(self, scene: Scene, understood: Understood, style: int, log: Log | None = None) -> Context:
        """What answers that in the scene and the log, or in the scene alone. A short log, and the end of one
        (`Log.recent`), are quicker, none is quickest."""

    def prefill(self, scene: Scene, text: str, style: int, log: Log | None = None) -> Context:
        """Both in a row."""

    def tell(self, claims: Sequence[Sequence[int]], style: int) -> list[Context]:
        """The contexts of up to SENTENCES sentences whose claims, CLAIMS ids each, are known. Raises ValueError for
        none or more."""

    def decode(self, ids: Tensor, contexts: Sequence[Context]) -> Tensor:
        """One pass over up to SENTENCES answer blocks, any of their words masked or wrong: ids [n, L] -> logits [n, L,
        S]. Of a sentence only the beginning is looked at while nothing stands behind that and it ends there. Raises
        ValueError for none or more, or for other contexts than sentences."""

    def verify(self, ids: Tensor, context: Context) -> Tensor:
        """One pass in which each word sees only those before it: ids [L] -> logits [L, S] of what should be there."""

    def follow(self, ids: Tensor, contexts: Sequence[Context], said: Said | None) -> tuple[Tensor, Said]:
        """The next word of up to SENTENCES sentences: ids [n] of the words before it, BEGIN at first -> logits [n, S]
        and what `said` becomes with `ids`, whose memory is taken over."""

    def flow(self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """One step of the flow map: noisy [L, width], standard normal at the time 0, from `now` [L] to `then` [L];
        clean [L] are the words of those that are at 1 -> logits [L, S] and the noisy answer then."""

    def path(self, scene: Scene, speed_mps: float) -> Tensor:
        """Where the vehicle will go: positions [STEPS, 2] in metres every SPACING_S seconds, x forward, y left."""


class Runner(Protocol):
    """Runs the graphs of `mm_edge.model.graphs`. device: where outputs are, and where inputs are best put."""

    name: str
    device: torch.device

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Inputs and outputs are those of the graph, in order."""
