"""What it buys in a hurry to choose what is read: deadlines about as long as a turn takes that reads everything.

Two policies answer the same requests in turn: the planner, and one whose plans have only their second half.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mm_edge.assistant.thinking import PLANNED
from mm_edge.bench._policy import RESERVE_MS, Job, Policy, Trial
from mm_edge.bench.harness import percentile, wilson
from mm_edge.compute.latency_model import LatencyModel
from mm_edge.compute.planner import Planner, PlanTable
from mm_edge.engine.base import Engine

READS_ALL = "planned, reads all"
"""The planner, but for the first half of its plans: always a new picture, and for the past the whole log."""
LEAST, MOST = 0.5, 1.5
"""Of what a turn takes that reads everything: the shortest and the longest deadline, less the reserve."""
FIRST, AGES_MS = 20, 1e6
"""Requests by which that is known, and a deadline that never comes."""
HURRY = "in a hurry"


def tight(
    engine: Engine, table: PlanTable, profile: LatencyModel, jobs: Sequence[Job]
) -> tuple[dict[str, float], list[dict[str, object]]]:
    """The headline and the table's rows."""
    policies = {
        name: Policy(engine, Planner(known, copy.deepcopy(profile)), PLANNED)
        for name, known in ((PLANNED, table), (READS_ALL, replace(table, readings={})))
    }
    unhurried = [policies[READS_ALL].answer(replace(job, deadline_ms=AGES_MS), HURRY, 0) for job in jobs[:FIRST]]
    usual_ms = percentile([trial.total_ms for trial in unhurried], 50)
    shares = np.random.default_rng([jobs[0].seed, 43]).uniform(LEAST, MOST, len(jobs))
    trials: dict[str, list[Trial]] = {name: [] for name in policies}
    for place, (job, share) in enumerate(zip(jobs, shares, strict=True)):
        hurried = replace(job, deadline_ms=RESERVE_MS + float(share) * usual_ms)
        for name in sorted(policies, reverse=bool(place % 2)):
            trials[name].append(policies[name].answer(hurried, HURRY, place))
    planned, reads_all = trials[PLANNED], trials[READS_ALL]
    return {
        "hurry_right_in_time": _share(planned),
        "hurry_reads_all_right_in_time": _share(reads_all),
        "hurry_miss_rate": float(np.mean([trial.late for trial in planned])),
        "hurry_reads_all_miss_rate": float(np.mean([trial.late for trial in reads_all])),
        "hurry_reads_all_ms": usual_ms,
    }, [_row(name, found) for name, found in trials.items()]


def _share(trials: Sequence[Trial]) -> float:
    return float(np.mean([trial.good for trial in trials]))


def _row(name: str, trials: Sequence[Trial]) -> dict[str, object]:
    low, high = wilson(sum(trial.good for trial in trials), len(trials))
    return {
        "policy": f"{name}, {HURRY}",
        "n": len(trials),
        "missed": float(np.mean([trial.late for trial in trials])),
        "right in time": _share(trials),
        "low": low,
        "high": high,
        "right": float(np.mean([trial.right for trial in trials])),
        "p50 ms": percentile([trial.total_ms for trial in trials], 50),
        "p99 ms": percentile([trial.total_ms for trial in trials], 99),
    }
