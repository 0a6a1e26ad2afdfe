"""Exact counts and last values of what was logged, beside the memory: attention finds, but does not count.

What it states stands in an answer's context as tokens, as what attention finds does. Knows nothing about wordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mm_edge.engine.base import Context, Engine
from mm_edge.model.events import EVENTS, LANDMARKS, NUMBERS
from mm_edge.model.network import CLAIMS

UNKNOWN = "unknown"
MET = ("place", *LANDMARKS)
"""Kinds of events since which stops are counted."""
ENDS = ("done", "failed")
COUNTED = ("stops_since", "doing")
"""Topics that are answered here: not asked of attention."""


@dataclass
class Ledger:
    """counts: of each kind of event; latest: kind -> name and numbers of the latest, as words; stops: place or landmark
    -> stops that were counted when it was last met; running: tasks that neither worked nor failed, the latest last."""

    counts: dict[str, int] = field(default_factory=dict)
    latest: dict[str, list[str]] = field(default_factory=dict)
    stops: dict[str, int] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)

    def add(self, line: Sequence[str]) -> None:
        """One line of the log."""
        kind, name = line[0], line[1] if "name" in EVENTS[line[0]] else ""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.latest[kind] = [*line[1 : 1 + len(EVENTS[kind])]]
        if kind in MET:
            self.stops[name or kind] = self.counts.get("stop", 0)
        if kind == "task" or kind in ENDS:
            self.running = [each for each in self.running if each != name] + [name] * (kind == "task")

    def forget(self, mark: str) -> None:
        """A name that from now on is another's."""
        self.stops.pop(mark, None)
        self.running = [each for each in self.running if each != mark]
        self.latest = {kind: words for kind, words in self.latest.items() if mark not in words}

    def stated(self, topic: str, about: str) -> str | None:
        """What an answer states, as words; None for what is not counted."""
        if topic == "<stops_since>":
            before = self.stops.get(about)
            return UNKNOWN if before is None else f"={min(self.counts.get('stop', 0) - before, NUMBERS - 1)}"
        if topic == "<doing>":
            return self.running[-1] if self.running else UNKNOWN
        return None


def counted(engine: Engine, context: Context, ledger: Ledger) -> Context:
    """What an answer is worded from, with what the ledger states where it is about that."""
    stated = ledger.stated(*context.asked) if context.asked else None
    if stated is None:
        return context
    claims = engine.tokenizer.claims(f"{context.asked[0]} {stated}", CLAIMS)
    return replace(engine.tell([claims], context.style)[0], asked=context.asked)
