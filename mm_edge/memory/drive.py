"""The log of a whole drive in a fixed memory: its end raw, and all that came before in slots that are compacted again
and again, each time together with the oldest raw words.

A compaction is a function of a snapshot: it runs elsewhere, and what comes of it is taken over between two turns. What
it has to serve, the reference queries, is asked for a few questions at a time while nothing else is to be done; the log
is never read again. Knows nothing about sensors, sentences or deadlines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from math import nan
from typing import Any

import torch
from torch import Tensor

from mm_edge.engine.base import Engine, Log
from mm_edge.memory.cache import Cache, Packed, Slots, joined
from mm_edge.memory.compaction import METHODS, Method, compact, error
from mm_edge.memory.ledger import Ledger
from mm_edge.memory.references import Subject, question_ids, questions, subjects
from mm_edge.memory.repeats import outdated
from mm_edge.memory.store import Kept
from mm_edge.model.events import EVENTS
from mm_edge.model.graphs import CHUNK, QUESTIONS, SHORT
from mm_edge.model.network import STATED

RECENT = 64
"""Words that stay raw, at least."""
FULL = 0.7
"""Share of the raw slots from which on a compaction is prepared: the others are for what comes meanwhile."""
LIVE = replace(METHODS["matching"], budget="layer")
"""A layer's share is fixed, since graphs have fixed shapes; its heads share it by what is worth most."""
Question = tuple[str, str]
Begin = Callable[[Callable[[], Any]], Future[Any]]
"""Runs a job, and tells when it is done."""


@dataclass(frozen=True)
class Compacted:
    """What came of one compaction, and of what. took_ms: without the wait for it; failure: why only the latest slots
    were kept, "" if they were not."""

    snapshot: Cache
    cache: Cache
    took_ms: float
    failure: str = ""


@dataclass(frozen=True)
class _Pending:
    words: int
    result: Future[Compacted]


def at_once(job: Callable[[], Any]) -> Future[Any]:
    """Runs a job where it is asked for."""
    done: Future[Any] = Future()
    try:
        done.set_result(job())
    except Exception as problem:  # whoever asks for the result gets it
        done.set_exception(problem)
    return done


