"""How far one task was told, and what may be said of it from when on. Pure functions of that and the time.

Knows nothing about words or about other tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf

from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.policy import EVERYTHING, MILESTONES, RESULTS
from mm_edge.feedback.tasks import Step, Task

LEAD_S = 0.5
"""How long before a silence would be too long a remark goes out: the voice has to get ready."""
PATIENCE_S = 2.0
"""How long a result waits for a free voice before it is put into the line of what is to be spoken."""


class About(Enum):
    """What a remark is about."""

    TAKEN_ON = "taken on"
    PLAN = "plan"
    RESULT = "result"
    REMAINING = "remaining"
    STILL = "still"
    QUESTION = "question"
    FAILURE = "failure"
    CORRECTION = "correction"
    BACKGROUND = "background"
    OVER = "over"
    GIVEN_UP = "given up"


AGAIN = frozenset({About.OVER, About.RESULT})
"""What is said of a task that is over only because it was not heard."""


@dataclass
class Account:
    """pending: steps whose results are still to be told, in order; untold: those that were left out, since less was to
    be said; at_once: what cannot wait, and for which step; fillers: remarks that a step goes on; background: it takes
    long, and that was said; quiet: the user stopped it; again_s: when what was not heard may be told again;
    over_s: when its end was seen."""

    task: Task
    acknowledged: bool = False
    pending: list[int] = field(default_factory=list)
    untold: list[int] = field(default_factory=list)
    at_once: list[tuple[About, int]] = field(default_factory=list)
    reported_left: int | None = None
    remarked_s: float = -inf
    fillers: int = 0
    background: bool = False
    quiet: bool = False
    failed: bool = False
    again_s: float = -inf
    over_s: float = inf

    @property
    def step(self) -> Step | None:
        """The first one that runs."""
        return next(iter(self.task.running), None)

    def leave_out(self, but_last: bool = False) -> None:
        """Do not tell what is pending; but_last: the last step's result is told with the end."""
        kept = [index for index in self.pending if but_last and index == self.task.count]
        self.untold += [index for index in self.pending if index not in kept]
        self.pending = kept

    def say_again(self, told: Sequence[int], at_s: float) -> None:
        """From `at_s` on, tell once more what was not heard; after the end of the task, with the end if it is good."""
        self.pending = sorted({*self.pending, *told})
        self.again_s = at_s
        if self.task.closed:
            self.forget_again()
            self.at_once.append((About.OVER if self.task.done or self.task.cancelled else About.RESULT, 0))

    def forget_again(self) -> None:
        """Do not say again what was said when it was over."""
        self.at_once = [(about, index) for about, index in self.at_once if about not in AGAIN]


@dataclass(frozen=True)
class Times:
    """now_s; voice_end_s: when the voice is, or was, free."""

    now_s: float
    voice_end_s: float


def may_say(
    account: Account, level: int, fitting: int, times: Times, config: FeedbackConfig
) -> Iterator[tuple[float, About]]:
    """What may be said from when on, what matters most first. fitting: how many pending results one clause holds
    beside the end."""
    task = account.task
    if account.at_once:
        about, _ = account.at_once[0]
        yield (account.again_s if about in AGAIN else -inf), about
    elif task.closed:
        return
    elif task.over:
        yield _end(account, fitting, times, config)
    elif not account.acknowledged:
        yield task.began_s, About.TAKEN_ON
    elif not account.quiet and not account.background:
        for from_s, about in _ongoing(account, level, times, config):
            yield (_queued(from_s, times) if about == About.RESULT else max(from_s, times.voice_end_s)), about


def _queued(from_s: float, times: Times) -> float:
    """A result waits for the voice, but not for ever: then it waits in line behind what is being said."""
    return min(max(from_s, times.voice_end_s), from_s + PATIENCE_S)


def _end(account: Account, fitting: int, times: Times, config: FeedbackConfig) -> tuple[float, About]:
    """At once, unless a message may only be late, or results have to be told alone: they need more than one clause, or
    the end says something else."""
    task = account.task
    alone = bool(task.missing) or (task.failed and not task.done)
    if fitting < len(account.pending) or (account.pending and alone):
        return _queued(account.over_s, times), About.RESULT
    return account.over_s + (config.merge_s if task.missing else 0.0), About.OVER


def _ongoing(account: Account, level: int, times: Times, config: FeedbackConfig) -> Iterator[tuple[float, About]]:
    task, step = account.task, account.step
    silent_s = times.voice_end_s + config.quiet_s - LEAD_S
    if account.pending and level >= RESULTS:
        merged_s = max(task.steps[account.pending[0]].ended_s + config.merge_s, account.again_s)
        yield min(merged_s, silent_s), About.RESULT
    if level == EVERYTHING and step and not step.told and not account.pending:
        yield step.began_s, About.PLAN
    if level == MILESTONES and task.left and task.left != account.reported_left:
        said_s = task.began_s if account.reported_left is None else account.remarked_s
        yield said_s + config.remaining_s, About.REMAINING
    if level >= MILESTONES and (step or task.count):
        yield task.heard_s + config.background_s, About.BACKGROUND
    if level >= RESULTS and (step or task.count):
        yield silent_s, _filler(account, times.now_s, config)


def _filler(account: Account, now_s: float, config: FeedbackConfig) -> About:
    """What breaks a silence: a result, else a step not named yet, else what is left, else that it goes on."""
    task, step = account.task, account.step
    if account.pending:
        return About.RESULT
    if step and not step.told:
        return About.PLAN
    late = now_s - task.began_s >= config.remaining_s
    return About.REMAINING if late and task.left and task.left != account.reported_left else About.STILL
