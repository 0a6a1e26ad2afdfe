"""What more compute buys, and how little of it does: effort that adapts against effort that is fixed.

Every policy words the same requests, understood once. Fixed effort of C words every request in C wordings at once and
takes the least doubtful sentence (best of N); effort in rounds goes on until nothing is in doubt, or C are made; the
adaptive one takes the plan that the table has for the request's difficulty. Effort is counted in passes over an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import inf

import numpy as np
import torch

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.thinking import Bounds, Task, Thinker, rank
from mm_edge.bench.harness import wilson
from mm_edge.compute.planner import Plan, Planner, PlanTable
from mm_edge.compute.rounds import Evidence, doubt
from mm_edge.engine.base import Engine
from mm_edge.generation.draft import Draft, drafted, likeliest
from mm_edge.model.graphs import SENTENCES
from mm_edge.model.network import STYLES
from mm_edge.model.tokenizer import MASK
from mm_edge.training.evaluate import Asked, asked_now, asked_past, outcome

BUDGETS = (1, 2, 3, 4, 8)
LOG_WORDS = 512
ROUNDS = "rounds"
ADAPTIVE = "adaptive"


@dataclass(frozen=True)
class Effort:
    """What a policy made of all requests."""

    right: list[bool]
    passes: list[int]

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.right))

    @property
    def mean_passes(self) -> float:
        return float(np.mean(self.passes))


def efforts(engine: Engine, table: PlanTable, seed: int, drives: int, logs: int) -> dict[str, Effort]:
    """By policy: "best of N", "rounds, N" and ADAPTIVE."""
    thinker = Thinker(engine, SystemClock(), Planner(table))
    found: dict[str, Effort] = {}

    def book(name: str, asked: Asked, draft: Draft) -> None:
        effort = found.setdefault(name, Effort([], []))
        effort.right.append(outcome(asked, draft).right)
        effort.passes.append(draft.passes)

    for number, asked in enumerate(_requests(engine, seed, drives, logs)):
        task = Task(asked.context, asked.question.text, (), asked.forbidden, number, asked.facts)
        drafts = in_wordings(engine, asked, max(BUDGETS))
        for budget in BUDGETS:
            book(f"best of {budget}", asked, replace(_least_doubtful(engine, asked, drafts[:budget]), passes=budget))
            draft, _ = thinker.carry_out(task, Plan("fast", 1, budget - 1))
            book(f"{ROUNDS}, {budget}", asked, draft)
        book(ADAPTIVE, asked, thinker.think(task, Bounds(inf)).draft)
    return found


def in_wordings(engine: Engine, asked: Asked, count: int) -> list[Draft]:
    """One pass each in so many styles, side by side."""
    styles = [(asked.context.style - 1 + number) % STYLES + 1 for number in range(count)]
    contexts = [replace(asked.context, style=style) for style in styles]
    drafts = []
    for first in range(0, count, SENTENCES):
        some = contexts[first : first + SENTENCES]
        logits = engine.decode(torch.full((len(some), engine.answer_length), MASK), some)
        confidence, ids = likeliest(engine, logits, asked.forbidden)
        drafts += [drafted(*row, 1, True, engine.tokenizer) for row in zip(ids, confidence, strict=True)]
    return drafts


def headline(found: dict[str, Effort]) -> dict[str, float]:
    """Compute is saved against the smallest fixed effort that is as often right, else the one right most often."""
    adaptive, one = found[ADAPTIVE], found["best of 1"]
    rounds = found[f"{ROUNDS}, {max(BUDGETS)}"]
    return {
        "compute_saved_at_equal_accuracy": 1 - adaptive.mean_passes / equal(found, adaptive.accuracy).mean_passes,
        "adaptive_accuracy": adaptive.accuracy,
        "adaptive_passes": adaptive.mean_passes,
        "one_pass_accuracy": one.accuracy,
        "rounds_gain_points": 100 * (rounds.accuracy - one.accuracy),
        "rounds_passes": rounds.mean_passes,
        "sequential_over_parallel_compute_ratio": rounds.mean_passes / equal(found, rounds.accuracy).mean_passes,
    }


def equal(found: dict[str, Effort], accuracy: float) -> Effort:
    """The smallest fixed effort that is right this often, else the one that is right most often."""
    fixed = [found[f"best of {budget}"] for budget in BUDGETS]
    enough = [effort for effort in fixed if effort.accuracy >= accuracy]
    return enough[0] if enough else max(fixed, key=lambda effort: (effort.accuracy, -effort.mean_passes))


def rows(found: dict[str, Effort]) -> list[dict[str, object]]:
    table = []
    for name, effort in found.items():
        low, high = wilson(sum(effort.right), len(effort.right))
        table.append({
            "policy": f"effort: {name}", "n": len(effort.right), "right": effort.accuracy, "low": low, "high": high,
            "passes": effort.mean_passes,
        })  # fmt: skip
    return table


def _least_doubtful(engine: Engine, asked: Asked, drafts: Sequence[Draft]) -> Draft:
    evidence = Evidence(asked.context.claims, asked.facts)

    def order(draft: Draft) -> tuple[bool, bool, float]:
        return rank(draft, doubt(engine.tokenizer, draft.ids, draft.confidence, evidence))

    return max(drafts, key=order)


def _requests(engine: Engine, seed: int, drives: int, logs: int) -> Iterator[Asked]:
    return chain(asked_now(engine, seed, drives), asked_past(engine, seed, logs, LOG_WORDS))
