"""What a deadline buys: the planner against every decoder alone, and against hoping, on the same requests.

Everything runs in real time from the picture to the sentence: it is encoded, the request is understood, and the
sentence made. Each request has a deadline and is answered once by every policy in turn, while other processes keep no
core busy, then all of them, then one, and at last while the machine is throttled. A sentence that comes late counts as
wrong, whatever it says. Knows nothing about queues: one request at a time.
"""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import cast

import numpy as np
import psutil
import torch

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.profiling import profiled
from mm_edge.assistant.reading import PERCEPT_REUSE_S, Glance
from mm_edge.assistant.thinking import PLANNED
from mm_edge.bench._effort import efforts, headline, rows
from mm_edge.bench._policy import Job, Policy, Trial
from mm_edge.bench._reading import READS_ALL, tight
from mm_edge.bench._relay import TOLD, WAYS, relayed
from mm_edge.bench._throttle import Throttled, state
from mm_edge.bench.harness import Plot, Result, percentile, wilson
from mm_edge.bench.speech import exported
from mm_edge.compute.latency_model import LatencyModel
from mm_edge.compute.planner import Planner, PlanTable, Way
from mm_edge.compute.priority import end_realtime, request_realtime
from mm_edge.engine import plans_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.generation import DECODERS
from mm_edge.model.graphs import SHORT
from mm_edge.training.evaluate import Posed, posed_now, posed_past

SHORTEST_MS, LONGEST_MS = 30.0, 2000.0
CHEAPEST = "flow"
"""One pass, always: what no policy can be quicker than."""
HOPE, LARGE = "hope", "always large"
"""Policies that take the decoder that is right most often and never look at the clock; the second on the large rung."""
WATCH_S = 1 / AssistantConfig().watch_rate_hz
THROTTLED, SLOWER = "throttled", 2.5
"""The load under which everything takes so many times as long, as on a machine that is too hot, and says so."""
LOG_WORDS = 512
AFTER_STEP = 25
"""Requests after the load changed that are counted apart."""
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
"""A process that never rests, and ends with the one that began it."""
REST = 0.1
"""Of what an answer took: the thread that answers never has more than 95 % of a processor (compute/priority.py)."""
OVERHEADS = 300
READING_WAYS = [
    Way("", 0.9, tuple(stages)) for stages in (("encode", "find"), ("encode", "find:short"), ("find",), ("find:short",))
]
BINS = 6
DRAWN = (PLANNED, HOPE, LARGE, "voting", "autoregressive", CHEAPEST)


@dataclass(frozen=True)
class Size:
    """drives with requests about the present, logs with those about the past: twelve requests each; the same of those
    whose effort is compared; and longer answers that two rungs share."""

    drives: int
    logs: int
    effort_drives: int
    effort_logs: int
    answers: int


FULL, QUICK = Size(28, 14, 60, 40, 60), Size(2, 1, 3, 2, 5)


def measure(seed: int, quick: bool) -> Result:
    torch.set_num_threads(1)
    size = QUICK if quick else FULL
    engine, large = exported("small", "fp32"), exported("large", "fp32")
    table = PlanTable.load(plans_path("small"), weights_path("small"))
    profile = profiled(engine, table, SystemClock())
    jobs = traffic(engine, seed, size)
    large_jobs = traffic(large, seed, size)
    with urgent() as scheduling:
        trials = played(Throttled(engine), Throttled(large), table, profile, jobs, large_jobs)
        hurried, hurried_rows = tight(engine, table, profile, jobs)
    overhead_ms = overheads_ms(table, profile)
    effort = efforts(engine, table, seed, size.effort_drives, size.effort_logs)
    relay, relay_rows, share = relayed(seed, size.answers)
    eligible = above_cheapest(trials)
    table_rows = [_row(name, trials[name], eligible) for name in trials]
    table_rows += [_row(f"{PLANNED}, {load}", _under(trials[PLANNED], load), eligible) for load, _ in loads()]
    step = [trial for trial in _under(trials[PLANNED], "all cores") if trial.place < AFTER_STEP]
    table_rows += [_row(f"{PLANNED}, after the step", step, eligible), *rows(effort), *relay_rows, *hurried_rows]
    notes = [
        f"small rung, {engine.name}, {len(jobs)} requests from seed {seed}, each answered by every policy; deadlines "
        f"log-uniform from {SHORTEST_MS:.0f} ms to {LONGEST_MS:.0f} ms, from the picture on",
        f"loads, equally many requests each: {', '.join(f'{name} ({count} processes)' for name, count in loads())}; "
        f"throttled: an engine takes {SLOWER} times as long, and the monitor says so; other load is not known",
        f"scheduling of the thread that answers: {scheduling}; of the busy processes: ordinary",
        f"n: deadlines not below the 99th percentile of {CHEAPEST} under the same load; missed and right in time: of "
        "these; right: whenever it came, of all; low, high: 95 % by Wilson, of right in time",
        f"{HOPE}: {most_right(table)}, which is right most often by the table, without a look at the clock; {LARGE}: "
        "the same on the large rung",
        f"every request has a log of {LOG_WORDS} words, and a glance of {PERCEPT_REUSE_S:.1f} s to {WATCH_S:.1f} s "
        f"before; {READS_ALL}: as if neither its end nor the glance could do; in a hurry: the same requests, and "
        "deadlines that are about as long as that takes",
        f"effort: {size.effort_drives} drives, {size.effort_logs} logs of {LOG_WORDS} words, understood once; passes: "
        "over the answer; best of N: in N wordings at once",
        f"{', '.join(WAYS)}: {size.answers} longer answers of {TOLD} sentences, one sentence after the other; the "
        f"relay hands over {share:.0%} of them",
    ]
    found = _headline(trials, eligible, overhead_ms) | headline(effort) | relay | hurried | {"n": float(len(jobs))}
    return Result(found, table_rows, notes, _plot(trials))


