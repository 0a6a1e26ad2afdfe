"""What is said while tasks run, and when.

A task is acknowledged at once, with what is done first; results that come close together are told together, in one
clause; no silence is longer than `quiet_s` at verbosity 2 and above; after `remaining_s` the steps that are left are
said; the end says only what was not said before; and nothing is said of a step before its message. `FeedbackConfig`
holds the numbers and their sources. How much of all this is said, the policy decides anew for every remark.

Pure bookkeeping: time comes in as an argument, on a clock that only goes on, and what is to be said comes out one
remark at a time. Knows nothing about threads, topics or sound. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isnan
from typing import Any

from mm_edge.feedback import remarks
from mm_edge.feedback.account import About, Account, Times, may_say
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.policy import END, MILESTONES, RESULTS, Moment, Policy, Verbosity
from mm_edge.feedback.remarks import Doubt, Speech
from mm_edge.feedback.tasks import FAILED, Change, News, Step, Task, TaskBook
from mm_edge.feedback.wording import ask

HOLD_S = 0.5
"""How often it is looked whether a moment is over in which remarks are held back."""
HEARD = 0.7
"""A remark of which this share was spoken counts as heard: the rest can be guessed."""
KEPT_REMARKS = 64
"""Whose fate on the way to the loudspeaker still counts."""


@dataclass(frozen=True)
class Remark:
    """due_s: when it should be out at the latest; told: the steps whose results it tells; chime: needs no speech."""

    text: str
    about: About
    task: Task
    verbosity: Verbosity
    due_s: float = inf
    told: tuple[int, ...] = ()
    chime: bool = False


@dataclass(frozen=True)
class Offer:
    """Something that may be said from a moment on; rank: how much it matters, 0 most."""

    from_s: float
    rank: int
    account: Account
    verbosity: Verbosity
    about: About


class Progress:
    """`doubt` may be set anew at any time, as may `demanding` and `talk` (whether this is a moment to disturb) and
    `novel` (whether the surroundings are unlike what is known)."""

    def __init__(self, config: FeedbackConfig, policy: Policy, doubt: Doubt) -> None:
        self.policy = policy
        self.doubt = doubt
        self.demanding = self.talk = self.novel = False
        self.faults: list[tuple[str, str]] = []
        """Of the messages so far; whoever reads them empties the list."""
        self.configure(config)
        self._book = TaskBook()
        self._accounts: dict[str, Account] = {}
        self._now_s = self._voice_end_s = -inf
        self._sent: dict[str, Remark] = {}

    def configure(self, config: FeedbackConfig) -> None:
        self.config = config
        self._speech = Speech(config.words_per_minute, config.clause_s)

    # -- what happens -------------------------------------------------------------------------------------------------

    def take(self, message: Any, now_s: float) -> None:
        """A TaskStep-like message came in."""
        now_s = self._advance(now_s)
        change = self._book.take(message, now_s)
        self.faults += change.faults
        if change.task is not None:
            account = self._account(change.task)
            account.background = False
            self._enter(account, change)

    def spoke(self, text: str, now_s: float) -> None:
        """Something is being said from now on."""
        self._voice_end_s = max(self._voice_end_s, self._advance(now_s)) + self._speech.lasts_s(text)

    def sent(self, remark: Remark, name: str) -> None:
        """A remark went out as the utterance `name`."""
        self._sent[name] = remark
        if len(self._sent) > KEPT_REMARKS:
            self._sent.pop(next(iter(self._sent)))

    def ended(self, name: str, sounded: bool, whole: bool, now_s: float, spoken_s: float = 0.0) -> None:
        """What became of an utterance: whether it sounded, and to its end, or for how long. A result or an end that was
        not heard is told again; where less is to be said, the result counts as untold."""
        now_s = self._advance(now_s)
        self._voice_end_s = now_s if sounded else min(self._voice_end_s, now_s)
        remark = self._sent.pop(name, None)
        account = self._accounts.get(remark.task.id) if remark else None
        if remark is None or account is None or account.task is not remark.task:
            return
        if whole or spoken_s >= HEARD * self._speech.lasts_s(remark.text):
            return
        late = account.task.closed and now_s - account.task.heard_s >= self.config.background_s
        worth = remark.told or remark.about == About.OVER
        if late or account.quiet or self.policy.muted:
            account.untold += remark.told
        elif worth:
            account.say_again(remark.told, now_s + self.config.merge_s)

    def stop(self) -> None:
        """The user wants no more of what is running: from these tasks only failures, questions and the end."""
        for account in self._accounts.values():
            account.quiet = True
            account.forget_again()
            account.leave_out()

    def forget(self) -> None:
        """A new drive begins."""
        self._book = TaskBook()
        self._accounts.clear()
        self._sent.clear()

    # -- what is to be said -------------------------------------------------------------------------------------------

    def next(self, now_s: float) -> Remark | None:
        """The remark to make now; None when there is none. Call again until it is None."""
        now_s = self._advance(now_s)
        for account in list(self._accounts.values()):
            self._settle(account, now_s)
        due = [offer for offer in self._offers() if offer.from_s <= now_s]
        if not due:
            return None
        chosen = min(due, key=lambda offer: (offer.rank, offer.account.remarked_s))
        remark = self._remark(chosen.account, chosen.verbosity, chosen.about)
        chosen.account.remarked_s = now_s
        self.spoke(remark.text, now_s)
        return remark

    def next_s(self) -> float:
        """When `next` has to be asked again if no message comes; infinity: never."""
        moments = [offer.from_s for offer in self._offers()]
        moments += [a.task.heard_s + self.config.forget_s for a in self._accounts.values() if not a.task.closed]
        return min(moments, default=inf)

    @property
    def tasks(self) -> list[Task]:
        """That are known, the one heard of last at the end."""
        return sorted(self._book, key=lambda task: task.heard_s)

    def recall(self) -> list[Step]:
        """Results that were left out, and are told now; in the order of their tasks."""
        found = [a.task.steps[index] for a in self._accounts.values() for index in a.untold]
        for account in self._accounts.values():
            account.untold.clear()
        return found

    def verbosity(self, task: Task) -> Verbosity:
        """How much is said of a task now."""
        step = next(iter(task.running or [*task.steps.values()][-1:]), None)
        moment = Moment(
            high_stakes=task.high_stakes,
            novel=self.novel or (step is not None and self.policy.is_new_step(task.kind, step.name)),
            ambiguous=step is not None and len(step.options) > 1,
            unsure=step is not None and not isnan(step.confidence) and step.confidence < self.doubt.plain,
            unsolicited=task.unsolicited,
            demanding=self.demanding,
            talk=self.talk,
        )
        return self.policy(task.kind, moment)

    # -- inside: messages ---------------------------------------------------------------------------------------------

    def _advance(self, now_s: float) -> float:
        """A clock that goes back stands still here."""
        self._now_s = max(self._now_s, now_s)
        return self._now_s

    def _account(self, task: Task) -> Account:
        known = self._accounts.get(task.id)
        if known is None or known.task is not task:
            followed = {each.id for each in self._book if each is not task}
            self._accounts = {name: account for name, account in self._accounts.items() if name in followed}
            known = self._accounts[task.id] = Account(task)
        return known

    def _enter(self, account: Account, change: Change) -> None:
        step = change.step
        if change.news == News.CANCELLED:
            account.leave_out()
        if step is None:
            return
        if change.news == News.STEP:
            account.fillers = 0
            if len(step.options) > 1:
                account.at_once.append((About.QUESTION, step.index))
        elif change.news == News.RESULT:
            account.pending.append(step.index)
        elif change.news in (News.FAILURE, News.CORRECTION):
            self._went_wrong(account, change.news, step)

    def _went_wrong(self, account: Account, news: News, step: Step) -> None:
        if not account.failed:
            account.failed = True
            self.policy.failed(account.task.kind)
        untold = step.index in account.pending
        if untold and step.status != FAILED:
            return  # the new result is told in place of the old one
        if untold:
            account.pending.remove(step.index)
        about = About.FAILURE if untold or news == News.FAILURE else About.CORRECTION
        account.at_once.append((about, step.index))

    def _settle(self, account: Account, now_s: float) -> None:
        """Close what ended, give up what never will, and leave out what is not to be told."""
        task = account.task
        if task.closed:
            if not account.at_once:
                account.leave_out()
        elif now_s - task.heard_s >= self.config.forget_s:
            self._give_up(account)
        elif self.policy.muted:
            account.leave_out()
            if not task.high_stakes:
                account.at_once.clear()
            if task.over:
                self._close(account)
        else:
            verbosity = self.verbosity(task)
            if verbosity.level < RESULTS and not verbosity.hold:
                account.leave_out(but_last=True)
            account.over_s = min(account.over_s, now_s) if task.over else inf
            failed = task.failed and not task.done and not account.pending and not account.at_once
            if task.over and failed:  # that was the last word
                self._close(account)

    def _give_up(self, account: Account) -> None:
        task = account.task
        self.faults.append(("task_never_ended", f"{task.name}: nothing for {self.config.forget_s:.0f} s"))
        if not account.failed:
            self.policy.failed(task.kind)
        account.at_once.append((About.GIVEN_UP, 0))
        task.closed = True

    def _close(self, account: Account) -> None:
        task = account.task
        account.forget_again()
        account.leave_out()
        if task.closed:
            return
        task.closed = True
        if task.missing and task.done:
            self.faults.append(("task_step_missing", f"{task.name}: nothing was heard of steps {task.missing[:5]}"))
        if task.done and not task.cancelled and not account.failed:
            self.policy.worked(task.kind, tuple(step.name for step in task.steps.values()))

    # -- inside: remarks ----------------------------------------------------------------------------------------------

    def _offers(self) -> Iterator[Offer]:
        times = Times(self._now_s, self._voice_end_s)
        for account in self._accounts.values():
            if (account.task.closed or self.policy.muted) and not account.at_once:
                continue
            verbosity = self.verbosity(account.task)
            fitting = len(self._fitting(account, "Done.")[0])
            hold_s = self._now_s + HOLD_S if verbosity.hold else -inf
            offers = may_say(account, verbosity.level, fitting, times, self.config)
            for rank, (from_s, about) in enumerate(offers):
                yield Offer(max(from_s, hold_s), rank, account, verbosity, about)

    def _remark(self, account: Account, verbosity: Verbosity, about: About) -> Remark:
        task, speech, step = account.task, self._speech, account.step
        if about == About.TAKEN_ON:
            return self._acknowledgement(account, verbosity)
        if about == About.GIVEN_UP:
            account.at_once.clear()
            return Remark(remarks.given_up(speech, task), about, task, verbosity)
        if about in (About.QUESTION, About.FAILURE, About.CORRECTION):
            return Remark(self._exception(account), about, task, verbosity)
        if about in (About.RESULT, About.OVER):
            return self._results(account, verbosity, about)
        if about == About.PLAN and step is not None:
            step.told, text = True, remarks.now(speech, step)
        elif about == About.REMAINING:
            account.reported_left = task.left
            text = remarks.remaining(speech, task, several=sum(not a.task.closed for a in self._accounts.values()) > 1)
        elif about == About.BACKGROUND:
            account.background, text = True, remarks.in_background(speech, task, step)
        else:
            text = remarks.still(speech, task, step, self._now_s, account.fillers)
            account.fillers += 1
        return Remark(text, about, task, verbosity)

    def _results(self, account: Account, verbosity: Verbosity, about: About) -> Remark:
        """What was found, and that it is over if it is."""
        task, over = account.task, about == About.OVER
        account.forget_again()
        told, text = self._fitting(account, "Done." if over else "")
        if not told and account.pending:  # longer than a clause whatever its words
            told = account.pending[:1]
            text = remarks.result(self._speech, task.steps[told[0]], self.doubt, named=False)
        account.pending = [index for index in account.pending if index not in told]
        if over:
            text = remarks.cancelled(self._speech, task) if task.cancelled else remarks.done(self._speech, task, text)
            self._close(account)
        return Remark(text, about, task, verbosity, told=tuple(told))

    def _acknowledgement(self, account: Account, verbosity: Verbosity) -> Remark:
        task, speech, level = account.task, self._speech, verbosity.level
        account.acknowledged = True
        due_s = inf if task.unsolicited else task.began_s + self.config.ack_ms / 1e3
        if level == END:
            return Remark(remarks.CHIME, About.TAKEN_ON, task, verbosity, due_s, chime=True)
        if level == MILESTONES:
            return Remark(remarks.taken_on(speech, task), About.TAKEN_ON, task, verbosity, due_s)
        for step in task.running[:1]:
            step.told = True
        return Remark(remarks.acknowledgement(speech, task), About.TAKEN_ON, task, verbosity, due_s)

    def _exception(self, account: Account) -> str:
        about, index = account.at_once.pop(0)
        step, speech = account.task.steps[index], self._speech
        account.acknowledged = step.told = True
        if about == About.QUESTION:
            return ask(step.options)
        if about == About.FAILURE:
            return remarks.failure(speech, step)
        return remarks.correction(speech, step, self.doubt)

    def _fitting(self, account: Account, before: str = "") -> tuple[list[int], str]:
        """So many of the pending results as one clause holds after `before`, and their text."""
        steps = [account.task.steps[index] for index in account.pending]
        count, text = remarks.results(self._speech, steps, self.doubt, before)
        return account.pending[:count], text
