"""What is known of the tasks that an agent carries out, from TaskStep messages in whatever order and number they come.

Every message changes the book, or leaves a named fault and changes nothing. Knows nothing about speech; works on
anything with the fields of msg/TaskStep.msg; time comes in as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite
from typing import Any

from mm_edge.feedback.wording import short

STARTED, SUCCEEDED, FAILED, CANCELLED = range(4)
MAX_TASKS = 32
"""That are followed at a time; the one silent for longest is given up."""
MAX_STEPS = 200
HIGH_STAKES = 2
LATE_S = 5.0
"""So long after the end of a task, what still comes is late."""


class News(Enum):
    """What a message brought."""

    NOTHING = "nothing"
    STEP = "a step began"
    RESULT = "a step succeeded"
    FAILURE = "a step failed"
    CANCELLED = "the task was cancelled"
    CORRECTION = "a step that had ended ended otherwise"


@dataclass
class Step:
    """index: from 1. told: that it runs was said; ended_s: NaN while it runs."""

    index: int
    name: str
    began_s: float
    status: int = STARTED
    result: str = ""
    ended_s: float = float("nan")
    confidence: float = float("nan")
    options: tuple[str, ...] = ()
    told: bool = False

    @property
    def runs(self) -> bool:
        return self.status == STARTED


@dataclass
class Task:
    """count: steps as planned now, 0 for unknown; heard_s: when the last message came."""

    id: str
    name: str
    kind: str
    began_s: float
    heard_s: float
    count: int = 0
    high_stakes: bool = False
    unsolicited: bool = False
    frame_id: str = ""
    stamp_ns: int = 0
    cancelled: bool = False
    closed: bool = False
    """Its end was settled; what still comes of it is late, a correction, or another try."""
    steps: dict[int, Step] = field(default_factory=dict)

    @property
    def running(self) -> list[Step]:
        return sorted((step for step in self.steps.values() if step.runs), key=lambda step: step.index)

    @property
    def failed(self) -> bool:
        return any(step.status == FAILED for step in self.steps.values())

    @property
    def succeeded(self) -> int:
        """Steps that are known to have worked."""
        return sum(step.status == SUCCEEDED for step in self.steps.values())

    @property
    def left(self) -> int | None:
        """Steps that have not worked yet; None when their number is unknown."""
        return self.count - self.succeeded if 0 < self.count >= self.succeeded else None

    @property
    def over(self) -> bool:
        """Its last step ended, and no other is known to run."""
        return self.cancelled or ((self.failed or self.done) and not self.running)

    @property
    def done(self) -> bool:
        """Its last step worked."""
        last = self.steps.get(self.count) if self.count else None
        return last is not None and last.status == SUCCEEDED

    @property
    def missing(self) -> list[int]:
        """Steps of the plan of which nothing was heard."""
        return [index for index in range(1, min(self.count, MAX_STEPS) + 1) if index not in self.steps]


@dataclass(frozen=True)
class Change:
    """What a message changed; no task when it could not be used. faults: (name, in plain words)."""

    news: News
    task: Task | None = None
    step: Step | None = None
    faults: tuple[tuple[str, str], ...] = ()


class TaskBook:
    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return iter([*self.tasks.values()])

    def take(self, message: Any, now_s: float) -> Change:
        """Write down one message. Never raises for what it holds."""
        try:
            step, task_id = _step(message, now_s), short(message.task_id) or short(message.task)
            count, stamp_ns = max(0, int(message.count)), _stamp_ns(message)
        except (AttributeError, TypeError, ValueError) as error:
            return Change(News.NOTHING, faults=(("bad_task_step", str(error)),))
        task = self.tasks.get(task_id)
        if task is None or _begins_anew(task, step, now_s):
            task = self.tasks[task_id] = _task(message, task_id, now_s)
        faults = [*self._crowded(task)]
        task.heard_s = now_s
        task.count = count or task.count
        task.stamp_ns = stamp_ns
        task.closed = task.closed and not (step.runs and task.failed and not task.done)
        news, more = _entered(task, step)
        return Change(news, task, task.steps.get(step.index), (*faults, *more))

    def drop(self, task: Task) -> None:
        self.tasks.pop(task.id, None)

    def _crowded(self, task: Task) -> Iterator[tuple[str, str]]:
        if len(self.tasks) > MAX_TASKS:
            oldest = min((each for each in self if each is not task), key=lambda each: each.heard_s)
            self.drop(oldest)
            yield "too_many_tasks", f"more than {MAX_TASKS} tasks run; {oldest.name} is not followed any more"


def _begins_anew(task: Task, step: Step, now_s: float) -> bool:
    """Whether a task that ended runs once more, under the same id; soon after its end, its own messages are late."""
    return task.closed and step.runs and step.index == 1 and now_s - task.heard_s >= LATE_S


def _entered(task: Task, new: Step) -> tuple[News, list[tuple[str, str]]]:
    """Write a step into its task: what is news about it, and the faults."""
    where = f"{task.name}, step {new.index}"
    old = task.steps.get(new.index)
    if new.status == CANCELLED:
        task.cancelled = True
        return News.CANCELLED, []
    if new.status == STARTED:
        return _began(task, new, old, where)
    if old is None or old.runs or (old.status == new.status == SUCCEEDED and not old.result and new.result):
        new.began_s = new.began_s if old is None else old.began_s
        task.steps[new.index] = new
        return (News.RESULT if new.status == SUCCEEDED else News.FAILURE), []
    if (old.status, old.result) == (new.status, new.result):
        return News.NOTHING, [("task_step_repeated", f"{where} ended twice")]
    new.began_s, new.told = old.began_s, old.told
    task.steps[new.index] = new
    return News.CORRECTION, [("task_step_contradicted", f"{where} ended otherwise than was told before")]


def _began(task: Task, new: Step, old: Step | None, where: str) -> tuple[News, list[tuple[str, str]]]:
    if old is not None and old.status == SUCCEEDED:
        return News.NOTHING, [("task_step_order", f"{where} began after it had ended")]
    if old is not None and old.runs and old.options == new.options:
        return News.NOTHING, [("task_step_repeated", f"{where} began twice")]
    task.steps[new.index] = new  # new, another try after a failure, or a question that was answered
    later = [index for index, step in task.steps.items() if index > new.index and not step.runs]
    return News.STEP, [("task_step_order", f"{where} began after step {max(later)} had ended")] if later else []


def _step(message: Any, now_s: float) -> Step:
    """Raises ValueError, in plain words, for what is no step."""
    name, index, status = short(message.name), int(message.index), int(message.status)
    if not re.search(r"\w", name):
        raise ValueError(f"a step of {short(message.task) or 'a task'} has no name")
    if not 1 <= index <= MAX_STEPS:
        raise ValueError(f"step {index} is not one of 1 to {MAX_STEPS}")
    if status not in range(CANCELLED + 1):
        raise ValueError(f"status {status} is unknown")
    confidence = float(getattr(message, "confidence", 0.0))
    return Step(
        index=index,
        name=name,
        began_s=now_s,
        status=status,
        result=short(message.result) if status != STARTED else "",
        ended_s=float("nan") if status == STARTED else now_s,
        confidence=confidence if isfinite(confidence) and 0 < confidence <= 1 else float("nan"),
        options=tuple(filter(None, map(short, getattr(message, "options", ())))),
    )


def _task(message: Any, task_id: str, now_s: float) -> Task:
    name = short(message.task) or short(message.name)
    return Task(
        id=task_id,
        name=name,
        kind=short(getattr(message, "kind", "")) or name,
        began_s=now_s,
        heard_s=now_s,
        high_stakes=int(getattr(message, "stakes", 0)) >= HIGH_STAKES,
        unsolicited=bool(getattr(message, "unsolicited", False)),
        frame_id=str(message.header.frame_id),
    )


def _stamp_ns(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
