"""What every plan is worth with one set of weights: how often its sentences are right, on tuning drives.

Requests that a probe calls hard are classes of their own. It learns from other drives than the plans are measured on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.thinking import Task, Thinker
from mm_edge.assistant.topics import request_class
from mm_edge.compute.difficulty import Probe, features
from mm_edge.compute.planner import HARD, Plan, Planner, PlanTable, Worth
from mm_edge.engine import open_engine
from mm_edge.engine.base import Engine
from mm_edge.model.checkpoint import sha256
from mm_edge.training.evaluate import Asked, asked_now, asked_past, outcome
from mm_edge.training.recipe import TUNING_SEED

PLANS = (
    Plan("flow", 1),
    Plan("fast", 1),
    Plan("fast", 8),
    Plan("speedy", 4),
    Plan("quality", 8),
    Plan("verified", 4),
    Plan("refined", 2),
    Plan("voting", 12),
    Plan("fast", 1, 2),
    Plan("speedy", 4, 2),
    Plan("quality", 8, 3),
)
"""Those whose first pass is a complete sentence already: the deadline may end them after any. The limits are such that
most sentences do not need them."""
DRIVES, LOGS = 50, 45
"""Drives with questions about the present, and logs with questions about the past: twelve requests each."""
PROBED_SEED = TUNING_SEED + 200_000
"""The first drive that the probe learns from: as many as the plans are measured on."""
KINDS, LEAST = ("now", "past", "watch"), 30
"""A class of hard requests with fewer than these counts as the easy ones do."""
HARD_SHARE = 0.15
"""Of the requests that the probe learns from, so many count as hard."""
LOG_WORDS = 512
FIRST = Plan("fast", 1)
"""Whose wrong sentences the probe learns to foresee."""


def fit(weights: Path, out: Path, drives: int = DRIVES, logs: int = LOGS) -> PlanTable:
    """Write `out` for `weights`."""
    torch.set_num_threads(1)
    engine = open_engine(weights)
    table = measured(engine, sha256(weights), drives, logs, probed(engine, drives, logs))
    table.save(out)
    return table


def probed(engine: Engine, drives: int, logs: int) -> Probe:
    """Raises ValueError when every first sentence is right."""
    thinker = Thinker(engine, SystemClock(), Planner())
    found, wrong = [], []
    for asked in _requests(engine, PROBED_SEED, drives, logs):
        draft, _ = thinker.carry_out(_task(asked, 0), FIRST)
        found.append(features(asked.context))
        wrong.append(not outcome(asked, draft).right)
    return Probe.fit(found, wrong, HARD_SHARE)


def measured(engine: Engine, weights_sha256: str, drives: int, logs: int, probe: Probe | None = None) -> PlanTable:
    """Every plan answers the same requests."""
    thinker = Thinker(engine, SystemClock(), Planner())
    found: dict[str, dict[Plan, list[tuple[bool, int]]]] = defaultdict(lambda: defaultdict(list))
    for number, asked in enumerate(_requests(engine, TUNING_SEED, drives, logs)):
        kind = request_class(asked.question.text, asked.context.asked)
        is_hard = probe is not None and probe.is_hard(asked.context)
        plans = found[f"{HARD} {kind}" if is_hard else kind]
        for plan in PLANS:
            draft, _ = thinker.carry_out(_task(asked, number), plan)
            plans[plan].append((outcome(asked, draft).right, draft.passes))
    enough = {name: plans for name, plans in found.items() if name in KINDS or len(plans[FIRST]) >= LEAST}
    rows = {name: {plan: _worth(tried) for plan, tried in plans.items()} for name, plans in enough.items()}
    return PlanTable(weights_sha256, rows, probe)


def _task(asked: Asked, seed: int) -> Task:
    return Task(asked.context, asked.question.text, (), asked.forbidden, seed, asked.facts)


def _requests(engine: Engine, first_seed: int, drives: int, logs: int) -> Iterator[Asked]:
    return chain(asked_now(engine, first_seed, drives), asked_past(engine, first_seed, logs, LOG_WORDS))


def _worth(tried: list[tuple[bool, int]]) -> Worth:
    right, passes = zip(*tried, strict=True)
    return Worth(float(np.mean(right)), float(np.mean(passes)), len(tried))
