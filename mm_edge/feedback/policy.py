"""How much to say: the level of verbosity, from how reliable a kind of task has been and from the moment.

3: the plan, every result and how sure it is; 2: every result; 1: milestones and the end; 0: a chime and the end. A new
kind of task begins at 3 and says less as it proves itself; a failure or a correction brings 3 back at once, and the way
down begins again. The order of what counts: reliability, then the moment (stakes, novelty, ambiguity, doubt raise it;
a demanding moment or talk in the cabin lowers what nobody asked for), then what the user asked for.

After Kirmayr et al. (CHI 2026, arXiv 2602.15569): the recommendations of the abstract and themes T1 to T4 of their
codebook. The policy itself was elicited there, not built; all numbers are this project's. Knows nothing about what is
said. May be used from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mm_edge.feedback.beta import quantile
from mm_edge.feedback.config import FeedbackConfig

END, MILESTONES, RESULTS, EVERYTHING = range(4)
MAX_KINDS = 64
"""Of which reliability is kept; the kind not seen for longest is forgotten."""
MAX_STEPS = 32
"""Names of steps that are known of one kind."""
MAX_CHARACTERS = 80
MOST_RUNS = 1e6
COMMANDS = ("mute", "unmute", "more", "less", "normal")
"""Words of the user's that change how much is said until they are taken back."""


@dataclass(frozen=True)
class Moment:
    """What there is to consider beside reliability. confidence: calibrated, of what would be said; NaN: unknown."""

    high_stakes: bool = False
    novel: bool = False
    ambiguous: bool = False
    unsure: bool = False
    unsolicited: bool = False
    demanding: bool = False
    talk: bool = False


@dataclass(frozen=True)
class Verbosity:
    """hold: what is to be said waits until the moment is over; reasons: in plain words."""

    level: int
    reasons: tuple[str, ...] = ()
    hold: bool = False


@dataclass
class Record:
    """Of one kind of task. worked, failed: discounted counts; runs: since the last failure, or ever; watched: runs that
    are still told in full after a failure."""

    worked: float = 0.0
    failed: float = 0.0
    runs: int = 0
    watched: int = 0
    steps: list[str] = field(default_factory=list)


