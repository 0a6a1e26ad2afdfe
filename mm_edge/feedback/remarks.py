"""The sentences about a task: one clause each, of nothing but what its messages said.

Knows nothing about when they are due. `Speech` says how long a sentence takes; its limit is FeedbackConfig.clause_s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from mm_edge.feedback.tasks import FAILED, Step, Task
from mm_edge.feedback.wording import capital

START_S, WORD_S, LETTER_S, STOP_S = 0.1, 0.118, 0.044, 0.26
DIGIT_S, LONG_DIGIT_S = 0.24, 0.55
"""How long each takes at USUAL_WPM, fitted to espeak-ng on 1,480 remarks (standard error 0.14 s). A stop is any mark
within a sentence; a digit is long in a number of more than two, which is read with hundreds and thousands."""
SLACK_S = 0.15
"""How much longer one in seven takes at least: few are as long as may be, so that is enough for one in a hundred."""
READ = {"km": "kilometres", "%": "percent"}
"""What is read as something longer."""
USUAL_WPM = 175.0
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
CHIME = "OK."
"""What stands in the text of a chime, for those who read it."""


@dataclass(frozen=True)
class Speech:
    """How fast it goes, and how long one update may take."""

    words_per_minute: float
    clause_s: float

    def lasts_s(self, text: str) -> float:
        stops = len(re.findall(r"[,;:.?!] ", text))
        read = re.sub(r"\bkm\b|%", lambda short: READ[short[0]], text)
        words = len(re.findall(r"[^\W\d]+", read))
        spoken_s = START_S + WORD_S * words + LETTER_S * sum(map(str.isalpha, read)) + STOP_S * stops
        for number in re.findall(r"\d+", text):
            spoken_s += len(number) * (DIGIT_S if len(number) <= 2 else LONG_DIGIT_S)
        return spoken_s * USUAL_WPM / self.words_per_minute

    def fits(self, text: str) -> bool:
        return self.lasts_s(text) + SLACK_S * USUAL_WPM / self.words_per_minute <= self.clause_s

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


def result(speech: Speech, step: Step, doubt: Doubt, named: bool = True) -> str:
    """What a step found, in full if one clause holds it; never cut within a clause, which can turn its sense."""
    return speech.first_that_fits(*_found(step, doubt)[0 if named else 1 :])


def _found(step: Step, doubt: Doubt) -> list[str]:
    """The ways to say it, the fullest first: with the step's name, without, and so on."""
    name, found, sure = capital(step.name), step.result, step.confidence
    if not isnan(sure) and sure < doubt.hedged:
        return [f"{name}: I am not sure.", "I am not sure of that."]
    plain = [f"{name}: done.", f"Step {step.index}: done."]
    if not found:
        return plain
    if not isnan(sure) and sure < doubt.plain:
        found = f"probably {found}"
    clause = re.split(r"[.;] ", found)[0].strip()
    return [f"{name}: {found}.", f"{capital(found)}.", f"{capital(clause)}.", *plain]


def results(speech: Speech, steps: Sequence[Step], doubt: Doubt, before: str = "") -> tuple[int, str]:
    """As many of the first results as one clause holds after `before`, and their text; without the names of their steps
    where more fit so."""
    named = [result(speech, step, doubt) for step in steps]
    bare = [result(speech, step, doubt, named=False) for step in steps]
    count, texts = max(((_fitting(speech, texts, before), texts) for texts in (named, bare)), key=lambda pair: pair[0])
    return count, " ".join(texts[:count])


def _fitting(speech: Speech, texts: Sequence[str], before: str) -> int:
    count = 0
    while count < len(texts) and speech.fits(" ".join([before, *texts[: count + 1]])):
        count += 1
    return count


def done(speech: Speech, task: Task, told: str) -> str:
    """The end; `told`: what was not said before of what was found, as sentences."""
    if task.missing:
        unknown = f"but step {task.missing[0]} is unknown."
        return speech.first_that_fits(f"{capital(task.name)}: done, {unknown}", f"Done, {unknown}")
    if told:
        return speech.first_that_fits(f"Done. {told}", told)
    return speech.first_that_fits(f"{capital(task.name)}: done.", "Done.")


def failure(speech: Speech, step: Step) -> str:
    return speech.first_that_fits(*_failed(step))


def _failed(step: Step) -> list[str]:
    name, why = capital(step.name), step.result
    return [
        *([f"{name} failed: {why}.", f"Failed: {why}."] if why else []),
        f"{name} failed.",
        f"Step {step.index} failed.",
    ]


def correction(speech: Speech, step: Step, doubt: Doubt) -> str:
    ways = _failed(step) if step.status == FAILED else _found(step, doubt)
    return speech.first_that_fits(*(f"Correction: {way[:1].lower()}{way[1:]}" for way in ways))


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
