"""Two rungs for one answer: the large one understands, finds and words what is hard, the small one words what is easy.

After RelayGen (Song et al. 2026): training-free, a cue ends the large model's turn, the small one takes the segment up
to its end, and which cues do that is calibrated offline by the margin between the two likeliest words. Here a segment
is a sentence, and its cue what it is about and states, but for names and numbers. Since a sentence is worded from a few
claims and nothing else, those are all that the small rung must read first. Knows nothing about deadlines.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mm_edge.engine.base import Context, Engine, Said
from mm_edge.model.checkpoint import sha256
from mm_edge.model.tokenizer import EOS, Tokenizer

MARGIN = 0.5
"""A claim that is found with less between the two likeliest words is hard, whatever its cue."""
FORMAT = 2


class RelayError(Exception):
    """The cues are missing, damaged, or were calibrated with other weights."""


@dataclass(frozen=True)
class Cues:
    """margins: cue -> mean margin of the small rung's words in the large one's sentences that begin with it; enough:
    from which margin on the small rung may word it. The hashes are those of the weights."""

    small_sha256: str
    large_sha256: str
    enough: float
    margins: Mapping[str, float]

    @property
    def easy(self) -> frozenset[str]:
        """Cues of what the small rung may word."""
        return frozenset(cue for cue, margin in self.margins.items() if margin >= self.enough)

    def save(self, path: Path) -> None:
        margins = {cue: round(margin, 5) for cue, margin in sorted(self.margins.items())}
        document = {
            "format": FORMAT,
            "small_sha256": self.small_sha256,
            "large_sha256": self.large_sha256,
            "enough": round(self.enough, 5),
            "margins": margins,
        }
        path.write_text(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path, small: Path, large: Path) -> Cues:
        """Raises RelayError when the file cannot be read or was made for other weights."""
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}, expected {FORMAT}")
            margins = {str(name): float(margin) for name, margin in document["margins"].items()}
            cues = cls(document["small_sha256"], document["large_sha256"], float(document["enough"]), margins)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RelayError(f"{path}: {error}") from error
        if (cues.small_sha256, cues.large_sha256) != (sha256(small), sha256(large)):
            raise RelayError(f"{path} was calibrated with other weights")
        return cues


@dataclass(frozen=True)
class _Apart(Said):
    """What the small and the large rung have said, each of its own sentences; the rest is of whoever spoke last."""

    parts: tuple[Said | None, Said | None] = (None, None)


class Relay:
    """An Engine of two with one tokenizer. easy: cues of what the small one words. `handed_over` counts its sentences,
    `kept` the large one's. Raises ValueError when the two cannot read each other's words."""

    def __init__(self, small: Engine, large: Engine, easy: frozenset[str]) -> None:
        if small.tokenizer.tokens != large.tokenizer.tokens or small.answer_length != large.answer_length:
            raise ValueError("a relay needs two rungs with one language")
        self.small, self.large, self.easy = small, large, easy
        self.name = f"{large.name}, relay"
        self.handed_over = self.kept = 0

    def __getattr__(self, name: str) -> Any:
        """What is seen, read and remembered is the large rung's."""
        return getattr(self.large, name)

    def is_easy(self, context: Context) -> bool:
        """Whether the small rung may word what the large one found."""
        sure = all(_margin(likely) >= MARGIN for likely in context.claims)
        return sure and bool(context.claims) and self._easy([likely[0][0] for likely in context.claims])

    def handed(self, context: Context) -> Context:
        """What the large rung found, for the small one to word if that is easy; else as it is."""
        if self._of(context) is self.small:
            return context
        if not self.is_easy(context):
            self.kept += 1
            return context
        self.handed_over += 1
        likeliest = [likely[0][0] for likely in context.claims]
        return replace(self.small.tell([likeliest], context.style)[0], asked=context.asked, claims=context.claims)

    def tell(self, claims: Sequence[Sequence[int]], style: int) -> list[Context]:
        easy = [self._easy(each) for each in claims]
        self.handed_over += sum(easy)
        self.kept += len(easy) - sum(easy)
        told: dict[int, Context] = {}
        for engine, wanted in ((self.small, True), (self.large, False)):
            rows = [row for row, is_easy in enumerate(easy) if is_easy == wanted]
            if rows:
                told |= zip(rows, engine.tell([claims[row] for row in rows], style), strict=True)
        return [told[row] for row in range(len(claims))]

    def decode(self, ids: Tensor, contexts: Sequence[Context]) -> Tensor:
        return self._joined([
            (rows, engine.decode(ids[rows], [contexts[row] for row in rows])) for rows, engine in self._split(contexts)
        ])  # fmt: skip

    def verify(self, ids: Tensor, context: Context) -> Tensor:
        return self._of(context).verify(ids, context)

    def follow(self, ids: Tensor, contexts: Sequence[Context], said: Said | None) -> tuple[Tensor, Said]:
        parts: list[Said | None] = [*said.parts] if isinstance(said, _Apart) else [None, None]
        found = []
        for rows, engine in self._split(contexts):
            place = int(engine is self.large)
            logits, last = engine.follow(ids[rows], [contexts[row] for row in rows], parts[place])
            parts[place] = last
            found.append((rows, logits))
        return self._joined(found), _Apart(last.k, last.v, last.bias, last.place, (parts[0], parts[1]))

    def flow(self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        """Of the large rung always: noise for the small one is of another width."""
        if self._of(context) is self.small:
            likeliest = [likely[0][0] for likely in context.claims]
            context = self.large.tell([likeliest], context.style)[0]
        return self.large.flow(noisy, clean, now, then, context)

    def _easy(self, claims: Sequence[int]) -> bool:
        return cue(self.large.tokenizer, claims) in self.easy

    def _of(self, context: Context) -> Engine:
        return self.small if context.stated.shape[-1] == self.small.width else self.large

    def _split(self, contexts: Sequence[Context]) -> list[tuple[list[int], Engine]]:
        parts = []
        for engine in (self.small, self.large):
            rows = [row for row, context in enumerate(contexts) if self._of(context) is engine]
            if rows:
                parts.append((rows, engine))
        return parts

    @staticmethod
    def _joined(parts: Sequence[tuple[list[int], Tensor]]) -> Tensor:
        rows = [row for part, _ in parts for row in part]
        return torch.cat([found for _, found in parts])[torch.argsort(torch.tensor(rows))]


def reads(engine: Engine) -> Engine:
    """The one that reads what another may word."""
    return engine.large if isinstance(engine, Relay) else engine


def cue(tokenizer: Tokenizer, claims: Sequence[int]) -> str:
    """What a sentence is about and states, ids, but for names and numbers."""
    return " ".join(tokenizer.tokens[index] for index in claims if index != EOS and index not in tokenizer.mark_set)


def _margin(likely: Sequence[tuple[int, float]]) -> float:
    return likely[0][1] - (likely[1][1] if len(likely) > 1 else 0.0)
