"""Logs that are compacted while they are read, as training asks for them: where, to how few slots, and for what.

A cut is drawn as the memory of a drive may meet it, and what is asked then is never all that will be asked. Everything
follows from a seed. Knows nothing about losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mm_edge.memory.ledger import COUNTED
from mm_edge.memory.references import GENERAL, TOPICS, question_ids, questions, subjects
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.training.finds import HARD, WORDS_PER_FIND, Find, Recall, finds_of, log_rows, stated_by
from mm_edge.training.recipe import TRAINING_SEEDS
from mm_edge.world.journey import LONGEST_LINE, Journey
from mm_edge.world.questions import pick
from mm_edge.world.recall import HISTORY_FAMILIES, ask_history

FOUND = tuple(family for family in (*HISTORY_FAMILIES, *HARD) if family not in COUNTED)
"""What attention is asked for, the harder ones twice as often."""
KINDS = ((), (1.0,), (0.75,), (0.5, 1.0), (0.3, 0.45, 0.6, 0.75, 0.9), (0.4, 0.52, 0.64, 0.76, 0.88, 1.0))
"""Shares of a log at which it is cut: never, at its end, before it, and again and again."""
RATIOS = 5.0, 100.0
"""Words that a slot stands for, from any to any as likely in proportion."""
GAPS, NEAR = (64.0, 10_000.0), 0.25
"""Words that pass unread after all cuts together, as likely in proportion, and the share of logs in which none do."""
LEFT_TOPICS, LEFT_NAMES = 4, 0.5
"""Topics and share of the names of which nobody thinks before they are asked about, at most."""
Banks = tuple[Tensor, ...]
"""Of each log, questions [Q, ASKED]."""


@dataclass(frozen=True)
class CutLogs:
    """recall: logs, and what is found in them at last; cuts: after so many words each, all that is there is compacted;
    banks: for what, at each of them; slots: of a head, on average, that are left; gap: words that pass unread after
    every cut."""

    recall: Recall
    cuts: tuple[int, ...]
    banks: tuple[Banks, ...]
    slots: int
    gap: int


def cut_logs(seed: int, words: int, log: int, tokenizer: Tokenizer) -> CutLogs:
    """About `words` words in logs of up to `log`, of journeys that follow from `seed`."""
    rng = np.random.default_rng([seed, 59])
    rows = max(1, words // log)
    journeys = [Journey(int(each), log) for each in rng.integers(TRAINING_SEEDS, size=rows)]
    length = log - LONGEST_LINE + 1
    texts = [journey.words[-length:] for journey in journeys]
    cuts = tuple(int(share * length) for share in KINDS[int(rng.integers(len(KINDS)))])
    ratio = np.exp(rng.uniform(*np.log(RATIOS)))
    left = [_left_out(text, rng) for text in texts]
    banks = tuple(
        tuple(question_ids(_asked(text[:cut], *each), tokenizer) for text, each in zip(texts, left, strict=True))
        for cut in cuts
    )
    count = max(1, words // WORDS_PER_FIND // rows)
    finds = [_find(journey, rng) for journey in journeys for _ in range(count)]
    ids, _ = log_rows([tokenizer.log(text) for text in texts], length)
    return CutLogs(
        recall=Recall(ids, finds_of(torch.arange(rows).repeat_interleave(count), finds, tokenizer)),
        cuts=cuts,
        banks=banks,
        slots=max(1, round(length / ratio)),
        gap=0 if rng.random() < NEAR else int(np.exp(rng.uniform(*np.log(GAPS)))) // max(1, len(cuts)),
    )


def _left_out(words: Sequence[str], rng: np.random.Generator) -> tuple[set[str], set[str]]:
    """Topics and names of which nobody thinks before they are asked about."""
    names = [*dict.fromkeys(name for _, name in subjects(words) if name)]
    topics = rng.choice(TOPICS, rng.integers(LEFT_TOPICS + 1), replace=False).tolist()
    marks = rng.choice(names, int(rng.uniform(0, LEFT_NAMES) * len(names)), replace=False).tolist() if names else []
    return {*topics}, {*marks}


def _asked(words: Sequence[str], topics: set[str], marks: set[str]) -> list[tuple[str, str]]:
    """What the memory asks after these words; of names left out only what is GENERAL."""
    bank = questions(subjects(words), [topic for topic in TOPICS if topic not in topics])
    return [each for each in bank if each[1] not in marks or each[0] == GENERAL]


def _find(journey: Journey, rng: np.random.Generator) -> Find:
    question = ask_history(journey, rng, pick(rng, FOUND))
    return Find(f"<{question.topic}>", question.about, stated_by(question.facts))