class Policy:
    def __init__(self, config: FeedbackConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        self._offset = 0
        self._muted = False
        self.changes = 0
        """Goes up with everything that is worth keeping."""

    @property
    def muted(self) -> bool:
        return self._muted

    def __call__(self, kind: str, moment: Moment) -> Verbosity:
        """How much to say about something of this kind now."""
        with self._lock:
            level, reason = self._earned(kind)
            reasons = [reason]
            level, raised = _raised(level, moment)
            hold = moment.unsolicited and not moment.high_stakes and (moment.demanding or moment.talk)
            if hold:
                level = min(level, MILESTONES)
                raised = ["the driver is busy" if moment.demanding else "people talk"]
            return self._as_asked(level, [*reasons, *raised], moment, hold)

    def reliability(self, kind: str) -> float:
        """What the share of runs that work is at least, but for the probability `quantile`."""
        record = self._records.get(name_of(kind), Record())
        return quantile(self.config.quantile, 1 + record.worked, 1 + record.failed)

    def reliabilities(self) -> dict[str, float]:
        """Of every kind that is known, the one seen last at the end."""
        with self._lock:
            return {kind: self.reliability(kind) for kind in self._records}

    def is_new_step(self, kind: str, step: str) -> bool:
        """Whether no run of this kind had that step; a kind that never ran has no new steps, only a new plan."""
        with self._lock:
            record = self._records.get(name_of(kind))
            return record is not None and record.runs > 0 and name_of(step) not in record.steps

    def worked(self, kind: str, steps: tuple[str, ...] = ()) -> None:
        """A run ended well, with these steps."""
        with self._lock:
            record = self._discounted(kind)
            record.worked += 1
            record.runs += 1
            record.watched = max(0, record.watched - 1)
            known = [*record.steps, *(name for name in map(name_of, steps) if name not in record.steps)]
            record.steps = list(dict.fromkeys(known))[-MAX_STEPS:]

    def failed(self, kind: str) -> None:
        """A run failed, or the user or a later message corrected what was said."""
        with self._lock:
            record = self._discounted(kind)
            record.failed += self.config.failure_weight
            record.watched = self.config.after_failure_runs

    def command(self, word: str) -> bool:
        """Obey one of COMMANDS; False when it is none."""
        if word not in COMMANDS:
            return False
        with self._lock:
            steps = {"more": 1, "less": -1}
            self._offset = max(-EVERYTHING, min(EVERYTHING, self._offset + steps.get(word, 0)))
            if word == "normal":
                self._offset = 0
            self._muted = word == "mute" or (self._muted and word == "less")
            self.changes += 1
        return True

    # -- keeping ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What a restart should not forget, as plain values. A mute is forgotten: it was meant for a moment."""
        with self._lock:
            kinds = {kind: vars(record) | {"steps": [*record.steps]} for kind, record in self._records.items()}
            return {"offset": self._offset, "kinds": kinds}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. Raises ValueError when it is none; nothing has changed then."""
        try:
            offset = _within(int(state["offset"]), -EVERYTHING, EVERYTHING)
            records = {name_of(kind): _record(values) for kind, values in state["kinds"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"no state of feedback ({type(error).__name__}: {error})") from error
        with self._lock:
            self._offset, self._records = int(offset), dict([*records.items()][-MAX_KINDS:])

    # -- inside, with the lock held -----------------------------------------------------------------------------------

    def _earned(self, kind: str) -> tuple[int, str]:
        record, config = self._records.get(name_of(kind), Record()), self.config
        if record.watched:
            return EVERYTHING, "it failed or was corrected lately"
        if record.runs < config.first_runs:
            return EVERYTHING, "it is a new kind of task"
        reliability = self.reliability(kind)
        froms = (config.results_from, config.milestones_from, config.end_from)
        return EVERYTHING - sum(reliability >= limit for limit in froms), f"it works in {reliability:.0%} at least"

    def _as_asked(self, level: int, reasons: list[str], moment: Moment, hold: bool) -> Verbosity:
        if self._muted:
            return Verbosity(END, (*reasons, "the user muted it"), hold=not moment.high_stakes)
        if self._offset:
            lowest = MILESTONES if moment.high_stakes else END
            level = _within(level + self._offset, lowest, EVERYTHING)
            reasons = [*reasons, "the user asked for more" if self._offset > 0 else "the user asked for less"]
        return Verbosity(level, tuple(reasons), hold)

    def _discounted(self, kind: str) -> Record:
        """The record of a kind, made the newest; earlier runs count a little less with every run."""
        name = name_of(kind)
        record = self._records.pop(name, Record())
        self._records[name] = record
        if len(self._records) > MAX_KINDS:
            self._records.pop(next(iter(self._records)))
        record.worked *= self.config.forgetting
        record.failed *= self.config.forgetting
        self.changes += 1
        return record


def name_of(text: str) -> str:
    """Kinds and steps by which runs are compared: one line, in lower case."""
    return " ".join(str(text).split()).lower()[:MAX_CHARACTERS]


def _raised(level: int, moment: Moment) -> tuple[int, list[str]]:
    causes = {
        "much depends on it": moment.high_stakes,
        "it is unlike what is known": moment.novel,
        "it can be understood in more than one way": moment.ambiguous,
        "it is not sure": moment.unsure,
    }
    raised = [cause for cause, holds in causes.items() if holds]
    return (EVERYTHING if raised else level), raised


def _record(values: Mapping[str, Any]) -> Record:
    steps = [name_of(step) for step in values["steps"]][-MAX_STEPS:]
    worked, failed = (float(values[name]) for name in ("worked", "failed"))
    runs, watched = (int(values[name]) for name in ("runs", "watched"))
    for number in (worked, failed, runs, watched):
        if not 0 <= number <= MOST_RUNS:
            raise ValueError(f"{number} is no count")
    return Record(worked, failed, runs, watched, steps)


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))
