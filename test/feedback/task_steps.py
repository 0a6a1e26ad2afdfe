"""Messages like TaskStep, and a clock's hand that drives Progress through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from types import SimpleNamespace
from typing import Any

from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.policy import Policy
from mm_edge.feedback.progress import Progress, Remark
from mm_edge.feedback.remarks import Doubt, Speech
from mm_edge.feedback.tasks import FAILED, STARTED, SUCCEEDED

CONFIG = FeedbackConfig()
SPEECH = Speech(CONFIG.words_per_minute, CONFIG.clause_s)
STEPS = ("find Anna", "find a charger", "plan the route")


def step(index: int = 1, status: int = STARTED, result: str = "", **fields: Any) -> SimpleNamespace:
    header = SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0), frame_id="")
    values = {"task_id": "t", "task": "drive to Anna", "count": 3, "name": STEPS[(index - 1) % 3]}
    return SimpleNamespace(header=header, index=index, status=status, result=result, **(values | fields))


def began(index: int = 1, **fields: Any) -> SimpleNamespace:
    return step(index, STARTED, **fields)


def found(index: int = 1, result: str = "", **fields: Any) -> SimpleNamespace:
    return step(index, SUCCEEDED, result, **fields)


def failed(index: int = 1, result: str = "", **fields: Any) -> SimpleNamespace:
    return step(index, FAILED, result, **fields)


Timed = tuple[float, Any]


def journey(at_s: float = 0.0, each_s: float = 3.0, **fields: Any) -> list[Timed]:
    """A task of three steps, one after the other, each with a result."""
    results = ("Lime Street", "Ionity, six minutes", "42 minutes")
    timed: list[Timed] = []
    for index, result in enumerate(results, 1):
        timed += [(at_s, began(index, **fields)), (at_s + each_s, found(index, result, **fields))]
        at_s += each_s + 0.1
    return timed


@dataclass
class Told:
    """What was said when; `texts` of it."""

    remarks: list[tuple[float, Remark]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [remark.text for _, remark in self.remarks]

    @property
    def about(self) -> list[str]:
        return [remark.about.value for _, remark in self.remarks]

    @property
    def levels(self) -> set[int]:
        return {remark.verbosity.level for _, remark in self.remarks}

    def longest_silence_s(self, end_s: float, begin_s: float = 0.0) -> float:
        """Between the end of one remark, by the model of speech, and the start of the next."""
        config = FeedbackConfig()
        speed = 60 / config.words_per_minute
        free_s, longest_s = begin_s, 0.0
        for at_s, remark in [*self.remarks, (end_s, None)]:
            longest_s = max(longest_s, at_s - free_s)
            if remark is not None:
                free_s = max(free_s, at_s) + speed * len(remark.text.split())
        return longest_s


def trained(runs: int) -> Policy:
    """After so many runs that worked."""
    policy = Policy(CONFIG)
    for _ in range(runs):
        policy.worked("drive to Anna", STEPS)
    return policy


def made(policy: Policy | None = None, **settings: Any) -> Progress:
    config = FeedbackConfig(**settings)
    return Progress(config, policy or Policy(config), Doubt(plain=0.7, hedged=0.4))


def told(progress: Progress, timed: Sequence[Timed], until_s: float) -> Told:
    """Let the messages come at their times, and time pass in between as `next_s` asks for."""
    said, waiting = Told(), sorted(timed, key=lambda entry: entry[0])
    now_s = waiting[0][0] if waiting else 0.0
    while True:
        coming_s = waiting[0][0] if waiting else inf
        now_s = max(now_s, min(coming_s, progress.next_s()))
        if now_s > until_s:
            return said
        if coming_s <= now_s:
            progress.take(waiting.pop(0)[1], now_s)
        while (remark := progress.next(now_s)) is not None:
            said.remarks.append((now_s, remark))
