"""What every plan is worth with one set of weights: how often its sentences are right, on tuning drives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from mm_edge.assistant.topics import request_class
from mm_edge.compute.planner import Plan, PlanTable, Worth
from mm_edge.engine import open_engine
from mm_edge.engine.base import Engine
from mm_edge.generation import DECODERS
from mm_edge.model.checkpoint import sha256
from mm_edge.training.evaluate import Asked, asked_now, asked_past, outcome
from mm_edge.training.recipe import TUNING_SEED

PLANS = (
    Plan("flow", 1),
    Plan("fast", 1),
    Plan("fast", 8),
    Plan("speedy", 4),
    Plan("quality", 2),
    Plan("quality", 8),
    Plan("verified", 4),
    Plan("refined", 2),
    Plan("refined", 4),
    Plan("voting", 12),
)
"""Those whose first pass is a complete sentence already: the deadline may end them after any. The limits are such that
most sentences do not need them."""
DRIVES, LOGS = 80, 40
"""Drives with questions about the present, and logs with questions about the past: twelve requests each."""
LOG_WORDS = 512


def fit(weights: Path, out: Path, drives: int = DRIVES, logs: int = LOGS) -> PlanTable:
    """Write `out` for `weights`."""
    torch.set_num_threads(1)
    table = measured(open_engine(weights), sha256(weights), drives, logs)
    table.save(out)
    return table


def measured(engine: Engine, weights_sha256: str, drives: int, logs: int) -> PlanTable:
    """Every plan answers the same requests."""
    found: dict[str, dict[Plan, list[tuple[bool, int]]]] = defaultdict(lambda: defaultdict(list))
    for number, asked in enumerate(_requests(engine, drives, logs)):
        plans = found[request_class(asked.question.text, asked.context.asked)]
        for plan in PLANS:
            way = DECODERS[plan.decoder]
            *_, draft = way(engine, asked.context, plan.max_passes, asked.forbidden, number)
            plans[plan].append((outcome(asked, draft).right, draft.passes))
    rows = {name: {plan: _worth(tried) for plan, tried in plans.items()} for name, plans in found.items()}
    return PlanTable(weights_sha256, rows)


def _requests(engine: Engine, drives: int, logs: int) -> Iterator[Asked]:
    return chain(asked_now(engine, TUNING_SEED, drives), asked_past(engine, TUNING_SEED, logs, LOG_WORDS))


def _worth(tried: list[tuple[bool, int]]) -> Worth:
    right, passes = zip(*tried, strict=True)
    return Worth(float(np.mean(right)), float(np.mean(passes)), len(tried))
