"""What the assistant perceives itself, and is told of tasks, as events for the log: once each, not on a flicker.

Knows nothing about the log, the model or how facts are found; time comes in with every look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import inf, isnan
from typing import Any

from mm_edge.feedback.tasks import CANCELLED, FAILED, STARTED, SUCCEEDED
from mm_edge.feedback.wording import short
from mm_edge.model.observation import VehicleState

SURE = 0.9
"""A fact less probable than this was not seen."""
CONFIRM = {"limit": 2, "light": 2, "pedestrian": 2, "siren": 3, "weather": 3}
"""Looks in a row that must show the same, for each fact that makes an event."""
AGAIN_S = 20.0
"""What was out of sight for this long counts as new."""
ALERTS = {"lead_braking": "brake"}
"""Alerts that are events: what no single fact shows."""
STANDING_MPS, MOVING_MPS = 0.3, 0.8
"""Below the one the vehicle stands, above the other it moves."""
SHORTEST_S = 2.0
"""Standing for less is neither a stop nor a wait."""
BLIND_S = 5.0
"""A standing during which the speed was unknown for longer than this cannot be measured."""

Happened = tuple[str, tuple[int, ...]]
"""The kind of an event without a name, and its numbers."""


class Witness:
    """Of one drive."""

    def __init__(self) -> None:
        self._streaks: dict[str, tuple[str, int]] = {}
        self._seen_s: dict[str, float] = {}
        self._limit = ""
        self._weather = "clear"
        self._standing = Standing()
        self._running: dict[str, str] = {}

    def look(
        self, time_s: float, facts: Mapping[str, tuple[str, float]], state: VehicleState, sees: bool, alert: str = ""
    ) -> list[Happened]:
        """What one look adds. facts: name -> (value, probability); sees: whether there was a picture; alert: what the
        look gave an alert for, "" for none."""
        seen = {name: self._confirmed(name, facts.get(name, ("", 0.0))) for name in CONFIRM}
        found = [*self._passed(time_s, seen, sees, alert), *self._weather_change(seen["weather"])]
        waited = self._standing.look(time_s, state.speed_mps, seen["light"] == "red")
        return found if waited is None else [*found, waited]

    def step(self, step: Any) -> tuple[str, str] | None:
        """What a TaskStep-like message adds: the kind of the event and the task, None for nothing."""
        key, name = str(step.task_id), short(step.task)
        if key not in self._running:
            if step.status != STARTED or not re.search(r"\w", name):
                return None
            self._running[key] = name
            return "task", name
        if step.status in (FAILED, CANCELLED):
            return "failed", self._running.pop(key)
        if step.status == SUCCEEDED and step.index == step.count > 0:
            return "done", self._running.pop(key)
        return None

    def _confirmed(self, name: str, fact: tuple[str, float]) -> str:
        """The value of a fact once enough looks in a row were sure of it; "" otherwise."""
        value = fact[0] if fact[1] >= SURE else ""
        before, length = self._streaks.get(name, ("", 0))
        length = length + 1 if value == before else 1
        self._streaks[name] = (value, length)
        return value if length >= CONFIRM[name] else ""

    def _passed(self, time_s: float, seen: Mapping[str, str], sees: bool, alert: str) -> Iterator[Happened]:
        limit = seen["limit"]
        if sees and limit.isdigit() and (self._is_new("limit", time_s) or limit != self._limit):
            self._limit = limit
            yield "limit", (int(limit),)
        present = (("pedestrian", seen["pedestrian"] == "ahead"), ("siren", seen["siren"] == "siren"))
        for kind, there in (*present, (ALERTS.get(alert, ""), alert in ALERTS)):
            if there and self._is_new(kind, time_s):
                yield kind, ()

    def _is_new(self, kind: str, time_s: float) -> bool:
        """Whether what is seen now was out of sight before."""
        before_s, self._seen_s[kind] = self._seen_s.get(kind, -inf), time_s
        return time_s - before_s >= AGAIN_S

    def _weather_change(self, weather: str) -> Iterator[Happened]:
        if weather and weather != self._weather:
            self._weather = weather
            yield weather, ()


class Standing:
    """How long the vehicle stood, told when it moves again: a wait if a light was red meanwhile, else a stop.

    A stop needs a drive before it, so the time before setting out is none.
    """

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._known_s = -inf
        self._red = self._drove = False

    def look(self, time_s: float, speed_mps: float, red: bool) -> Happened | None:
        if isnan(speed_mps):
            return None
        if time_s - self._known_s > BLIND_S:
            self._since_s, self._drove = None, False
        self._known_s = time_s
        if self._since_s is None:
            if abs(speed_mps) < STANDING_MPS:
                self._since_s, self._red = time_s, False
            else:
                self._drove = True
        if self._since_s is None:
            return None
        self._red = self._red or (red and abs(speed_mps) < STANDING_MPS)
        return self._moved(time_s) if abs(speed_mps) > MOVING_MPS else None

    def _moved(self, time_s: float) -> Happened | None:
        waited_s = 0.0 if self._since_s is None else time_s - self._since_s
        counts = waited_s >= SHORTEST_S and (self._red or self._drove)
        self._since_s, self._drove = None, True
        return ("red" if self._red else "stop", (round(waited_s),)) if counts else None
