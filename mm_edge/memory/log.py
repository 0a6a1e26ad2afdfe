"""The latest lines of a drive's log as words, and which mark stands for which name.

The text is for what is told of the last minutes; what attention finds is in the memory (drive.py), which goes back
further. Knows nothing about sensors, or about who reads the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from mm_edge.model.events import MARKS, NAMES, Event, Names, line

KEPT = 1024
"""Words of text."""
NAME_MARKS = frozenset(mark for mark in MARKS if mark.startswith("@"))


class DriveLog:
    """At most `most_words` words. A mark stands for one name until there are more names than marks: then that of the
    name that was not heard of for longest is given to the new one, and the lines of the old one are forgotten."""

    def __init__(self, most_words: int = KEPT) -> None:
        self.most_words = most_words
        self.clear()

    def clear(self) -> None:
        """Forget everything: a new drive begins."""
        self._lines: deque[list[str]] = deque()
        self._words = 0
        self._names = Names()
        self._meanings: dict[str, str] = {}

    def add(self, event: Event) -> tuple[list[str], str]:
        """Write the next line. Returns its words, and the mark that stood for another name until now, "" for none.
        Raises ValueError for a name without a letter."""
        words = line(event, self._names)
        reused = self._give(words[1]) if event.name else ""
        self._lines.append(words)
        self._words += len(words)
        while self._words > self.most_words:
            self._words -= len(self._lines.popleft())
        return words, reused

    @property
    def lines(self) -> tuple[list[str], ...]:
        """The words of each line, the oldest first."""
        return tuple(self._lines)

    @property
    def unused(self) -> frozenset[str]:
        """The marks of no name."""
        return NAME_MARKS.difference(self._meanings)

    def marked(self, text: str) -> str:
        """A request with marks for the names that it knows."""
        return self._names.marked(text)

    def filled(self, text: str) -> str:
        """An answer with names and numbers for its marks."""
        return self._names.filled(text)

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"lines": [*self._lines], "names": {**self._meanings}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.clear()
        self._meanings = {**state["names"]}
        numbers = [int(mark[1:]) for mark in self._meanings]
        self._names = Names([*numbers, *(number for number in range(NAMES) if number not in numbers)])
        for name in self._meanings.values():
            self._names.mark(name)
        self._keep(state["lines"])

    def _give(self, mark: str) -> str:
        name, before = self._names.filled(mark), self._meanings.pop(mark, None)
        self._meanings[mark] = name
        if before in (None, name):
            return ""
        self._keep([words for words in self._lines if mark not in words])
        return mark

    def _keep(self, lines: Sequence[list[str]]) -> None:
        self._lines = deque(lines)
        self._words = sum(map(len, lines))
