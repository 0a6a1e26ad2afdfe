"""What logs tell and what is said, as training asks for it: the parts of a turn that need no sensors.

Everything follows from seeds. Knows nothing about losses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_edge.model.events import LANDMARKS
from mm_edge.model.network import CLAIMS, HIDDEN, STATED, STYLES, WINDOW, NetworkConfig
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.recipe import TRAINING_SEEDS
from mm_edge.world.grammar import draw, write
from mm_edge.world.journey import LONGEST_LINE, Journey
from mm_edge.world.questions import pick
from mm_edge.world.recall import HISTORY_FAMILIES, ask_history
from mm_edge.world.sentences_told import REQUESTS

FOLLOWING = 0.2
"""Share of what is found in logs alone that is what followed a name or a landmark."""
HARD = ("when", "after", "task_state", "stops_since", "call_before", "call_length", "doing")
"""Families that need more than the latest event of a kind: asked about logs alone twice as often as the others."""
WORDS_PER_FIND = 8
"""Of logs that nothing else is about."""
PIECE = 256
"""Words of a log that are read at once."""
UNSTYLED = 0.15
"""Share of the sentences whose style is not told."""


@dataclass(frozen=True)
class Finds:
    """of: [Q] where, a moment or a log, equally many in a row of each; asked [Q, ASKED]; stated [Q, STATED]."""

    of: Tensor
    asked: Tensor
    stated: Tensor


@dataclass(frozen=True)
class Recall:
    """Logs [rows, WINDOW + n], all full, and what is found in them; `of` is the row."""

    log: Tensor
    finds: Finds


@dataclass(frozen=True)
class Wording:
    """Claims [Q, CLAIMS], a style [Q], 0: any, and the answer that words them in it [Q, L]: nothing else is needed for
    that."""

    claims: Tensor
    style: Tensor
    answer: Tensor


@dataclass(frozen=True)
class Find:
    """What is found, as words."""

    topic: str
    about: str
    stated: str


def recall(seed: int, words: int, log: int, tokenizer: Tokenizer) -> Recall:
    """About `words` words in logs of up to `log`, of journeys that follow from `seed`."""
    rng = np.random.default_rng([seed, 41])
    rows = max(1, words // log)
    journeys = [Journey(int(each), log) for each in rng.integers(TRAINING_SEEDS, size=rows)]
    logs = [tokenizer.log(journey.words) for journey in journeys]
    shortest = log - LONGEST_LINE + 1
    ids, _ = log_rows([each[-shortest:] for each in logs], shortest)
    count = max(1, words // WORDS_PER_FIND // rows)
    finds = [find_past(journey, rng, FOLLOWING) for journey in journeys for _ in range(count)]
    return Recall(ids, finds_of(torch.arange(rows).repeat_interleave(count), finds, tokenizer))


def wording(seed: int, count: int, config: NetworkConfig, tokenizer: Tokenizer) -> Wording:
    """Of all that there is to say. Whatever is found beside the topic of several sentences is of no account."""
    rng = np.random.default_rng([seed, 47])
    drawn = [(*draw(rng), int(rng.integers(1, STYLES + 1))) for _ in range(count)]
    told = rng.random(count) >= UNSTYLED
    found = [stated_by(facts if topic not in REQUESTS else draw(rng)[1]) for topic, facts, _ in drawn]
    claims = (f"<{topic}> {stated}" for (topic, *_), stated in zip(drawn, found, strict=True))
    return Wording(
        claims=id_rows(tokenizer.claims(claim, CLAIMS) for claim in claims),
        style=torch.tensor([style for *_, style in drawn]) * torch.from_numpy(told),
        answer=id_rows(tokenizer.sentence(write(*each), config.answer_length) for each in drawn),
    )


def stated_by(facts: dict[str, str]) -> str:
    """What an answer states, as words."""
    return " ".join(value for _, value in sorted(facts.items()))


def finds_of(of: Tensor, finds: Sequence[Find], tokenizer: Tokenizer) -> Finds:
    asked = ([*tokenizer.claims(f.topic, 1), *tokenizer.claims(f.about, 1)] for f in finds)
    return Finds(of, id_rows(asked), id_rows(tokenizer.claims(find.stated, STATED) for find in finds))


def find_past(journey: Journey, rng: np.random.Generator, following: float) -> Find:
    if rng.random() < following:
        return _following(journey, rng)
    question = ask_history(journey, rng, pick(rng, (*HISTORY_FAMILIES, *HARD)))
    return Find(f"<{question.topic}>", question.about, stated_by(question.facts))


def _following(journey: Journey, rng: np.random.Generator) -> Find:
    """What came after the latest mention of a name or a landmark: the simplest that finds its place by a word."""
    there = [(kind, name) for kind, name in journey.latest if name or kind in LANDMARKS]
    if not there:
        return Find("", "", "unknown")
    kind, name = there[int(rng.integers(len(there)))]
    word = journey.names.mark(name) if name else kind
    latest = len(journey.words) - 1 - journey.words[::-1].index(word)
    return Find("", word, " ".join(journey.words[latest + 1 :][:STATED]))


def log_rows(logs: list[list[int]], length: int) -> tuple[Tensor, Tensor]:
    """Filled up in front, and what hides that."""
    ids = torch.full((len(logs), WINDOW + length), EOS)
    bias = torch.full((len(logs), length), HIDDEN)
    for row, log in enumerate(logs):
        if log:
            ids[row, -len(log) :] = torch.tensor(log)
            bias[row, -len(log) :] = 0.0
    return ids, bias


def id_rows(rows: Iterable[list[int]]) -> Tensor:
    return torch.tensor([*rows], dtype=torch.long)
