"""Which plan a deadline buys: of those that most likely end in time the one whose sentences are most often right.

A plan has two halves, since what a request is about and how hard it is shows only while it is read: what it is found in
(`Reading`), chosen in two steps, and how that is worded (`Plan`). How often each is right was measured beforehand, for
each class of requests, and lies beside the weights (`PlanTable`); how long it takes is learnt here and now
(`LatencyModel`). Time is passed in. Knows nothing about how plans are carried out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import inf, isnan
from pathlib import Path
from typing import Any

from mm_edge.compute.difficulty import Probe
from mm_edge.compute.latency_model import Counts, LatencyModel, Prediction
from mm_edge.engine.base import Context
from mm_edge.model.checkpoint import sha256

FORMAT = 3
PRICE = 5e-4
"""A millisecond is worth this share of right sentences: 20 ms one point. So ties go to less energy."""
HARD = "hard"
"""What the classes of requests begin with of which the probe says so."""
WATCH = "watch"
"""The class of turns that nobody asked for: they always encode a new picture."""
OWN, SMALL = "", "small"
"""Rungs that word a sentence: the one that reads, and the small one, of a relay."""


class PlanError(Exception):
    """The table is missing, damaged, or belongs to other weights."""


@dataclass(frozen=True, order=True)
class Plan:
    """decoder: how a sentence is made (a key of mm_edge.generation.DECODERS); max_passes: at most so many over it;
    rounds: so often at most it is revised while it is in doubt; rung: which one words it, OWN or SMALL."""

    decoder: str
    max_passes: int
    rounds: int = 0
    rung: str = OWN

    def __str__(self) -> str:
        rounds = f" rounds<={self.rounds}" if self.rounds else ""
        by = f" by {self.rung}" if self.rung else ""
        return f"{self.decoder} passes<={self.max_passes}{rounds}{by}"

    @property
    def way(self) -> str:
        """What the time of a pass depends on."""
        return f"{self.rung}:{self.decoder}" if self.rung else self.decoder


@dataclass(frozen=True, order=True)
class Reading:
    """What a sentence is found in. image_age_s: a glance of this age at most, 0: a picture that is encoded anew; whole:
    all of the log, or its last words alone."""

    image_age_s: float = 0.0
    whole: bool = True


@dataclass(frozen=True)
class Way:
    """One of several ways to read. accuracy: share of right sentences that come of it; stages: what it takes."""

    name: str
    accuracy: float
    stages: tuple[str, ...]


@dataclass(frozen=True)
class Worth:
    """What a plan gives for a class of requests. accuracy: share of sentences that state the right facts; passes: mean
    number of them; n: requests it was measured with."""

    accuracy: float
    passes: float
    n: int


UNMEASURED = Plan("quality", 100)
"""Where there is no table: interruptible, and right most often when there is time."""


@dataclass(frozen=True)
class PlanTable:
    """rows: class of requests -> plan -> its worth, after everything was read. Every plan's first pass gives a complete
    sentence. probe: tells hard requests from easy ones, which are classes of their own; None: they are not told apart.
    readings: class -> reading -> its worth, worded in one pass; there, hard ones are not told apart."""

    weights_sha256: str = ""
    rows: dict[str, dict[Plan, Worth]] = field(default_factory=dict)
    probe: Probe | None = None
    readings: dict[str, dict[Reading, Worth]] = field(default_factory=dict)

    def graded(self, kind: str, context: Context) -> str:
        """The class of a request of this kind, which has been understood."""
        if self.probe is None or f"{HARD} {kind}" not in self.rows:
            return kind
        return f"{HARD} {kind}" if self.probe.is_hard(context) else kind

    def found(self, kind: str, whole: bool) -> float | None:
        """The share of right sentences about what is found in all of the log, or in its end; None: not measured."""
        worth = self.readings.get(kind, {}).get(Reading(whole=whole))
        return None if worth is None else worth.accuracy

    def seen(self, age_s: float, whole: bool) -> float | None:
        """The share of right answers, whatever is asked, from a glance of this age, 0: from a new picture, and from all
        of the log, or its end; None where that was not measured, or not for one so old. What both cost is added."""
        right, count = 0.0, 0
        for plans in (plans for name, plans in self.readings.items() if name != WATCH):
            ages_s = [reading.image_age_s for reading in plans if reading.whole and reading.image_age_s >= age_s]
            every, part = plans.get(Reading()), plans.get(Reading(whole=whole))
            if not ages_s or every is None or part is None:
                return None
            right += every.n * (plans[Reading(min(ages_s))].accuracy - every.accuracy + part.accuracy)
            count += every.n
        return right / count if count else None

    def save(self, path: Path) -> None:
        plans, readings = _lines(self.rows), _lines(self.readings)
        head = f'"format": {FORMAT}, "weights_sha256": {json.dumps(self.weights_sha256)}'
        probe = "" if self.probe is None else f', "probe": {json.dumps(self.probe.state())}'
        path.write_text(f'{{{head}, "plans": [\n{plans}\n], "readings": [\n{readings}\n]{probe}}}\n')

    @classmethod
    def load(cls, path: Path, weights: Path) -> PlanTable:
        """An empty one where there is no file: nothing was measured. Raises PlanError when the file cannot be read or
        was made for other weights."""
        if not path.exists():
            return cls()
        rows: dict[str, dict[Plan, Worth]] = {}
        readings: dict[str, dict[Reading, Worth]] = {}
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}, expected {FORMAT}")
            for row in document["plans"]:
                plan = Plan(row["decoder"], int(row["max_passes"]), int(row["rounds"]), str(row["rung"]))
                rows.setdefault(row["class"], {})[plan] = _worth(row)
            for row in document["readings"]:
                reading = Reading(float(row["image_age_s"]), bool(row["whole"]))
                readings.setdefault(row["class"], {})[reading] = _worth(row)
            bound = document["weights_sha256"]
            probe = Probe.of(document["probe"]) if "probe" in document else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlanError(f"{path}: {error}") from error
        if bound != sha256(weights):
            raise PlanError(f"{path} was measured with other weights than {weights}")
        return cls(bound, rows, probe, readings)


@dataclass(frozen=True)
class Choice:
    """A plan, how long it will take, and why it was taken."""

    plan: Plan
    foreseen: Prediction
    reason: str


class Planner:
    """`latency`: what is known about times; whoever carries a plan out books what it took."""

    def __init__(self, table: PlanTable | None = None, latency: LatencyModel | None = None) -> None:
        self.table = table or PlanTable()
        self.latency = latency or LatencyModel()

    def in_a_row(self, stages: Sequence[str]) -> tuple[float, float]:
        """How long these take in milliseconds: most likely, and at most, by the 99th percentiles of each."""
        each = [self.latency.predict({stage: 1.0}, stage) for stage in stages]
        return sum(part.p50_ms for part in each), sum(part.p99_ms for part in each)

    def quickest(self, kind: str, max_passes: int, decoder: str = "") -> str:
        """The stage of the pass that a request of this class takes at least."""
        plans = [Plan(decoder, max_passes)] if decoder else [*self._allowed(kind, max_passes, (OWN,))]
        return min({f"pass:{plan.way}" for plan in plans}, key=lambda stage: self.in_a_row((stage,))[1])

    def read(self, ways: Sequence[Way], remaining_ms: float | None, ahead: Sequence[str]) -> tuple[Way, str]:
        """The way to read with `remaining_ms` left, None: no deadline, and why: by the same rule as in `choose`. ahead:
        the stages that follow it at least."""
        left_ms = inf if remaining_ms is None else remaining_ms
        times = {way: self.in_a_row((*way.stages, *ahead)) for way in ways}
        fitting = [way for way in ways if times[way][1] <= left_ms]
        if not fitting:
            way = min(ways, key=lambda way: times[way][1])
            return way, f"{way.name}: the quickest, as none fits"
        way = max(fitting, key=lambda way: (way.accuracy - PRICE * times[way][0], -times[way][0]))
        others = "" if len(fitting) == len(ways) else ", others do not fit"
        return way, f"{way.name}: right in {way.accuracy:.1%}{others}"

    def choose(
        self,
        kind: str,
        remaining_ms: float | None,
        max_passes: int,
        decoder: str = "",
        rungs: Collection[str] = (OWN,),
    ) -> Choice:
        """The plan for a request of class `kind` that has `remaining_ms` left; None: no deadline.

        max_passes: no plan may take more; decoder: the only one there is a choice of, "" for any; rungs: those that may
        word it. A deadline that has passed, or that no plan keeps, gets the cheapest plan, since there is always an
        answer. Of those that keep it, the one is taken that is right most often less PRICE for its time: more is
        computed only where it pays. Raises ValueError when the time left is not a number.
        """
        if remaining_ms is not None and isnan(remaining_ms):
            raise ValueError("the time that is left is not a number")
        if decoder:
            return self._choice(_unmeasured(decoder, max_passes, rungs), None, "set by the parameter decoder")
        worths = self._allowed(kind, max_passes, rungs)
        choices = [self._choice(plan, worth, "") for plan, worth in worths.items()]
        cheapest = min(choices, key=lambda choice: (choice.foreseen.p99_ms, choice.plan.max_passes))
        left_ms = inf if remaining_ms is None else remaining_ms
        if left_ms <= 0:
            return Choice(cheapest.plan, cheapest.foreseen, "the deadline has passed: the cheapest plan")
        fitting = [choice for choice in choices if choice.foreseen.p99_ms <= left_ms]
        if not fitting:
            why = f"no plan fits: the cheapest needs {cheapest.foreseen.p99_ms:.1f} ms of {left_ms:.1f} ms left"
            return Choice(cheapest.plan, cheapest.foreseen, why)

        def value(choice: Choice) -> tuple[float, float]:
            return worths[choice.plan].accuracy - PRICE * choice.foreseen.p50_ms, -choice.foreseen.p50_ms

        best = max(fitting, key=value)
        return Choice(best.plan, best.foreseen, _why(best, worths[best.plan], kind, left_ms))

    def _allowed(self, kind: str, max_passes: int, rungs: Collection[str]) -> dict[Plan, Worth]:
        known = self.table.rows.get(kind, {})
        worths = {plan: worth for plan, worth in known.items() if plan.rung in rungs}
        allowed = {plan: worth for plan, worth in worths.items() if plan.max_passes <= max_passes}
        if allowed:
            return allowed
        least = min(worths, key=lambda plan: (plan.rounds, plan.max_passes, worths[plan].passes), default=UNMEASURED)
        return {_unmeasured(least.decoder, max_passes, rungs): Worth(0.0, 1.0, 0)}

    def _choice(self, plan: Plan, worth: Worth | None, reason: str) -> Choice:
        counts: Counts = {f"pass:{plan.way}": 1.0 if worth is None else worth.passes}
        return Choice(plan, self.latency.predict(counts, f"plan:{plan}"), reason)


def _unmeasured(decoder: str, max_passes: int, rungs: Collection[str]) -> Plan:
    """A small rung is there because it is to word what it may."""
    return Plan(decoder, max_passes, rung=SMALL if SMALL in rungs else OWN)


def _why(choice: Choice, worth: Worth, kind: str, left_ms: float) -> str:
    of = "no deadline" if left_ms == inf else f"{choice.foreseen.p99_ms:.1f} ms of {left_ms:.1f} ms left"
    return f"right in {worth.accuracy:.1%} of '{kind}', {of}" if worth.n else f"nothing measured of '{kind}', {of}"


def _lines(rows: Mapping[str, Mapping[Plan, Worth]] | Mapping[str, Mapping[Reading, Worth]]) -> str:
    """One of each worth."""
    found = [
        {"class": name, **asdict(each)}
        | {"accuracy": round(worth.accuracy, 4), "passes": round(worth.passes, 3), "n": worth.n}
        for name, worths in rows.items()
        for each, worth in worths.items()
    ]
    return ",\n".join(f"  {json.dumps(row)}" for row in found)


def _worth(row: dict[str, Any]) -> Worth:
    worth = Worth(float(row["accuracy"]), float(row["passes"]), int(row["n"]))
    if not (0 <= worth.accuracy <= 1 and worth.passes >= 1 and worth.n > 0):
        raise ValueError(f"a row cannot be: {row}")
    return worth
