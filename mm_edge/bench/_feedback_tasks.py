"""Tasks of several steps with their times and results: generated ones of 3 and 6 steps, and those of CAR-bench.

The number of steps is that of the study (Kirmayr et al., CHI 2026, arXiv 2602.15569): medium and long. Step times are
log-uniform from 2 to 15 s, this project's choice: the study's are not published. Knows nothing about what is said.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mm_edge.feedback.tasks import FAILED, STARTED, SUCCEEDED
from mm_edge.feedback.wording import short

SHORTEST_S, LONGEST_S = 2.0, 15.0
THINKING_S = (0.2, 2.0)
"""Between steps, while the agent decides what is next."""
LOST, DOUBLED, DELAYED, LATE_S = 0.1, 0.1, 0.2, 6.0
"""What happens to messages on their way, where anything does."""
CAR_BENCH = "MM_EDGE_CAR_BENCH"
"""Environment variable: path of CAR-bench's transcripts (github.com/CAR-bench/car-bench, MIT)."""
BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "text" / "car_bench_base_transcripts.json"

KINDS: dict[str, tuple[tuple[str, str], ...]] = {
    "drive to a contact": (
        ("find {who}", "{number} Lime Street"),
        ("find a charger", "{place}, {number} minutes detour"),
        ("plan the route", "{number} minutes"),
        ("check the weather", "rain from {number} on"),
        ("book the charger", "bay {number}"),
        ("tell {who}", "{who} knows {number}"),
    ),
    "table for two": (
        ("find an inn", "{place} Inn, {number} minutes"),
        ("ask for a table", "free at {number}"),
        ("book it", "code {number}"),
        ("find parking", "{place} Garage, level {number}"),
        ("invite {who}", "{who} comes at {number}"),
        ("note it down", "entry {number}"),
    ),
    "morning briefing": (
        ("read the calendar", "{number} meetings"),
        ("read the mail", "{number} new from {who}"),
        ("read the news", "{place} jam, {number} km"),
        ("check the range", "{number} km"),
        ("warm the cabin", "{number} degrees"),
        ("choose music", "{place} Radio {number}"),
    ),
}
"""Kind of task -> its six steps with what they find; a task of three has the first three."""
WHO, PLACES = ("Anna", "Berg", "Chloe", "Dana", "Emil"), ("Harbour", "Castle", "Station", "Airport", "Meadow")


@dataclass(frozen=True)
class Step:
    """began_s, ended_s: since the task began."""

    index: int
    name: str
    result: str
    began_s: float
    ended_s: float
    works: bool = True


@dataclass(frozen=True)
class Scene:
    """A task as it will happen."""

    id: str
    kind: str
    name: str
    steps: tuple[Step, ...]
    noise: int | None = None
    """Seed of what happens to its messages on their way; None: nothing."""

    @property
    def ended_s(self) -> float:
        return max(step.ended_s for step in self.steps)

    def messages(self) -> list[tuple[float, Any]]:
        """TaskStep-like messages with their times, in order."""
        timed = []
        for step in self.steps:
            timed.append((step.began_s, self._message(step, STARTED, "")))
            status = SUCCEEDED if step.works else FAILED
            timed.append((step.ended_s, self._message(step, status, step.result)))
        if self.noise is not None:
            timed = disturbed(timed, np.random.default_rng([self.noise, 53]))
        return sorted(timed, key=lambda entry: entry[0])

    def _message(self, step: Step, status: int, result: str) -> SimpleNamespace:
        header = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id="")
        named = {"task_id": self.id, "task": self.name, "kind": self.kind, "count": len(self.steps)}
        return SimpleNamespace(header=header, index=step.index, name=step.name, status=status, result=result, **named)


def disturbed(timed: list[tuple[float, Any]], rng: np.random.Generator) -> list[tuple[float, Any]]:
    """Some are lost, some come twice, some come late: after those that follow them. The first one comes in time."""
    first, *rest = timed
    kept = [entry for entry in rest if rng.random() >= LOST]
    twice = [(at_s + rng.uniform(0, LATE_S), message) for at_s, message in kept if rng.random() < DOUBLED]
    late = [(at_s + (rng.uniform(0, LATE_S) if rng.random() < DELAYED else 0), message) for at_s, message in kept]
    return [first, *late, *twice]


def generated(rng: np.random.Generator, number: int, kind: str, count: int, fails: bool = False) -> Scene:
    """A task of `count` steps, one after the other; fails: its last step."""
    at_s, steps = 0.0, []
    for index, (name, result) in enumerate(KINDS[kind][:count], 1):
        words = {"who": rng.choice(WHO), "place": rng.choice(PLACES), "number": int(rng.integers(11, 99))}
        ended_s = at_s + _lasts_s(rng)
        works = not (fails and index == count)
        found = result.format(**words) if works else "no connection"
        steps.append(Step(index, name.format(**words), found, at_s, ended_s, works))
        at_s = ended_s + rng.uniform(*THINKING_S)
    return Scene(f"{kind}-{count}-{number}", f"{kind}, {count} steps", kind, tuple(steps))


def car_bench_path() -> Path | None:
    """Where the transcripts lie; None when they do not."""
    path = Path(os.environ.get(CAR_BENCH) or BESIDE)
    return path if path.is_file() else None


def car_bench(path: Path, rng: np.random.Generator) -> list[Scene]:
    """The tool calls of every task; those of one turn run side by side."""
    tasks = json.loads(path.read_text(encoding="utf-8"))
    scenes = [_transcribed(number, task["traj"], rng) for number, task in enumerate(tasks)]
    return [scene for scene in scenes if scene.steps]


def _transcribed(number: int, trajectory: list[dict[str, Any]], rng: np.random.Generator) -> Scene:
    results = {turn["tool_call_id"]: turn["content"] for turn in trajectory if "tool_call_id" in turn}
    at_s = 0.0
    steps: list[Step] = []
    for turn in trajectory:
        calls = [call for call in turn.get("tool_calls") or () if call["id"] in results]
        for call in calls:
            works, found = _found(results[call["id"]])
            name = call["function"]["name"].replace("_", " ")
            steps.append(Step(len(steps) + 1, name, found, at_s, at_s + _lasts_s(rng), works))
        if calls:
            at_s = max(step.ended_s for step in steps) + rng.uniform(*THINKING_S)
    return Scene(f"car-{number}", "car", "your request", tuple(steps))


def _found(content: str) -> tuple[bool, str]:
    """Whether a tool worked, and the first few plain values that it gave."""
    try:
        answer = json.loads(content)
    except ValueError:
        return False, ""
    result = answer.get("result") if isinstance(answer, dict) else None
    values = result.items() if isinstance(result, dict) else ()
    plain = [
        f"{key.replace('_', ' ')} {value}".lower() for key, value in values if isinstance(value, int | float | str)
    ]
    return isinstance(answer, dict) and answer.get("status") == "SUCCESS", short(", ".join(plain[:2]))


def _lasts_s(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(SHORTEST_S), np.log(LONGEST_S))))


def study(rng: np.random.Generator, runs: int) -> Iterator[list[Scene]]:
    """For every kind of task, of 3 and of 6 steps: so many runs that all work, one after the other."""
    for kind in KINDS:
        for count in (3, 6):
            yield [generated(rng, number, kind, count) for number in range(runs)]
