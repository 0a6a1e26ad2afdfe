"""The answer to "why": where the newest task stands, what of it was not told, and why so much or so little is said.

Knows nothing about when it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from mm_edge.feedback.policy import EVERYTHING, MILESTONES, RESULTS
from mm_edge.feedback.tasks import Step, Task
from mm_edge.feedback.wording import capital

HOW_MUCH = {EVERYTHING: "everything", RESULTS: "every result", MILESTONES: "only milestones"}
LEAST = "only the end"
MOST_RESULTS = 3


def explained(task: Task | None, untold: Sequence[Step], level: int, reasons: Sequence[str]) -> str:
    """In sentences. reasons: of the level, the weightiest last; untold: results that were left out, in order."""
    where = [] if task is None else [_where(task)]
    results = [f"{capital(step.name)}: {step.result or 'done'}." for step in untold[-MOST_RESULTS:]]
    why = [f"I say {HOW_MUCH.get(level, LEAST)}, since {reasons[-1]}."] if reasons else []
    return " ".join([*where, *results, *why])


def _where(task: Task) -> str:
    of = f" of {task.count}" if task.count else ""
    steps = f"{capital(task.name)}: {task.succeeded}{of} steps are done"
    running = task.running
    return f"{steps}, {running[0].name} runs." if running else f"{steps}."
