"""Several samples of a sentence, and what most of them say.

dVoting (2026, its published code) with entropy-adaptive decoding: a sample fills in at once all words whose
distribution has little entropy. The first samples are independent; later ones begin with the words on which all before
agree, but for the last quarter of the sentence, which is always said anew. Drawing ends when the vote is decided. Knows
nothing about clocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan

import torch
from torch import Tensor

from mm_edge.engine.base import Context, Engine
from mm_edge.generation.draft import Draft, drafted, drawn, words
from mm_edge.model.tokenizer import MASK


@dataclass(frozen=True)
class Voting:
    """A Decoder. samples: at most so many; temperature: of what is drawn; entropy: in nats, a word with less is filled
    in at once; stops: whether to end when the vote is decided; remasks: whether later samples keep what all agree on.
    Without these two it is plain majority voting."""

    samples: int = 5
    temperature: float = 0.6
    entropy: float = 0.3
    stops: bool = True
    remasks: bool = True

    def __call__(
        self, engine: Engine, context: Context, max_passes: int, forbidden: Sequence[int] = (), seed: int = 0
    ) -> Iterator[Draft]:
        generator = torch.Generator().manual_seed(seed)
        samples: list[Draft] = []
        independent = self.samples // 2 + 1 if self.remasks else self.samples
        passes = 0
        while True:
            begin = torch.full((engine.answer_length,), MASK)
            if len(samples) >= independent:
                begin = _agreed(samples)
            before = passes
            for draft in self._sample(engine, context, max_passes - before, forbidden, begin, generator):
                passes = before + draft.passes
                if draft.done:
                    samples.append(draft)
                so_far = samples if draft.done else [*samples, draft]
                ended = draft.done and (
                    (self.stops and self._decided(samples)) or len(samples) == self.samples or passes == max_passes
                )
                final = engine.answer_length if ended else 0
                yield replace(self._winner(so_far, independent), passes=passes, done=ended, final=final)
                if ended:
                    return

    def _sample(
        self,
        engine: Engine,
        context: Context,
        max_passes: int,
        forbidden: Sequence[int],
        ids: Tensor,
        generator: torch.Generator,
    ) -> Iterator[Draft]:
        confidences, sayable = torch.zeros(len(ids)), torch.from_numpy(engine.tokenizer.sayable)
        for passes in range(1, max_passes + 1):
            probability = words(engine, engine.decode(ids[None], [context])[0], forbidden)
            places = drawn(probability, self.temperature, generator)
            best = sayable[places]
            masked = ids == MASK
            unsure = torch.special.entr(probability).sum(-1)
            filled = masked & (unsure < self.entropy)
            if not bool(filled.any()):
                filled[torch.where(masked, unsure, torch.inf).argmin()] = True
            filled |= masked & torch.tensor(passes == max_passes)
            whole = torch.where(masked, best, ids)
            chance = probability.gather(-1, torch.searchsorted(sayable, whole)[:, None])[:, 0]
            confidences = torch.where(masked | (confidences == 0), chance, confidences)
            ids = torch.where(filled, best, ids)
            done = not bool((ids == MASK).any())
            yield drafted(whole, confidences, passes, done, engine.tokenizer)
            if done:
                return

    def _decided(self, drawn: Sequence[Draft]) -> bool:
        votes = Counter(_said(draft) for draft in drawn)
        most, half = votes.most_common(1)[0][1], self.samples // 2
        return most > half or (len(votes) == 1 and most >= half)

    def _winner(self, drawn: Sequence[Draft], independent: int) -> Draft:
        """The sentence that most samples say, first said first; later samples share words with those before, so that
        only the independent ones count for how far they agree."""
        votes = Counter(_said(draft) for draft in drawn)
        said = votes.most_common(1)[0][0]
        winner = next(draft for draft in drawn if _said(draft) == said)
        others = drawn[:independent]
        agree = max(0, sum(_said(draft) == said for draft in others) - 1)
        agreement = agree / (len(others) - 1) if len(others) > 1 else nan
        return replace(winner, agreement=agreement)


def _said(draft: Draft) -> tuple[int, ...]:
    return draft.ids[: draft.length]


def _agreed(drawn: Sequence[Draft]) -> Tensor:
    """The words that all samples have at the same place, but for the last quarter; MASK elsewhere."""
    ids = torch.tensor([draft.ids for draft in drawn])
    same = (ids == ids[0]).all(0)
    said = max(draft.length for draft in drawn)
    ends = torch.arange(ids.shape[1])
    again = (ends >= said - -(-said // 4)) & (ends < said)
    return torch.where(same & ~again, ids[0], MASK)
