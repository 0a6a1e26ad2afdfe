"""What every plan is worth with one set of weights: how often its sentences are right, on tuning drives.

Both halves of a plan are measured apart: what is found in, with one wording, and how it is worded, after everything was
read. Of wordings, requests that a probe calls hard are classes of their own. It learns from other drives than the plans
are measured on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path
from typing import cast

import numpy as np
import torch

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.thinking import Task, Thinker
from mm_edge.assistant.topics import request_class
from mm_edge.compute.difficulty import Probe, features
from mm_edge.compute.planner import HARD, SMALL, Plan, Planner, PlanTable, Reading, Worth
from mm_edge.compute.relay import Cues, Relay, reads
from mm_edge.engine import open_engine
from mm_edge.engine.base import Engine, Scene
from mm_edge.model.checkpoint import sha256
from mm_edge.training.evaluate import (
    Asked,
    Posed,
    as_asked,
    asked_now,
    asked_past,
    outcome,
    posed_now,
    posed_past,
    said,
    seen,
)
from mm_edge.training.recipe import TUNING_SEED
from mm_edge.world.questions import right

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
"""Whose wrong sentences the probe learns to foresee, and which words what is found in every reading."""
HANDED = tuple(replace(plan, rung=SMALL) for plan in PLANS if plan.decoder not in ("flow", "refined"))
"""Those in which the small rung words for the large one; noise for it is of another width."""
AGES_S = (0.2, 0.5, 1.0)
"""Of the glances that may serve a request."""
UNASKED = (Reading(), Reading(whole=False))
"""What a turn may read that nobody asked for: always a new picture."""
READINGS = (*UNASKED, *(Reading(age_s) for age_s in AGES_S))


def fit(weights: Path, out: Path, relayed: tuple[Path, Cues] | None = None) -> PlanTable:
    """Write `out` for `weights`; relayed: the weights of the rung that may word what is easy by these cues."""
    torch.set_num_threads(1)
    engine: Engine = open_engine(weights)
    probe = probed(engine, DRIVES, LOGS)
    if relayed is not None:
        engine = cast(Engine, Relay(open_engine(relayed[0]), engine, relayed[1].easy))
    rows = measured(engine, DRIVES, LOGS, probe)
    table = PlanTable(sha256(weights), rows, probe, read(reads(engine), DRIVES, LOGS))
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


def measured(engine: Engine, drives: int, logs: int, probe: Probe | None = None) -> dict[str, dict[Plan, Worth]]:
    """Class -> plan -> its worth: every plan words the same requests."""
    thinker, every = Thinker(engine, SystemClock(), Planner()), PLANS + HANDED * isinstance(engine, Relay)
    found: dict[str, dict[Plan, list[tuple[bool, int]]]] = defaultdict(lambda: defaultdict(list))
    for number, asked in enumerate(_requests(reads(engine), TUNING_SEED, drives, logs)):
        kind = request_class(asked.question.text, asked.context.asked)
        is_hard = probe is not None and probe.is_hard(asked.context)
        plans = found[f"{HARD} {kind}" if is_hard else kind]
        for plan in every:
            draft, _ = thinker.carry_out(_task(asked, number), plan)
            plans[plan].append((outcome(asked, draft).right, draft.passes))
    enough = {name: plans for name, plans in found.items() if name in KINDS or len(plans[FIRST]) >= LEAST}
    return {name: {plan: _worth(tried) for plan, tried in plans.items()} for name, plans in enough.items()}


def read(engine: Engine, drives: int, logs: int) -> dict[str, dict[Reading, Worth]]:
    """Class -> reading -> its worth: every reading serves the same requests, all with a log behind them."""
    thinker = Thinker(engine, SystemClock(), Planner())
    found: dict[str, dict[Reading, list[tuple[bool, int]]]] = defaultdict(lambda: defaultdict(list))
    now, past = (
        each(engine, TUNING_SEED, count, LOG_WORDS) for each, count in ((posed_now, drives), (posed_past, logs))
    )
    for _, together in groupby(chain(now, past), key=lambda posed: (posed.drive, posed.t_s)):
        several = [*together]
        scenes = _glances(engine, several[0])
        for posed in several:
            kind = ""
            for reading in READINGS if posed.request else UNASKED:
                context = posed.understood(engine, scenes[reading.image_age_s], reading.whole)
                kind = kind or request_class(posed.request, context.asked)
                draft, _ = thinker.carry_out(_task(as_asked(engine, posed, context), 0), FIRST)
                found[kind][reading].append((right(said(draft), posed.question), draft.passes))
    return {name: {each: _worth(tried) for each, tried in readings.items()} for name, readings in found.items()}


def _glances(engine: Engine, posed: Posed) -> dict[float, Scene]:
    """By age, 0: a new picture."""
    looks = {age_s: seen(engine, posed.drive, posed.t_s - age_s) for age_s in AGES_S}
    return {age_s: engine.look(*look) for age_s, look in ({0.0: (posed.past, posed.percept)} | looks).items()}


def _task(asked: Asked, seed: int) -> Task:
    return Task(asked.context, asked.question.text, (), asked.forbidden, seed, asked.facts)


def _requests(engine: Engine, first_seed: int, drives: int, logs: int) -> Iterator[Asked]:
    return chain(asked_now(engine, first_seed, drives), asked_past(engine, first_seed, logs, LOG_WORDS))


def _worth(tried: list[tuple[bool, int]]) -> Worth:
    right, passes = zip(*tried, strict=True)
    return Worth(float(np.mean(right)), float(np.mean(passes)), len(tried))
