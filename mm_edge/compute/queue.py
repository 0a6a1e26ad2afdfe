"""Who is served next when several wait, and until when a turn may take: plans become cheaper for all before anybody is
left out.

Whoever waits needs `cost_s` at least, the time of the cheapest plan. Those that can all be in time are served by the
earliest deadline (Jackson 1955); the others are set aside, by priority, until nobody else waits. Jobs of one length
that can be in time together are a matroid (Lawler 1976, chapter 7), so no other choice has more of the highest priority
in time. Who insists goes first, but never twice in a row while others wait. Knows nothing about threads, clocks or what
a turn is; time is passed in, in seconds. Not thread-safe.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")
ROUNDING = 1e-9


@dataclass(frozen=True)
class Entry(Generic[T]):
    """due_s: when it has to be done; priority: higher ones stay in time at the cost of lower ones; from_s: it cannot
    begin before; insists: it goes first, and takes turns with the others; order: of arrival."""

    item: T
    due_s: float
    priority: int
    from_s: float
    insists: bool
    order: int


class TurnQueue(Generic[T]):
    """`cost_s`: the least that a turn takes, most likely; `margin_s`: how much longer it may take."""

    def __init__(self) -> None:
        self.cost_s = self.margin_s = 0.0
        self._entries: list[Entry[T]] = []
        self._order = itertools.count()
        self._insisted = False
        self._latest_s: float | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, item: T, due_s: float, priority: int = 0, from_s: float = -inf, insists: bool = False) -> None:
        self._entries.append(Entry(item, due_s, priority, from_s, insists, next(self._order)))
        self._latest_s = None

    def pop(self, now_s: float) -> T | None:
        """Whom to serve now; None when nobody waits, or only those that cannot begin yet."""
        entry = self._next(now_s)
        if entry is None:
            return None
        self._insisted = entry.insists
        self._entries.remove(entry)
        self._latest_s = None
        return entry.item

    def _next(self, now_s: float) -> Entry[T] | None:
        insistent = [entry for entry in self._entries if entry.insists and entry.from_s <= now_s]
        if insistent and not self._insisted:
            return insistent[0]
        chosen = in_time(self._entries, now_s, self.cost_s)
        aside = sorted(self._without(chosen), key=lambda entry: _aside(entry, now_s))
        waiting = [entry for entry in (*chosen, *aside) if entry.from_s <= now_s and not entry.insists]
        return next(iter(waiting or insistent), None)

    def latest_end_s(self, now_s: float) -> float:
        """When the turn in progress has to end at the latest, so that all who can be in time are; inf: nobody waits."""
        if self._latest_s is None or self._latest_s < now_s:
            chosen = in_time(self._entries, now_s, self.cost_s)
            ends_s = (entry.due_s - place * self.cost_s for place, entry in enumerate(chosen, 1))
            self._latest_s = min(ends_s, default=inf) - self.margin_s
        return self._latest_s

    def set_aside(self, now_s: float) -> list[T]:
        """Those that are not late yet, but cannot be in time behind the others."""
        chosen = in_time(self._entries, now_s, self.cost_s)
        return [entry.item for entry in self._without(chosen) if entry.due_s > now_s]

    def begins_s(self) -> float:
        """When the first of those that wait can begin; inf: nobody waits."""
        return min((entry.from_s for entry in self._entries), default=inf)

    def _without(self, chosen: Iterable[Entry[T]]) -> list[Entry[T]]:
        orders = {entry.order for entry in chosen}
        return [entry for entry in self._entries if entry.order not in orders]


def in_time(entries: Sequence[Entry[T]], now_s: float, cost_s: float) -> list[Entry[T]]:
    """Those that can all be in time if every turn takes `cost_s` from now on, the earliest deadline first."""
    ordered = sorted(entries, key=lambda entry: (entry.due_s, -entry.priority, entry.order))
    if all(entry.due_s >= now_s + (place + 1) * cost_s for place, entry in enumerate(ordered)):
        return ordered
    free = [*range(len(entries) + 1)]  # place -> the last free place up to it; 0: none
    chosen = set()
    for entry in sorted(ordered, key=lambda entry: -entry.priority):
        left_s = entry.due_s - now_s
        places = left_s / cost_s + ROUNDING if cost_s > 0 else inf
        place = _free(free, int(min(len(entries), places)) if left_s >= 0 else 0)
        if place > 0:
            free[place] = place - 1
            chosen.add(entry.order)
    return [entry for entry in ordered if entry.order in chosen]


def _free(free: list[int], place: int) -> int:
    """The last free place up to this one. Paths are halved on the way (union-find)."""
    while free[place] != place:
        free[place] = free[free[place]]
        place = free[place]
    return place


def _aside(entry: Entry[T], now_s: float) -> tuple[bool, int, float, int]:
    """The order of those that nobody waits for: who is late already has had its word."""
    return entry.due_s <= now_s, -entry.priority, entry.due_s, entry.order
