"""What is going on, as one line for a screen that is read at a glance.

A glance away from the road is at most 2 s (NHTSA guidelines, 78 FR 24817), which at 4 words a second is 8 words. Knows
nothing about screens; works on what is known of the tasks.
"""

from __future__ import annotations

from collections.abc import Sequence

from mm_edge.feedback.tasks import FAILED, Task

MOST_WORDS = 8
MOST_CHARACTERS = 48
SHOWN_S = 10.0
"""How long the end of a task stays."""


def line(tasks: Sequence[Task], now_s: float, muted: bool = False) -> str:
    """Of tasks, the one heard of last at the end; "" when there is nothing to show."""
    open_tasks = [task for task in tasks if not task.closed]
    ended = [task for task in tasks if task.closed and now_s - task.heard_s < SHOWN_S]
    shown = open_tasks[-1:] or ended[-1:]
    if not shown:
        return "muted" if muted else ""
    more = f" +{len(open_tasks) - 1}" if len(open_tasks) > 1 else ""
    start = "muted, " if muted else ""
    return f"{start}{_cut(_task(shown[0]), start + more)}{more}"


def until_s(tasks: Sequence[Task], now_s: float) -> float:
    """When the line changes without a message; infinity: never."""
    ends = [task.heard_s + SHOWN_S for task in tasks if task.closed]
    return min((end_s for end_s in ends if end_s > now_s), default=float("inf"))


def _task(task: Task) -> str:
    if task.cancelled:
        return f"cancelled: {task.name}"
    failed = [step for step in task.steps.values() if step.status == FAILED]
    if failed and not task.running and not task.done:
        return f"failed: {failed[-1].name}"
    if task.over:
        return f"done: {task.name}"
    step = next(iter(task.running), None)
    if step is None:
        return f"{task.succeeded}/{task.count or '?'} {task.name}"
    if len(step.options) > 1:
        return f"{' or '.join(step.options[:2])}?"
    return f"{step.index}/{task.count or '?'} {step.name}"


def _cut(text: str, beside: str) -> str:
    """Whole words, as many as may be read."""
    words = text.split()[: MOST_WORDS - len(beside.split())]
    while len(words) > 1 and len(" ".join(words)) + len(beside) > MOST_CHARACTERS:
        words.pop()
    return " ".join(words)[: MOST_CHARACTERS - len(beside)]
