"""What a drive's log holds, and how it reads: one line of tokens for each event.

Names and numbers are open: a name stands in the log, in requests and in answers as a mark "@k", a number as "=n", so
that the network only ever copies them. Knows nothing about where events come from or who reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NAMES, NUMBERS = 64, 200
"""How many different marks there are: "@0" to "@63", and "=0" to "=199"."""

EVENTS: dict[str, tuple[str, ...]] = {
    "limit": ("number",),  # km/h on a sign
    "red": ("number",),  # seconds waited at a red light
    "stop": ("number",),  # seconds of standing
    "brake": (),  # the vehicle ahead, hard
    "pedestrian": (),  # in our lane
    "siren": (),
    "rain": (),
    "fog": (),
    "clear": (),
    "place": ("name",),  # entered
    "tunnel": (),
    "bridge": (),
    "toll": (),
    "border": (),
    "park": ("name",),  # where
    "charge": ("name", "number"),  # where, percent gained
    "call": ("name", "number"),  # with whom, minutes
    "message": ("name",),  # from whom
    "traffic": ("number",),  # news of a jam, minutes lost
    "tyres": ("number",),  # pressure, psi
    "service": ("number", "number"),  # days since the last, days until the next
    "route": ("name", "number", "number"),  # destination, km, minutes
    "task": ("name",),  # began
    "done": ("name",),
    "failed": ("name",),
}
"""The kinds of events and their arguments. A kind is one word, and one token."""
LANDMARKS = ("tunnel", "bridge", "toll", "border")
"""What is passed and has no name."""
_NUMBERS = tuple(f"={n}" for n in range(NUMBERS))
MARKS = frozenset({*(f"@{k}" for k in range(NAMES)), *_NUMBERS})
SOMEONE = "someone"
"""What a mark that stands for no name is filled with."""
_FILLED = re.compile(r"@(\d+)|=(\d+)(?: =(\d+))?")


@dataclass(frozen=True)
class Event:
    """time_s: seconds since local midnight; name and numbers as EVENTS has them. Raises ValueError otherwise."""

    time_s: float
    kind: str
    name: str = ""
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        arguments = EVENTS.get(self.kind)
        if arguments is None:
            raise ValueError(f"no such kind of event: {self.kind!r}")
        if bool(self.name) != ("name" in arguments) or len(self.numbers) != arguments.count("number"):
            raise ValueError(f"{self.kind!r} takes {arguments}, not {self.name!r} and {self.numbers}")
        if not 0 <= self.time_s < float("inf"):
            raise ValueError(f"not a time of day: {self.time_s}")


class Names:
    """Which mark stands for which name, whatever its case; `order`: the marks in the order they are given out.

    When all are taken, the name whose `mark` was asked for longest ago loses its own to the new one.
    """

    def __init__(self, order: Iterable[int] = range(NAMES)) -> None:
        self._free = [f"@{k}" for k in order][::-1]
        self._known: dict[str, tuple[str, str]] = {}  # key -> mark, name as first written; the longest unused first
        self._search: tuple[re.Pattern[str], list[str]] | None = None  # the mark of each group
        if not self._free or len({*self._free}) != len(self._free) or not MARKS.issuperset(self._free):
            raise ValueError(f"`order` needs different numbers from 0 to {NAMES - 1}")

    def mark(self, name: str) -> str:
        """The mark of a name, which is registered if it is new. Raises ValueError for a name without a letter."""
        written = _typed(name)
        known = self._known.pop(written.casefold(), None)
        if known is None:
            if not re.search(r"\w", written):
                raise ValueError(f"not a name: {name!r}")
            taken = self._free.pop() if self._free else self._known.pop(next(iter(self._known)))[0]
            known, self._search = (taken, written), None
        self._known[written.casefold()] = known
        return known[0]

    def marked(self, text: str) -> str:
        """A request with every registered name, as whole words and longest first, replaced by its mark. "@" and "="
        are removed, so that nobody can type a mark."""
        typed = _typed(text)
        if not self._known:
            return typed
        if typed.casefold() in self._known:
            return self._known[typed.casefold()][0]
        if self._search is None:
            longest = sorted(self._known.values(), key=lambda known: -len(known[1]))
            either = "|".join(f"({re.escape(name)})" for _, name in longest)
            self._search = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE), [mark for mark, _ in longest]
        pattern, marks = self._search
        return pattern.sub(lambda match: marks[(match.lastindex or 1) - 1], typed)

    def filled(self, text: str) -> str:
        """An answer with names and numbers for its marks; two numbers side by side are a time of day."""
        names = dict(self._known.values())

        def said(match: re.Match[str]) -> str:
            name, number, minute = match.groups()
            if name:
                return names.get(f"@{name}", SOMEONE)
            return number if minute is None else f"{number}:{int(minute):02d}"

        return _FILLED.sub(said, text)


def line(event: Event, names: Names) -> list[str]:
    """The tokens of one line of the log: kind, name, numbers, hour, minute. A number beyond the marks is clipped.

    What is asked for stands behind what it is asked by: a trunk that reads forward then knows at once what it is for.
    """
    hour, minute = divmod(int(event.time_s // 60) % (24 * 60), 60)
    name = (names.mark(event.name),) if event.name else ()
    numbers = [_NUMBERS[min(max(number, 0), NUMBERS - 1)] for number in event.numbers]
    return [event.kind, *name, *numbers, _NUMBERS[hour], _NUMBERS[minute]]


def _typed(text: str) -> str:
    """What a person wrote, without the signs of marks and with single spaces."""
    return " ".join(text.replace("@", "").replace("=", "").split())
