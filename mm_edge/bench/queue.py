"""Several requests at once: who is answered in time when turns share the time, and when only deadlines count.

Bursts of requests come to a worker, in real time, while a camera gives ten frames a second. Their deadlines leave as
much time as all of them need, or only a part of it. The same bursts go to a queue that goes by the earliest deadline
alone, in turns. Knows nothing about whether answers are right.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
import torch

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.profiling import profiled
from mm_edge.assistant.request import Request, Stakes
from mm_edge.assistant.session import Session
from mm_edge.assistant.worker import Worker
from mm_edge.bench.harness import Result, percentile, wilson
from mm_edge.bench.speech import exported
from mm_edge.compute.latency import LatencyReport
from mm_edge.compute.latency_model import LatencyModel
from mm_edge.compute.planner import Planner, PlanTable
from mm_edge.engine import plans_path, trust_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.feedback.utterance import Utterance
from mm_edge.feedback.wording import NOT_SURE_YET
from mm_edge.model.observation import Observation
from mm_edge.training.evaluate import posed_now
from mm_edge.trust.constants import TrustConstants

SHARED, EDF = "shared", "earliest deadline"
LOADS = (0.7, 1.5, 3.0)
"""How many times the time until the last deadline all turns of a burst take."""
BURST = 40
SOONEST_MS = 100.0
FRAME_S = 0.1
PAUSE_S = 0.3
"""Between bursts, for follow-ups."""
WAIT_S = 60.0
PACING = 5
"""Turns before a burst, one after the other, that tell how long one takes now."""


class Unshared(Inbox):
    """As if turns took no time: the earliest deadline is first, and no turn ends for others."""

    def expect(self, turn_s: float, margin_s: float = 0.0) -> None: ...


@dataclass(frozen=True)
class Asked:
    request: Request
    at_s: float


@dataclass(frozen=True)
class Fate:
    """What became of a request. late_ms: of its final word, negative when it was in time."""

    load: float
    stakes: Stakes
    answered: bool
    late_ms: float


class House:
    """A worker, all that it says, and when."""

    def __init__(self, kind: type[Inbox], engine: Engine, table: PlanTable, profile: LatencyModel) -> None:
        config, clock = AssistantConfig(seed=1, follow_up=False), SystemClock()
        constants = TrustConstants.load(trust_path("small"), weights_path("small"))
        self.inbox = kind(config, clock)
        planner = Planner(table, copy.deepcopy(profile))
        session = Session(config, engine, constants, self.inbox, clock, itertools.count(1), planner=planner)
        self.worker = Worker(session, self._hear)
        self.said: list[tuple[float, Utterance]] = []
        self.looks: list[LatencyReport] = []
        self._changed = threading.Condition()
        self.worker.start()

    def ask(self, requests: Sequence[Request]) -> list[tuple[Asked, float, Utterance]]:
        """All at once; each with when its final word came, and what it was."""
        asked = {}
        for request in requests:
            asked[request.id] = Asked(request, time.perf_counter())
            self.worker.submit(replace(request, stamp_ns=time.time_ns()))
        with self._changed:
            everybody = self._changed.wait_for(lambda: asked.keys() <= {u.request_id for _, u in self.said}, WAIT_S)
        if not everybody:
            raise RuntimeError("a request never got its final word")
        return [(asked[u.request_id], at_s, u) for at_s, u in self.said if u.request_id in asked]

    def _hear(self, output: object) -> None:
        with self._changed:
            if isinstance(output, Utterance) and output.final:
                self.said.append((time.perf_counter(), output))
                self._changed.notify()
            elif isinstance(output, LatencyReport) and not output.request_id and output.passes:
                self.looks.append(output)


def measure(seed: int, quick: bool) -> Result:
    torch.set_num_threads(1)
    engine = exported("small", "fp32")
    table = PlanTable.load(plans_path("small"), weights_path("small"))
    profile = profiled(engine, table, SystemClock())
    houses = {SHARED: House(Inbox, engine, table, profile), EDF: House(Unshared, engine, table, profile)}
    fates, turns_ms = played(houses, *traffic(engine, seed), seed, 2 if quick else 12)
    for house in houses.values():
        house.worker.stop()
    notes = [
        f"small rung, {engine.name}, bursts of {BURST} requests from seed {seed}; deadlines uniform from "
        f"{SOONEST_MS:.0f} ms to the time that {BURST} turns take, as measured before each burst (median "
        f"{median(turns_ms):.0f} ms), divided by the load; a frame every {FRAME_S:g} s",
        "answered: the final word, by the deadline, is not 'not sure yet'; low, high: 95 % by Wilson; stakes at random",
    ]
    return Result(headline(fates, houses), rows(fates), notes)


def played(
    houses: dict[str, House], texts: Sequence[str], seen: Sequence[Observation], seed: int, rounds: int
) -> tuple[dict[str, list[Fate]], list[float]]:
    """What becomes of the same bursts with every queue, and how long a turn took before each."""
    rng = np.random.default_rng([seed, 43])
    fates: dict[str, list[Fate]] = {name: [] for name in houses}
    turns_ms = []
    for burst, load in enumerate([*LOADS] * rounds):
        view = seen[burst % len(seen)]
        turns_ms.append(pace_ms(houses[SHARED], texts, view, burst))
        requests = drawn(rng, texts, BURST * turns_ms[-1] / load, burst)
        for name in [*houses][:: 1 if burst // len(LOADS) % 2 else -1]:
            with camera(houses[name].inbox, view):
                heard = houses[name].ask(requests)
            time.sleep(PAUSE_S)
            fates[name] += [fate(load, *each) for each in heard]
    return fates, turns_ms


def traffic(engine: Engine, seed: int) -> tuple[list[str], list[Observation]]:
    """Requests about the present, and what is to be seen meanwhile."""
    posed = [*posed_now(engine, seed, 2)]
    return [each.request for each in posed], [each.drive.observation(each.t_s) for each in posed]


def pace_ms(house: House, texts: Sequence[str], view: Observation, burst: int) -> float:
    """How long one turn takes, with all the time there is."""
    taken = []
    with camera(house.inbox, view):
        for number in range(PACING):
            text = texts[number % len(texts)]
            ((asked, at_s, _),) = house.ask([Request(0, f"pace-{burst}-{number}", text, 10_000.0)])
            taken.append((at_s - asked.at_s) * 1e3)
    return median(taken)


def drawn(rng: np.random.Generator, texts: Sequence[str], longest_ms: float, burst: int) -> list[Request]:
    return [
        Request(
            0,
            f"{burst}-{number}",
            texts[int(rng.integers(len(texts)))],
            float(rng.uniform(SOONEST_MS, max(longest_ms, 2 * SOONEST_MS))),
            Stakes(int(rng.integers(len(Stakes)))),
        )
        for number in range(BURST)
    ]


@contextmanager
def camera(inbox: Inbox, seen: Observation) -> Iterator[None]:
    """Frames at a fixed rate, with the vehicle's signals."""
    stopped = threading.Event()

    def run() -> None:
        while True:
            inbox.put_state(time.time_ns(), seen.state)
            inbox.put_image(time.time_ns(), lambda: seen.image)  # type: ignore[arg-type,return-value]
            if stopped.wait(FRAME_S):
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    stopped.set()
    thread.join()