class DriveMemory:
    """Of one engine. `begin` runs compactions. took_ms, failure: of the last one, NaN before the first; fidelity: share
    of what attention gave before it that it still gives, for queries that it was not fitted to; written: words so
    far."""

    def __init__(self, engine: Engine, begin: Begin = at_once, method: Method = LIVE) -> None:
        if engine.log_length < RECENT + CHUNK:
            raise ValueError(f"{engine.log_length} raw slots, at least {RECENT + CHUNK} are needed")
        self._engine = engine
        self._begin_job = begin
        self._method = method
        self.clear()

    def clear(self) -> None:
        """Forget everything: a new drive begins."""
        self.ledger = Ledger()
        self.took_ms = self.fidelity = nan
        self.failure = ""
        self._unjudged: Compacted | None = None
        self.written = 0
        self._words: list[str] = []
        self._tags: list[int] = []
        self._log: Log | None = None
        self._cache: Cache | None = None
        self._place: tuple[int, tuple[int, ...]] = (0, ())
        """How many words the cache stands for, and the ids of the last of them."""
        self._known: dict[Subject, None] = {}
        self._queries: dict[Question, Tensor] = {}
        self._pending: _Pending | None = None
        self._changed = False

    def write(self, line: Sequence[str]) -> None:
        """The words of one more line of the log."""
        self.ledger.add(line)
        named = "name" in EVENTS[line[0]]
        self._words += line
        self._tags += [int(line[1][1:]) if named else -1] * len(line)
        self._known |= dict.fromkeys(subjects(line))
        self.written += len(line)
        self._changed = True

    def forget(self, mark: str) -> None:
        """All lines of a name, whose mark is another's from now on."""
        tag = int(mark[1:])
        self._pending = None
        self.ledger.forget(mark)
        self._known = {subject: None for subject in self._known if subject[1] != mark}
        self._queries = {asked: queries for asked, queries in self._queries.items() if asked[1] != mark}
        kept = [(word, own) for word, own in zip(self._words, self._tags, strict=True) if own != tag]
        self._words, self._tags = [word for word, _ in kept], [own for _, own in kept]
        self._changed = True
        if self._cache is not None and self._log is not None:
            self._cache = self._cache.each(lambda layer, head, slots: slots.at(slots.tag != tag))  # type: ignore[arg-type]
            self._log = self._engine.remember(self._log, 0, _layers(self._cache))

    def read(self) -> Log | None:
        """The log as the engine has read it, with every line; None while there is none. Compacts where there is no room
        left, which `tidy` should have done before."""
        self._take_over()
        while len(self._words) > self._engine.log_length:
            self._read(self._words[: self._engine.log_length])
            self._ask(self._unasked())
            self._begin()
            self._take_over(wait=True)
        if self._changed:
            self._read(self._words)
            self._changed = False
        return self._log if self.written else None

    def tidy(self) -> None:
        """A step, short enough to come between two turns: judges the last compaction, or goes towards the next one, if
        that is due."""
        log = self.read()
        if log is None or self._judge(log):
            return
        if self._pending is not None or len(log.ids) < FULL * self._engine.log_length:
            return
        missing = self._unasked()[:QUESTIONS]
        if missing:
            self._ask(missing)
        else:
            self._begin()

    @property
    def words(self) -> tuple[str, ...]:
        """Those that are raw."""
        return tuple(self._words)

    @property
    def is_long(self) -> bool:
        """Whether its end is not all there is."""
        return self.written > SHORT["find"]

    @property
    def slots(self) -> float:
        """In use, of a head on average."""
        return len(self._words) + (0.0 if self._cache is None else self._cache.slots / self._cache.heads)

    @property
    def nbytes(self) -> int:
        """All that the memory takes, whether it is in use or not."""
        if self._log is None:
            return 0
        parts = (self._log.k, self._log.v, self._log.bias, *(part for layer in self._log.memory for part in layer))
        again = (self._log.k, *(k for k, *_ in self._log.memory))  # keys are kept once more as they are seen
        return sum(part.nbytes for part in (*parts, *again))

    def _read(self, words: Sequence[str]) -> None:
        known, self._log = self._log or self._resumed(), None  # the engine takes it over, whatever becomes of it
        self._log = self._engine.read(words, known)

    def _resumed(self) -> Log | None:
        """A log of the compacted words alone; None when there are none."""
        return None if self._cache is None else self._engine.resume(_layers(self._cache), *self._place)

    def _unasked(self) -> list[Question]:
        return [question for question in questions(self._known) if question not in self._queries]

    def _ask(self, asked: Sequence[Question]) -> None:
        if asked and self._log is not None:
            queries = self._engine.ask(question_ids(asked, self._engine.tokenizer), self._log)
            self._queries |= zip(asked, queries.split(STATED, 2), strict=True)

    def _judge(self, log: Log) -> bool:
        """Whether there was anything to judge: what is asked of the compacted memory is not what it was fitted to."""
        if self._unjudged is None:
            return False
        every = questions(self._known)
        asked = every[:: -(-len(every) // QUESTIONS)]
        queries = self._engine.ask(question_ids(asked, self._engine.tokenizer), log)
        before, after = (each.seen(log.length) for each in (self._unjudged.snapshot, self._unjudged.cache))
        self.fidelity = max(0.0, 1 - error(before, after, [*queries]))
        self._unjudged = None
        return True

    def _begin(self) -> None:
        """Start the compaction of all but the most recent words."""
        assert self._log is not None
        words = (len(self._log.ids) - RECENT) // CHUNK * CHUNK
        snapshot, queries, now = self._snapshot(self._log, words), [*self._queries.values()], self._log.length
        self._queries = {}
        keep = self._engine.memory_slots * len(snapshot.layers)
        job = partial(compacted, snapshot, now, queries, keep, self._method)
        self._pending = _Pending(words, self._begin_job(job))

    def _snapshot(self, log: Log, words: int) -> Cache:
        """The memory and the first raw words, copied: the log goes on changing."""
        tags = torch.tensor(self._tags[:words], dtype=torch.int16, device=log.k.device)
        none = torch.zeros(words, device=log.k.device)
        layers = (
            Packed.of([Slots(k[:words], v[:words], none, tags) for k, v in zip(keys, values, strict=True)])
            for keys, values in zip(log.k, log.v, strict=True)
        )
        end = Cache(tuple(layers), words)
        return end if self._cache is None else joined(self._cache, end)

    def _take_over(self, wait: bool = False) -> None:
        pending = self._pending
        if pending is None or self._log is None or not (wait or pending.result.done()):
            return
        self._pending = None
        done = pending.result.result()
        self._unjudged = None if done.failure else done
        log = self._engine.remember(self._log, pending.words, _layers(done.cache))  # before anything is changed
        self._cache, self.took_ms, self.failure = done.cache, done.took_ms, done.failure
        self._log, self._place = log, (log.start, log.before)
        del self._words[: pending.words], self._tags[: pending.words]

    def state(self) -> Kept:
        """All that `restore` needs, also while the engine reads: raw words are read again then."""
        start, before = self._place
        state = deepcopy(
            {
                "words": self._words,
                "tags": self._tags,
                "start": start,
                "before": before,
                "known": [*self._known],
                "written": self.written,
                "ledger": vars(self.ledger),
            }
        )
        return Kept(state, self._cache)

    def restore(self, kept: Kept) -> None:
        """Go on from what `state` gave. Raises ValueError when it is of another network."""
        self.clear()
        state = kept.state
        self._cache, self._place = kept.cache, (state["start"], tuple(state["before"]))
        self._log = self._resumed()
        self._words, self._tags = [*state["words"]], [*state["tags"]]
        self._known = {(kind, name): None for kind, name in state["known"]}
        self.written, self.ledger = state["written"], Ledger(**state["ledger"])
        self._changed = True


def compacted(snapshot: Cache, now: int, queries: Sequence[Tensor], keep: int, method: Method) -> Compacted:
    """now: the place it is seen from; queries: of each question [layers, heads, STATED, d_head].

    What cannot be compacted is forgotten, the oldest first: a memory of what is no number would be of no use, and one
    that is full would stop the drive.
    """
    began_s = time.perf_counter()
    asked = [*torch.cat([*queries], 2)]
    try:
        target = outdated(snapshot, now, asked)
        cache = compact(target.seen(now), lambda _: asked, keep, method).unseen(now)
    except (ValueError, RuntimeError) as problem:
        return Compacted(snapshot, _latest(snapshot, keep), nan, str(problem))
    return Compacted(target, cache, (time.perf_counter() - began_s) * 1e3)


def _latest(cache: Cache, keep: int) -> Cache:
    """The last slots of every head that are numbers."""

    def change(layer: int, head: int, slots: Slots) -> Slots:
        sound = torch.stack([part.isfinite().all(-1) for part in (slots.k, slots.v, slots.bias[:, None])]).all(0)
        return slots.at(sound.nonzero()[:, 0][-max(1, keep // cache.heads) :])

    return cache.each(change)


def _layers(cache: Cache) -> list[tuple[Tensor, Tensor, Tensor]]:
    """As an engine takes them."""
    return [(layer.slots.k[None], layer.slots.v[None], layer.own()) for layer in cache.layers]