def loads() -> tuple[tuple[str, int], ...]:
    """Name and busy processes; the greatest change of load comes first."""
    return ("idle", 0), ("all cores", psutil.cpu_count() or 1), ("one core", 1), (THROTTLED, 0)


def traffic(engine: Engine, seed: int, size: Size) -> list[Job]:
    """Requests about the present and the past in random order, so that every load has both; all with a log behind them,
    and a glance that was taken before, as long ago as in a session, and too long to serve anybody."""
    rng = np.random.default_rng([seed, 41])
    posed = [*chain(posed_now(engine, seed, size.drives, LOG_WORDS), posed_past(engine, seed, size.logs, LOG_WORDS))]
    deadlines_ms = np.exp(rng.uniform(np.log(SHORTEST_MS), np.log(LONGEST_MS), len(posed)))
    order, ages_s = rng.permutation(len(posed)), rng.uniform(PERCEPT_REUSE_S, WATCH_S, len(posed))
    return [
        _job(engine, posed[index], float(age_s), float(deadline_ms), int(index))
        for index, age_s, deadline_ms in zip(order, ages_s, deadlines_ms, strict=True)
    ]


def _job(engine: Engine, posed: Posed, age_s: float, deadline_ms: float, seed: int) -> Job:
    assert posed.memory is not None
    posed.memory.read()  # a session has, between turns
    earlier = posed.drive.observation(posed.t_s - age_s)
    percept = engine.encode(earlier)
    last = Glance(earlier, percept, engine.look(posed.past, percept), "", -age_s)
    return Job(posed, posed.drive.observation(posed.t_s), last, age_s, deadline_ms, seed)