def fate(load: float, asked: Asked, at_s: float, word: Utterance) -> Fate:
    late_ms = (at_s - asked.at_s) * 1e3 - asked.request.deadline_ms
    return Fate(load, asked.request.stakes, word.text != NOT_SURE_YET and late_ms <= 0, late_ms)


def headline(fates: dict[str, list[Fate]], houses: dict[str, House]) -> dict[str, float]:
    """Everything at the middle load but the first."""
    light, heavy, _ = LOADS
    found: dict[str, float] = {}
    for name, short in ((SHARED, "shared"), (EDF, "edf")):
        of = [each for each in fates[name] if each.load == heavy]
        found |= {
            f"{short}_answered_light": share([each for each in fates[name] if each.load == light]),
            f"{short}_answered": share(of),
            f"{short}_answered_high_stakes": share([each for each in of if each.stakes == Stakes.HIGH]),
            f"{short}_late_words": float(sum(each.late_ms > 0 for each in fates[name])),
            f"{short}_looks_late": late_share(houses[name].looks),
        }
    return found | {"n": float(len(fates[SHARED]))}


def rows(fates: dict[str, list[Fate]]) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for load, (name, every) in itertools.product(LOADS, fates.items()):
        of = [each for each in every if each.load == load]
        answered = sum(each.answered for each in of)
        low, high = wilson(answered, len(of))
        by_stakes = {
            f"{stakes.name.lower()} stakes": share([each for each in of if each.stakes == stakes]) for stakes in Stakes
        }
        made.append(
            {"queue": f"{name}, load {load:g}", "n": len(of), "answered": answered / max(1, len(of))}
            | {"low": low, "high": high}
            | by_stakes
            | {"word late by ms, 99 %": max(0.0, percentile([each.late_ms for each in of], 99))}
        )
    return made


def share(fates: Sequence[Fate]) -> float:
    return float(np.mean([each.answered for each in fates])) if fates else float("nan")


def late_share(looks: Sequence[LatencyReport]) -> float:
    return float(np.mean([not report.deadline_met for report in looks])) if looks else float("nan")
