"""The log of a whole drive in a bounded number of words: one line for each event, the oldest forgotten first.

Knows nothing about sensors, or about who reads the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from mm_edge.model.events import MARKS, NAMES, Event, Names, line

KEPT = 0.75
"""A full log goes down to this share at once: words behind a gap must all be read again, so gaps are to be rare."""
NAME_MARKS = frozenset(mark for mark in MARKS if mark.startswith("@"))


class DriveLog:
    """At most `most_words` words. `written`, `dropped`: words that were ever written, and lines that were forgotten,
    since the drive began.

    A mark is in use while a line carries it, and then stands for one name only.
    """

    def __init__(self, most_words: int) -> None:
        self.most_words = most_words
        self.clear()

    def clear(self) -> None:
        """Forget everything: a new drive begins."""
        self.written = self.dropped = 0
        self._lines: list[list[str]] = []
        self._names = Names()
        self._meanings: dict[str, str] = {}
        self._changed()

    def add(self, event: Event) -> None:
        """Write the next line. Raises ValueError for a name without a letter."""
        words = line(event, self._names)
        if event.name:
            self._give(words[1])
        self._lines.append(words)
        self.written += len(words)
        self._changed()
        if len(self.words) > self.most_words:
            self._forget_oldest(round(self.most_words * KEPT))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All lines, one after the other. The same object until the log changes."""
        return tuple(word for words in self._lines for word in words)

    @property
    def lines(self) -> tuple[list[str], ...]:
        """The words of each line."""
        return tuple(self._lines)

    @property
    def unused(self) -> frozenset[str]:
        """The marks of names that no line carries."""
        return NAME_MARKS.difference(self.words)

    def marked(self, text: str) -> str:
        """A request with marks for the names that it knows."""
        return self._names.marked(text)

    def filled(self, text: str) -> str:
        """An answer with names and numbers for its marks."""
        return self._names.filled(text)

    def _give(self, mark: str) -> None:
        """A mark that stood for another name takes the lines of that name with it."""
        name = self._names.filled(mark)
        if self._meanings.get(mark, name) != name:
            self._keep(words for words in self._lines if mark not in words)
        self._meanings[mark] = name

    def _forget_oldest(self, most_words: int) -> None:
        first, left = 0, len(self.words)
        while first < len(self._lines) and left > most_words:
            left -= len(self._lines[first])
            first += 1
        self._keep(self._lines[first:])
        self._forget_names()

    def _forget_names(self) -> None:
        """Names that no line carries are names no more; the others keep their marks, the longest unused first."""
        used = [mark for mark in dict.fromkeys(reversed(self.words)) if mark in NAME_MARKS][::-1]
        self._meanings = {mark: self._meanings[mark] for mark in used}
        numbers = [int(mark[1:]) for mark in used]
        self._names = Names([*numbers, *(number for number in range(NAMES) if number not in numbers)])
        for mark in used:
            self._names.mark(self._meanings[mark])

    def _keep(self, lines: Iterable[list[str]]) -> None:
        kept = list(lines)
        self.dropped += len(self._lines) - len(kept)
        self._lines = kept
        self._changed()

    def _changed(self) -> None:
        self.__dict__.pop("words", None)
