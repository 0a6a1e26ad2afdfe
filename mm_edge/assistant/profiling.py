"""How long stages take on this machine before anybody asks: measured once, kept in a file, measured anew elsewhere.

Knows nothing about sensors, deadlines or ROS.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mm_edge.assistant.clock import Clock
from mm_edge.assistant.reading import Reader
from mm_edge.assistant.thinking import Bounds, Task, Thinker
from mm_edge.compute.latency_model import Identity, LatencyModel, ProfileError
from mm_edge.compute.planner import OWN, SMALL, Plan, Planner, PlanTable
from mm_edge.compute.relay import Relay, reads
from mm_edge.engine.base import Engine
from mm_edge.generation import several
from mm_edge.memory.drive import DriveMemory
from mm_edge.model.graphs import SENTENCES, SHORT
from mm_edge.model.network import CLAIMS
from mm_edge.model.observation import Observation

ROUNDS = 5
"""Enough for medians; the rest is learnt while running."""
PICTURE = (240, 320, 3)
REQUEST, TOLD = "was @1 before @2", "<told> unknown"
"""A request that has to be read: what it is about is not told by one name."""
LONG_REQUEST = f"{REQUEST}, and {REQUEST}, and {REQUEST}"
LINE = ("tunnel", "=14", "=9")
"""Of a log."""


def profile_path(cache: Path, identity: Identity) -> Path:
    """One file for each engine, weights and power mode; another machine's is found there too, when a disk moved, and
    refused."""
    parts = (identity.engine, identity.threads, identity.weights_sha256[:12], identity.power_mode)
    name = "-".join(str(part) for part in parts if part != "")
    return cache / "profiles" / f"{re.sub('[^A-Za-z0-9._-]', '-', name)}.json"


def known_times(engine: Engine, table: PlanTable, clock: Clock, identity: Identity, cache: Path) -> LatencyModel:
    """The profile of this machine, from `cache` if it is there, else measured now and written, if that is possible."""
    path = profile_path(cache, identity)
    try:
        return LatencyModel.load_profile(path, identity)
    except ProfileError:
        model = profiled(engine, table, clock)
        keep(model, identity, cache)
        return model


def keep(model: LatencyModel, identity: Identity, cache: Path) -> bool:
    """Whether the profile could be written; without it the next start measures again."""
    try:
        model.save(profile_path(cache, identity), identity)
    except OSError:
        return False
    return True


def profiled(engine: Engine, table: PlanTable, clock: Clock) -> LatencyModel:
    """Every stage of every plan, ROUNDS times; what the first time took, when libraries warm up, is left out."""
    ways = sorted({(plan.rung, plan.decoder) for plans in table.rows.values() for plan in plans})
    _round(engine, clock, Planner(), ways)
    planner = Planner()
    for _ in range(ROUNDS):
        _round(engine, clock, planner, ways)
    return planner.latency


def _round(engine: Engine, clock: Clock, planner: Planner, ways: list[tuple[str, str]]) -> None:
    _read(reads(engine), clock, planner)
    rungs = {OWN: reads(engine)} | ({SMALL: engine.small} if isinstance(engine, Relay) else {})
    for rung, decoder in ways:
        if rung in rungs:
            _word(rungs[rung], clock, planner, Plan(decoder, Bounds().max_passes, rung=rung))


def _read(engine: Engine, clock: Clock, planner: Planner) -> None:
    """Short and long requests, and logs: none, a short and a long one."""
    thinker = Thinker(engine, clock, planner)
    with thinker.measured("encode"):
        scene = engine.look(None, engine.encode(Observation(1, np.zeros(PICTURE, np.uint8))))
    reader, memory = Reader(engine, thinker), DriveMemory(engine)
    for text in (LONG_REQUEST, REQUEST):
        understood = reader.understand(scene, text)
    reader.find_in(None, scene, understood, 1)
    for words in (1, SHORT["find"] + 1):
        while memory.written < words:
            memory.write(LINE)
        reader.find_in(memory.read(), scene, understood, 1)


def _word(engine: Engine, clock: Clock, planner: Planner, plan: Plan) -> None:
    thinker, told = Thinker(engine, clock, planner), engine.tokenizer.claims(TOLD, CLAIMS)
    task = Task(engine.tell([told], 1)[0], REQUEST)
    if plan.rung == OWN:
        thinker.think(task, Bounds(decoder=plan.decoder))
    else:
        thinker.carry_out(task, plan)
    with thinker.measured(f"tell:{plan.way}"):
        next(several(plan.decoder, engine, engine.tell([told] * SENTENCES, 1), 1))
