"""Tasks on a line of time: each step from its begin to its end, and under them what was said meanwhile.

Places are in percent of a task's width, so that a page of any width shows them. Knows nothing about markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from mm_edge.feedback.tasks import FAILED, SUCCEEDED, Step, Task, TaskBook
from mm_edge.report.recording import Recording, Timed

BEFORE_S, AFTER_S = 0.5, 3.0
"""Shown before the first and after the last message of a task: the end is still being said."""
INTERVALS_S = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 9
MOST_TASKS = 20
STARTED, FINISHED = 1, 2
"""States of SpeechStatus; later ones are other ends."""
NARROWEST = 0.6
"""Percent: what is shorter could not be seen."""


@dataclass(frozen=True)
class Bar:
    """left, width: in percent."""

    left: float
    width: float
    label: str = ""
    kind: str = ""
    text: str = ""
    at: str = ""


@dataclass(frozen=True)
class Line:
    """One task. figures: what is worth a number, in words; ticks: (place in percent, seconds)."""

    name: str
    figures: str
    steps: list[Bar]
    said: list[Bar]
    ticks: list[tuple[float, str]]


@dataclass(frozen=True)
class Sentence:
    """began_s, ended_s: when it was heard; without a speaker's report, when it was published. whole: to its end."""

    text: str
    kind: int
    began_s: float
    ended_s: float
    whole: bool = True


@dataclass(frozen=True)
class Scale:
    start_s: float
    end_s: float

    def place(self, t_s: float) -> float:
        return 100 * (min(max(t_s, self.start_s), self.end_s) - self.start_s) / (self.end_s - self.start_s)

    def bar(self, from_s: float, to_s: float, **rest: str) -> Bar:
        left = self.place(from_s)
        return Bar(left, max(NARROWEST, self.place(to_s) - left), **rest)

    def ticks(self) -> list[tuple[float, str]]:
        lasts_s = self.end_s - self.start_s
        every_s = next((each for each in INTERVALS_S if lasts_s / each <= MOST_TICKS), INTERVALS_S[-1])
        first = -(-self.start_s // every_s) * every_s
        moments = [first + index * every_s for index in range(int((self.end_s - first) // every_s) + 1)]
        return [(self.place(t_s), clock(t_s)) for t_s in moments]


def lines(recording: Recording, kinds: Sequence[str]) -> list[Line]:
    """The first MOST_TASKS tasks of a recording. kinds: the names of kinds of utterances."""
    sentences = spoken(recording)
    return [_line(task, sentences, kinds) for task in tasks(recording.of("/task_step"))[:MOST_TASKS]]


def tasks(steps: Sequence[Timed]) -> list[Task]:
    """In the order of their first messages; a task that ran twice under one id is two."""
    book, found = TaskBook(), dict[int, Task]()
    for t_s, message in steps:
        task = book.take(message, t_s).task
        if task is not None:
            found[id(task)] = task
            task.closed = task.over
    return sorted(found.values(), key=lambda task: task.began_s)


def spoken(recording: Recording) -> list[Sentence]:
    """Every sentence that was heard, or that no speaker reported on."""
    times: dict[str, dict[int, float]] = {}
    for t_s, status in recording.of("/speech/status"):
        times.setdefault(status.utterance_id, {})[min(status.state, FINISHED + 1)] = t_s
    found = []
    for t_s, utterance in recording.of("/utterance"):
        states = times.get(utterance.id)
        if states is None:
            found.append(Sentence(utterance.text, utterance.kind, t_s, t_s))
        elif STARTED in states:
            began_s = states[STARTED]
            found.append(Sentence(utterance.text, utterance.kind, began_s, max(states.values()), FINISHED in states))
    return sorted(found, key=lambda sentence: sentence.began_s)


def _line(task: Task, sentences: Sequence[Sentence], kinds: Sequence[str]) -> Line:
    ends_s = [task.heard_s, *(step.ended_s for step in task.steps.values() if not isnan(step.ended_s))]
    scale = Scale(task.began_s - BEFORE_S, max(ends_s) + AFTER_S)
    during = [each for each in sentences if scale.start_s <= each.began_s <= scale.end_s]
    said = [_heard(scale, number, each, kinds) for number, each in enumerate(during, 1)]
    steps = [_bar(scale, step, task.heard_s) for step in sorted(task.steps.values(), key=lambda step: step.index)]
    words = sum(len(each.text.split()) for each in during)
    silence_s = longest_silence_s(during, task.began_s, task.heard_s)
    figures = f"{task.heard_s - task.began_s:.0f} s · {words} words · longest silence {silence_s:.1f} s"
    return Line(task.name, figures, steps, said, scale.ticks())


def _heard(scale: Scale, number: int, each: Sentence, kinds: Sequence[str]) -> Bar:
    kind, text = kinds[each.kind], each.text
    if not each.whole:
        kind, text = f"{kind} cut", f"{text} (cut off)"
    named = {"label": str(number), "kind": kind, "text": text, "at": clock(each.began_s, 1)}
    return scale.bar(each.began_s, each.ended_s, **named)


def longest_silence_s(during: Sequence[Sentence], from_s: float, to_s: float) -> float:
    """Between two sentences, or one and an end of the time."""
    free_s, longest_s = from_s, 0.0
    for each in during:
        longest_s = max(longest_s, min(each.began_s, to_s) - free_s)
        free_s = max(free_s, each.ended_s)
    return max(longest_s, to_s - free_s)


def _bar(scale: Scale, step: Step, now_s: float) -> Bar:
    kind = {SUCCEEDED: "ok", FAILED: "bad"}.get(step.status, "open")
    ended_s = now_s if isnan(step.ended_s) else step.ended_s
    return scale.bar(step.began_s, ended_s, label=f"{step.index} {step.name}", kind=kind, text=step.result)


def clock(t_s: float, digits: int = 0) -> str:
    """1:05 or 1:05.2"""
    minutes, seconds = divmod(round(t_s, digits), 60)
    return f"{int(minutes)}:{seconds:0{3 + digits if digits else 2}.{digits}f}"
