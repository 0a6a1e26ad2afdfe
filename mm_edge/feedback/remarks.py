"""The sentences about a task: one clause each, of nothing but what its messages said.

Knows nothing about when they are due. `Speech` says how long a sentence takes; its limit is FeedbackConfig.clause_s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan

from mm_edge.feedback.tasks import FAILED, Step, Task
from mm_edge.feedback.wording import capital

CHARACTERS_PER_WORD = 6.0
"""With the space after it; a word of more takes as long as several."""
PAUSE_S = 0.1
"""Before and after a sentence."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
CHIME = "OK."
"""What stands in the text of a chime, for those who read it."""


@dataclass(frozen=True)
class Speech:
    """How fast it goes, and how long one update may take."""

    words_per_minute: float
    clause_s: float

    def lasts_s(self, text: str) -> float:
        words = max(len(text.split()), len(text) / CHARACTERS_PER_WORD)
        return PAUSE_S + 60 * words / self.words_per_minute

    def fits(self, text: str) -> bool:
        return self.lasts_s(text) <= self.clause_s

    def first_that_fits(self, *texts: str) -> str:
        """The last one when none fits."""
        return next((text for text in texts if text and self.fits(text)), texts[-1])


@dataclass(frozen=True)
class Doubt:
    """From which calibrated probability a result is said plainly, and from which with a hedge."""

    plain: float
    hedged: float


def acknowledgement(speech: Speech, task: Task) -> str:
    """That the task was taken on, with what is done first: it is the first content, too."""
    running = task.running
    named = [f"OK, {running[0].name} first.", f"OK, {running[0].name}."] if running else []
    return speech.first_that_fits(*named, f"OK, {task.name}.", CHIME)


def taken_on(speech: Speech, task: Task) -> str:
    """The same where only milestones are told."""
    steps = [f"OK, {task.name}: {_steps(task.count)}."] if task.count > 1 else []
    return speech.first_that_fits(*steps, f"OK, {task.name}.", CHIME)


def now(speech: Speech, step: Step) -> str:
    return speech.first_that_fits(f"Now: {step.name}.", f"{capital(step.name)}.", f"Now step {step.index}.")


def result(speech: Speech, step: Step, doubt: Doubt) -> str:
    """What a step found, in full if one clause holds it; never cut within a clause, which can turn its sense."""
    name = capital(step.name)
    if not isnan(step.confidence) and step.confidence < doubt.hedged:
        return speech.first_that_fits(f"{name}: I am not sure.", "I am not sure of that.")
    found = step.result
    if found and not isnan(step.confidence) and step.confidence < doubt.plain:
        found = f"probably {found}"
    clauses = [part.strip() for part in re.split(r"[.;] ", found)][:1]
    full = [f"{name}: {found}.", f"{capital(found)}.", *(f"{capital(part)}." for part in clauses)] if found else []
    return speech.first_that_fits(*full, f"{name}: done.", f"Step {step.index}: done.")


def joined(texts: Sequence[str]) -> str:
    """Several updates as one: "Find Anna: found. Plan the route: done." """
    return " ".join(texts)


def done(speech: Speech, task: Task, told: str) -> str:
    """The end; `told`: what was not said before of what was found, as sentences."""
    if task.missing:
        unknown = f"but step {task.missing[0]} is unknown."
        return speech.first_that_fits(f"{capital(task.name)}: done, {unknown}", f"Done, {unknown}")
    if told:
        return speech.first_that_fits(f"Done. {told}", told)
    return speech.first_that_fits(f"{capital(task.name)}: done.", "Done.")


def failure(speech: Speech, step: Step) -> str:
    name = capital(step.name)
    why = [f"{name} failed: {step.result}.", f"Failed: {step.result}."] if step.result else []
    return speech.first_that_fits(*why, f"{name} failed.", f"Step {step.index} failed.")


def correction(speech: Speech, step: Step, doubt: Doubt) -> str:
    call = "Correction:"
    rest = replace(speech, clause_s=speech.clause_s - speech.lasts_s(call))
    said = failure(rest, step) if step.status == FAILED else result(rest, step, doubt)
    return f"{call} {said[:1].lower()}{said[1:]}"


def cancelled(speech: Speech, task: Task) -> str:
    return speech.first_that_fits(f"{capital(task.name)} was cancelled.", "Cancelled.")


def remaining(speech: Speech, task: Task, several: bool) -> str:
    """How many steps are left; several: other tasks run, too. Only where their number is known."""
    left = f"{_steps(task.left or 0)} left."
    return speech.first_that_fits(f"{capital(task.name)}: {left}", f"{capital(left)}") if several else capital(left)


def still(speech: Speech, task: Task, step: Step | None, now_s: float, turn: int) -> str:
    """That it goes on, without new words for it: every other time with how long it has taken."""
    name = task.name if step is None else step.name
    since_s = task.began_s if step is None else step.began_s
    if turn % 2:
        so_far = f"{round(now_s - since_s)} seconds so far."
        return speech.first_that_fits(f"{capital(name)}: {so_far}", capital(so_far))
    return speech.first_that_fits(f"Still: {name}.", "Still on it.")


def in_background(speech: Speech, task: Task, step: Step | None) -> str:
    name = capital(task.name if step is None else step.name)
    return speech.first_that_fits(f"{name} takes long; I go on quietly.", "It takes long; I go on quietly.")


def given_up(speech: Speech, task: Task) -> str:
    return speech.first_that_fits(f"{capital(task.name)}: I heard no more.", "I heard no more of a task.")


def _steps(number: int) -> str:
    return f"{NUMBERS[number] if number < len(NUMBERS) else number} step{'' if number == 1 else 's'}"