def played(
    engine: Throttled,
    large: Throttled,
    table: PlanTable,
    profile: LatencyModel,
    jobs: Sequence[Job],
    large_jobs: Sequence[Job],
) -> dict[str, list[Trial]]:
    """Every policy's trials, in the order of the jobs, which are the same for the large rung. Each policy learns from
    its own times only."""

    def policy(decoder: str, hopes: bool = False, by: Throttled = engine, known: PlanTable = table) -> Policy:
        return Policy(cast(Engine, by), Planner(known, copy.deepcopy(profile)), decoder, hopes)

    best = most_right(table)
    policies = {name: policy(name) for name in (PLANNED, *DECODERS)}
    policies |= {HOPE: policy(best, True), LARGE: policy(best, True, large)}
    policies[READS_ALL] = policy(PLANNED, known=replace(table, readings={}))
    trials: dict[str, list[Trial]] = {name: [] for name in policies}
    each_load = -(-len(jobs) // len(loads()))
    for part, (load, count) in enumerate(loads()):
        for each in (engine, large):
            each.factor = SLOWER if load == THROTTLED else 1.0
        for name in policies:
            policies[name].told(state(SLOWER) if load == THROTTLED else None)
        with busy(count):
            for place in range(each_load)[: max(0, len(jobs) - part * each_load)]:
                for name in _turned([*policies], place):
                    job = (large_jobs if name == LARGE else jobs)[part * each_load + place]
                    trials[name].append(policies[name].answer(job, load, place))
                    time.sleep(REST * trials[name][-1].total_ms / 1e3)
    return trials


@contextmanager
def urgent() -> Iterator[str]:
    """This thread as urgent as the node's that answers; gives what that is."""
    try:
        yield request_realtime(AssistantConfig().realtime_priority)
    finally:
        end_realtime()


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that never rest."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def most_right(table: PlanTable) -> str:
    """The decoder of the plan with the most right sentences, over all classes."""
    sums: dict[str, list[float]] = {}
    for plans in table.rows.values():
        for plan, worth in plans.items():
            total = sums.setdefault(str(plan), [0.0, 0.0])
            total[0] += worth.accuracy * worth.n
            total[1] += worth.n
    best = max(sums, key=lambda name: sums[name][0] / sums[name][1])
    return best.partition(" ")[0]


def above_cheapest(trials: dict[str, list[Trial]]) -> dict[str, float]:
    """By load, the shortest deadline that anything could keep: the 99th percentile of the cheapest plan's times."""
    return {load: percentile([t.total_ms for t in _under(trials[CHEAPEST], load)], 99) for load, _ in loads()}


def overheads_ms(table: PlanTable, profile: LatencyModel) -> list[float]:
    """What choosing takes, both halves of a plan, each time after something new was learnt."""
    planner = Planner(table, copy.deepcopy(profile))
    found = []
    for _ in range(OVERHEADS):
        planner.latency.settle(planner.latency.predict({"find": 1.0}, "overhead"), 10.0)
        began_s = time.perf_counter()
        for _ in range(2):  # the picture, and the log
            planner.read(READING_WAYS, 50.0, ("understand", planner.quickest("now", 24)))
        planner.choose("now", 50.0, 24)
        found.append((time.perf_counter() - began_s) * 1e3)
    return found


def _headline(trials: dict[str, list[Trial]], eligible: dict[str, float], overhead_ms: list[float]) -> dict[str, float]:
    planned, hope, large = (_kept(trials[name], eligible) for name in (PLANNED, HOPE, LARGE))
    unlimited = float(np.mean([trial.right for trial in hope]))
    missed = float(np.mean([trial.late for trial in planned]))
    fixed = {name: _kept(trials[name], eligible) for name in DECODERS}
    misses = {name: float(np.mean([t.late for t in found])) for name, found in fixed.items()}
    allowed = [name for name in fixed if misses[name] <= max(missed, min(misses.values()))]
    best = max(allowed, key=lambda name: np.mean([t.good for t in fixed[name]]))
    ratios = [trial.made.ms / trial.made.p99_ms for trial in trials[PLANNED]]
    return {
        "miss_rate": missed,
        "miss_rate_all": float(np.mean([trial.late for trial in trials[PLANNED]])),
        "hope_miss_rate": float(np.mean([trial.late for trial in hope])),
        "always_large_miss_rate": float(np.mean([trial.late for trial in large])),
        "always_large_retention": float(np.mean([trial.good for trial in large])) / unlimited,
        "quality_retention": float(np.mean([trial.good for trial in planned])) / unlimited,
        "best_fixed_retention": float(np.mean([trial.good for trial in fixed[best]])) / unlimited,
        "best_fixed_miss_rate": misses[best],
        "hope_retention": float(np.mean([trial.good for trial in hope])) / unlimited,
        "prediction_error_p99_percent": 100 * abs(percentile(ratios, 99) - 1),
        "beyond_p99_percent": 100 * float(np.mean([ratio > 1 for ratio in ratios])),
        "planner_overhead_ms": float(np.median(overhead_ms)),
        "glance_share": float(np.mean([not trial.tokens for trial in trials[PLANNED]])),
        "scene_alone_share": float(np.mean([trial.slots == 0 for trial in trials[PLANNED]])),
        "log_end_share": float(np.mean([trial.slots == SHORT["find"] for trial in trials[PLANNED]])),
        "reading_speedup": _median_ms(trials[READS_ALL]) / _median_ms(trials[PLANNED]),
        "reads_all_miss_rate_all": float(np.mean([trial.late for trial in trials[READS_ALL]])),
    }


def _median_ms(trials: Sequence[Trial]) -> float:
    return percentile([trial.total_ms for trial in trials], 50)


def _row(name: str, trials: Sequence[Trial], eligible: dict[str, float]) -> dict[str, object]:
    kept = _kept(trials, eligible)
    good = sum(trial.good for trial in kept)
    low, high = wilson(good, len(kept))
    return {
        "policy": name,
        "n": len(kept),
        "missed": float(np.mean([trial.late for trial in kept])) if kept else np.nan,
        "right in time": good / len(kept) if kept else np.nan,
        "low": low,
        "high": high,
        "right": float(np.mean([trial.right for trial in trials])),
        "passes": float(np.mean([trial.made.draft.passes for trial in trials])),
        "p50 ms": percentile([trial.total_ms for trial in trials], 50),
        "p99 ms": percentile([trial.total_ms for trial in trials], 99),
    }


def _plot(trials: dict[str, list[Trial]]) -> Plot:
    """The share of right sentences in time, by deadline: all requests."""
    edges = np.exp(np.linspace(np.log(SHORTEST_MS), np.log(LONGEST_MS), BINS + 1))
    points = []
    for name in DRAWN:
        for low, high in pairwise(edges):
            good = [trial.good for trial in trials[name] if low <= trial.deadline_ms < high]
            if good:
                points.append((name, float(np.sqrt(low * high)), float(np.mean(good))))
    return Plot("deadline, ms", "share right in time", points, log_x=True)


def _under(trials: Sequence[Trial], load: str) -> list[Trial]:
    return [trial for trial in trials if trial.load == load]


def _kept(trials: Sequence[Trial], eligible: dict[str, float]) -> list[Trial]:
    return [trial for trial in trials if trial.deadline_ms >= eligible[trial.load]]


def _turned(names: list[str], place: int) -> list[str]:
    """So that none is always first."""
    first = place % len(names)
    return names[first:] + names[:first]
