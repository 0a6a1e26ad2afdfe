"""Whether what was said of a task was known by then: by the sentences alone, with nothing of what made them.

A sentence of which no rule here knows the form counts as unsupported, so that a new wording needs a rule before it can
pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mm_edge.feedback.tasks import FAILED, STARTED, SUCCEEDED

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
Message = tuple[float, Any]
"""When it was published, and something like a TaskStep."""


def unsupported(text: str, at_s: float, messages: Sequence[Message]) -> list[str]:
    """The claims of `text`, said at `at_s`, that no message published by then supports."""
    known = Known([message for published_s, message in messages if published_s <= at_s])
    return [claim for claim in claims(text, known) if not _holds(claim, known)]


class Known:
    """What the messages so far say; a step's newest message counts, but a beginning after its success is late."""

    def __init__(self, messages: Sequence[Any]) -> None:
        self.newest: dict[tuple[str, int], Any] = {}
        self.messages = messages
        for message in messages:
            before = self.newest.get((message.task_id, message.index))
            if before is None or before.status != SUCCEEDED or message.status != STARTED:
                self.newest[message.task_id, message.index] = message

    def named(self, name: str, status: int) -> list[Any]:
        return [m for m in self.newest.values() if m.name.lower() == name.lower() and m.status == status]

    def ended(self, task: str) -> bool:
        """Whether the last step of a task of that name succeeded; "" for any task."""
        ends = [m for m in self.newest.values() if m.index == m.count and m.status == SUCCEEDED]
        return any(task.lower() in ("", m.task.lower()) for m in ends)

    def lefts(self) -> set[int]:
        """How many steps have not succeeded, of each task."""
        tasks = {message.task_id: message for message in self.messages}
        worked = [task for (task, _), message in self.newest.items() if message.status == SUCCEEDED]
        return {message.count - worked.count(task) for task, message in tasks.items()}


def claims(text: str, known: Known) -> Iterator[str]:
    """The clauses of a text; a result may hold full stops, so known ones are taken out first, with their steps' names
    before those without."""
    found = [m for m in known.newest.values() if m.result and m.status == SUCCEEDED]
    rest = text
    for form in (*(f"{m.name}: {m.result}." for m in found), *(f"{m.result}." for m in found)):
        rest = re.sub(rf"(^|(?<=[.] )){re.escape(form)}\s*", "", rest, count=1, flags=re.IGNORECASE)
    yield from filter(None, (clause.strip() for clause in re.split(r"(?<=[.?])\s+", rest.strip())))


def _holds(claim: str, known: Known) -> bool:
    for form, holds in RULES:
        match = re.fullmatch(form, claim, re.IGNORECASE)
        if match and holds(known, *match.groups()):
            return True
    return False


def _began(known: Known, name: str) -> bool:
    return any(message.name.lower() == name.lower() for message in known.messages)


def _runs(known: Known, name: str) -> bool:
    """A step that runs, or a task that does."""
    return bool(known.named(name, STARTED)) or any(
        name.lower() == message.task.lower() and not known.ended(name) for message in known.messages
    )


def _done(known: Known, name: str) -> bool:
    return bool(known.named(name, SUCCEEDED)) or known.ended(name)


def _step(known: Known, index: str, *statuses: int) -> bool:
    """Whether that step is known, in one of these states if any are named."""
    return any(m.index == int(index) and (not statuses or m.status in statuses) for m in known.newest.values())


def _number(word: str) -> int:
    if word.isdigit():
        return int(word)
    return WORDS.index(word.lower()) if word.lower() in WORDS else -1


RULES: tuple[tuple[str, Callable[..., bool]], ...] = (
    (r"OK\.", lambda known: True),
    (r"OK, (.+) first\.", _runs),
    (r"OK, (.+): (\w+) steps?\.", lambda known, task, n: any(m.count == _number(n) for m in known.messages)),
    (r"OK, (.+)\.", lambda known, name: _runs(known, name) or _began(known, name)),
    (r"(?:Now|Still): (.+)\.", _runs),
    (r"Now step (\d+)\.", lambda known, index: _step(known, index, STARTED)),
    (r"Still on it\.", lambda known: not known.ended("")),
    (r"(.+): \d+ seconds so far\.", _runs),
    (r"\d+ seconds so far\.", lambda known: not known.ended("")),
    (r"(?:.+: )?(\w+) steps? left\.", lambda known, n: _number(n) in known.lefts()),
    (r"Step \d+ of \d+: (.+)\.", _runs),
    (r"Step (\d+): done\.", lambda known, index: _step(known, index, SUCCEEDED)),
    (
        r"(?:.+: )?done, but step (\d+) is unknown\.",
        lambda known, index: known.ended("") and not _step(known, index),
    ),
    (r"Done\.", lambda known: known.ended("")),
    (r"(.+): done\.", _done),
    (r"Step (\d+) failed\.", lambda known, index: _step(known, index, FAILED)),
    (r"Failed: (.+)\.", lambda known, why: any(m.result == why and m.status == FAILED for m in known.messages)),
    (r"(.+) failed(?:: .+)?\.", lambda known, name: bool(known.named(name, FAILED))),
    (r"(.+) takes long; I go on quietly\.", _runs),
    (r"It takes long; I go on quietly\.", lambda known: not known.ended("")),
    (r"(.+)\.", lambda known, name: bool(known.named(name, STARTED))),
)
"""Forms of sentences, and what has to be known for each."""
