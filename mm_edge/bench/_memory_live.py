"""The live memory of an engine over a whole drive: what it takes, what it still knows, and whether turns wait for it.

The drive is written line by line in fast time, as a node writes it; nothing is read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count

import psutil
import torch

from mm_edge.assistant.background import background
from mm_edge.bench._memory_logs import finds, read, right
from mm_edge.bench.harness import percentile
from mm_edge.engine.base import Engine, Log
from mm_edge.memory.drive import Compacted, DriveMemory, at_once
from mm_edge.memory.references import NAMED
from mm_edge.model.events import NAMES
from mm_edge.model.network import Network, Past
from mm_edge.training.evaluate import DURATION_S, seen
from mm_edge.world.drive import Drive
from mm_edge.world.journey import Journey
from mm_edge.world.questions import Question
from mm_edge.world.recall import question_about

HOURS = 8
REQUEST = "where did we park"
DUE_WORDS = 4096
"""In which the memory is compacted more than twice."""
SHIFT = 10
"""Turns after which a compaction is waited for, so that what else the machine does meets both kinds of turns alike."""
Line = Sequence[str]
Job = Callable[[], Compacted]


@dataclass(frozen=True)
class Hours:
    """nbytes, resident: after each hour, of the memory and of the process; known, early, full: whether questions about
    the first hour are answered at the end, right after that hour, and at the end on a full cache; words: of the
    drive; tidied_ms: each step of the memory between two turns."""

    nbytes: list[int]
    resident: list[int]
    known: list[bool]
    early: list[bool]
    full: list[bool]
    words: int
    tidied_ms: list[float]


@dataclass(frozen=True)
class LongDrive:
    """first: the journey of its first hour; lines: of all its hours, none of which names what the first one names."""

    first: Journey
    lines: list[Line]

    @property
    def asked(self) -> list[Question]:
        """All that can be found by a name of the first hour."""
        last = len(self.first.events) - 1
        return [
            question_about(self.first, topic, "", (kind, name))
            for topic, kinds in NAMED.items()
            for (kind, name), index in self.first.latest.items()
            if name and kind in kinds and not (topic == "after" and index == last)
        ]


def long_drives(seed: int, words: int) -> Iterator[LongDrive]:
    """Of two journeys each, whose names have room beside each other: one of the first hour, one of the others."""
    hour = words // HOURS
    for first_seed in count(seed, 2):
        first, rest = Journey(first_seed, hour), Journey(first_seed + 1, words - hour)
        ours, theirs = _marks(first.words), _marks(rest.words)
        free = [mark for mark in (f"@{number}" for number in range(NAMES)) if mark not in ours]
        if len(theirs) <= len(free):
            new = dict(zip(theirs, free, strict=False))
            renamed = [[new.get(word, word) for word in line] for line in rest.lines]
            yield LongDrive(first, [*first.lines, *renamed])


def hours(engine: Engine, network: Network, drive: LongDrive, full: bool) -> Hours:
    """full: whether the whole drive is also read at once, to compare with."""
    memory, questions = DriveMemory(engine), finds(drive.asked, engine.tokenizer)
    words = sum(map(len, drive.lines))
    nbytes: list[int] = []
    resident: list[int] = []
    early: list[bool] = []
    tidied_ms: list[float] = []
    for line in drive.lines:
        memory.write(line)
        began_s = time.perf_counter()
        memory.tidy()
        tidied_ms.append((time.perf_counter() - began_s) * 1e3)
        if memory.written >= words * (len(nbytes) + 1) // HOURS:
            if not nbytes:
                early = right(network, questions, *_read(memory))
            nbytes.append(memory.nbytes)
            resident.append(psutil.Process().memory_info().rss)
    known = right(network, questions, *_read(memory))
    whole: list[bool] = []
    if full:
        cache = read(network, engine.tokenizer.log([word for line in drive.lines for word in line]))
        whole = right(network, questions, [cache.seen(cache.length).past()], cache.length)
    return Hours(nbytes, resident, known, early, whole, words, tidied_ms)


def past_of(log: Log) -> list[Past]:
    """A log of an engine as the network takes it: its memory and its end, in the processor's memory."""
    memory = Past(
        [(k[None].cpu(), v[None].cpu()) for k, v, _ in log.memory], [own[None].cpu() for *_, own in log.memory]
    )
    layers = [(k[None].cpu(), v[None].cpu()) for k, v in zip(log.k, log.v, strict=True)]
    now = torch.tensor([float(log.length)])
    return [memory.seen(now), Past(layers, log.bias[None].cpu()).seen(now)]


@dataclass(frozen=True)
class Turns:
    """Milliseconds of turns while nothing is compacted, and while something is; compactions: how many there were."""

    alone_ms: list[float]
    beside_ms: list[float]
    compactions: int

    @property
    def p99_ratio(self) -> float:
        return percentile(self.beside_ms, 99) / percentile(self.alone_ms, 99)


def turns(engine: Engine, due: tuple[Log, Job], seed: int, least: int, nice: int) -> Turns:
    """At least so many of each kind: those during a compaction, always that which is `due`, and then as many without
    one, again and again. nice: of the thread that compacts, 0 for the same priority as that of turns (Linux)."""
    past, percept = seen(engine, Drive(seed, DURATION_S), DURATION_S / 2)
    scene = engine.look(past, percept)
    log, job = due

    def turn() -> float:
        began_s = time.perf_counter()
        engine.prefill(scene, REQUEST, 1, log)
        return (time.perf_counter() - began_s) * 1e3

    alone_ms: list[float] = []
    beside_ms: list[float] = []
    compactions = 0
    turn()
    with background(nice) as executor:
        while len(beside_ms) < least:
            running, compactions, shift = executor.submit(job), compactions + 1, len(beside_ms) + SHIFT
            while not running.done() and len(beside_ms) < shift:
                beside_ms.append(turn())
            running.result()
            alone_ms += [turn() for _ in range(len(beside_ms) - len(alone_ms))]
    return Turns(alone_ms, beside_ms, compactions)


def compaction_due(engine: Engine, seed: int) -> tuple[Log, Job]:
    """A log whose memory has been compacted before, and its next compaction, which is not begun."""
    jobs: list[Job] = []

    def begin(job: Job) -> Future[Compacted]:
        jobs.append(job)
        return at_once(job) if len(jobs) == 1 else Future()

    memory, lines = DriveMemory(engine, begin), iter(Journey(seed, DUE_WORDS).lines)
    while len(jobs) < 2:
        memory.write(next(lines))
        memory.tidy()
    log = memory.read()
    assert log is not None
    return log, jobs[-1]


def _read(memory: DriveMemory) -> tuple[list[Past], int]:
    log = memory.read()
    assert log is not None
    return past_of(log), log.length


def _marks(words: Sequence[str]) -> list[str]:
    return [*dict.fromkeys(word for word in words if word.startswith("@"))]
