"""A short sentence about a step of a task that an agent carries out: that it began, what it found, that it failed.

Knows nothing about agents or how sentences are spoken; works on anything with the fields of msg/TaskStep.msg.
"""

from __future__ import annotations

from typing import Any

from mm_edge.feedback.clock import Clock
from mm_edge.feedback.utterance import Kind, Priority, Utterance

STARTED, SUCCEEDED, FAILED, CANCELLED = range(4)
STATUS_NAMES = {STARTED: "started", SUCCEEDED: "succeeded", FAILED: "failed", CANCELLED: "cancelled"}
MAX_CHARACTERS = 160
"""A name or result longer than this is cut: speech must stay short."""
EXPIRES_NS = 5_000_000_000
"""Progress older than this has been overtaken by the task itself."""


def progress(step: Any, clock: Clock) -> Utterance | None:
    """The sentence for a TaskStep-like message; None when there is nothing to say about it."""
    text = sentence(step)
    if not text:
        return None
    stamp = step.header.stamp
    stamp_ns = int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)
    status = int(step.status)
    return Utterance(
        stamp_ns=stamp_ns or clock.now_ns(),
        id=f"{step.task_id or 'task'}/{step.index}/{STATUS_NAMES[status]}",
        text=text,
        kind=Kind.PROGRESS,
        priority=Priority.NORMAL if status == FAILED else Priority.LOW,
        topic="task",
        expires_ns=clock.now_ns() + EXPIRES_NS,
        frame_id=step.header.frame_id,
    )


def sentence(step: Any) -> str:
    """ "" when the step has no name or its status is none of the known ones."""
    name, task, result = short(step.name), short(step.task), short(step.result)
    if not name:
        return ""
    if step.status == STARTED:
        return f"Step {_position(step)}: {name}."
    if step.status == SUCCEEDED:
        return f"{capital(name)}: {result or 'done'}."
    if step.status == FAILED:
        return f"{capital(name)} failed{': ' + result if result else ''}."
    if step.status == CANCELLED:
        return f"{capital(task or name)} was cancelled."
    return ""


def short(text: str) -> str:
    """One line of at most MAX_CHARACTERS, cut at a word, without a full stop."""
    line = " ".join(str(text).split()).rstrip(". ")
    return line if len(line) <= MAX_CHARACTERS else line[:MAX_CHARACTERS].rsplit(" ", 1)[0]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _position(step: Any) -> str:
    return f"{step.index} of {step.count}" if 0 < step.index <= step.count else str(step.index)
