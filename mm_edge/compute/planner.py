"""Which plan a deadline buys: of those that most likely end in time the one whose sentences are most often right.

How often that is was measured beforehand, for each class of requests, and lies beside the weights (`PlanTable`); how
long it takes is learnt here and now (`LatencyModel`). Time is passed in. Knows nothing about how plans are carried out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import inf, isnan
from pathlib import Path
from typing import Any

from mm_edge.compute.difficulty import Probe
from mm_edge.compute.latency_model import Counts, LatencyModel, Prediction
from mm_edge.engine.base import Context
from mm_edge.model.checkpoint import sha256

FORMAT = 2
PRICE = 5e-4
"""A millisecond is worth this share of right sentences: 20 ms one point. So ties go to less energy."""
HARD = "hard"
"""What the classes of requests begin with of which the probe says so."""


class PlanError(Exception):
    """The table is missing, damaged, or belongs to other weights."""


@dataclass(frozen=True, order=True)
class Plan:
    """decoder: how a sentence is made (a key of mm_edge.generation.DECODERS); max_passes: at most so many over it;
    rounds: so often at most it is revised while it is in doubt."""

    decoder: str
    max_passes: int
    rounds: int = 0

    def __str__(self) -> str:
        rounds = f" rounds<={self.rounds}" if self.rounds else ""
        return f"{self.decoder} passes<={self.max_passes}{rounds}"


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
    """rows: class of requests -> plan -> its worth. Every plan's first pass gives a complete sentence. probe: tells
    hard requests from easy ones, which are classes of their own; None: they are not told apart."""

    weights_sha256: str = ""
    rows: dict[str, dict[Plan, Worth]] = field(default_factory=dict)
    probe: Probe | None = None

    def graded(self, kind: str, context: Context) -> str:
        """The class of a request of this kind, which has been understood."""
        if self.probe is None or f"{HARD} {kind}" not in self.rows:
            return kind
        return f"{HARD} {kind}" if self.probe.is_hard(context) else kind

    def save(self, path: Path) -> None:
        rows = [
            {"class": name, "decoder": plan.decoder, "max_passes": plan.max_passes, "rounds": plan.rounds}
            | {"accuracy": round(worth.accuracy, 4), "passes": round(worth.passes, 3), "n": worth.n}
            for name, plans in self.rows.items()
            for plan, worth in plans.items()
        ]
        lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        head = f'"format": {FORMAT}, "weights_sha256": {json.dumps(self.weights_sha256)}'
        probe = "" if self.probe is None else f', "probe": {json.dumps(self.probe.state())}'
        path.write_text(f'{{{head}, "plans": [\n{lines}\n]{probe}}}\n')

    @classmethod
    def load(cls, path: Path, weights: Path) -> PlanTable:
        """An empty one where there is no file: nothing was measured. Raises PlanError when the file cannot be read or
        was made for other weights."""
        if not path.exists():
            return cls()
        rows: dict[str, dict[Plan, Worth]] = {}
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}, expected {FORMAT}")
            for row in document["plans"]:
                plan = Plan(row["decoder"], int(row["max_passes"]), int(row["rounds"]))
                rows.setdefault(row["class"], {})[plan] = _worth(row)
            bound = document["weights_sha256"]
            probe = Probe.of(document["probe"]) if "probe" in document else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PlanError(f"{path}: {error}") from error
        if bound != sha256(weights):
            raise PlanError(f"{path} was measured with other weights than {weights}")
        return cls(bound, rows, probe)


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

    def choose(self, kind: str, remaining_ms: float | None, max_passes: int, decoder: str = "") -> Choice:
        """The plan for a request of class `kind` that has `remaining_ms` left; None: no deadline.

        max_passes: no plan may take more; decoder: the only one there is a choice of, "" for any. A deadline that has
        passed, or that no plan keeps, gets the cheapest plan, since there is always an answer. Of those that keep it,
        the one is taken that is right most often less PRICE for its time: more is computed only where it pays. Raises
        ValueError when the time left is not a number.
        """
        if remaining_ms is not None and isnan(remaining_ms):
            raise ValueError("the time that is left is not a number")
        if decoder:
            return self._choice(Plan(decoder, max_passes), None, "set by the parameter decoder")
        worths = self._allowed(kind, max_passes)
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

    def _allowed(self, kind: str, max_passes: int) -> dict[Plan, Worth]:
        worths = self.table.rows.get(kind, {})
        allowed = {plan: worth for plan, worth in worths.items() if plan.max_passes <= max_passes}
        if allowed:
            return allowed
        least = min(worths, key=lambda plan: (plan.rounds, plan.max_passes, worths[plan].passes), default=UNMEASURED)
        return {Plan(least.decoder, max_passes): Worth(0.0, 1.0, 0)}

    def _choice(self, plan: Plan, worth: Worth | None, reason: str) -> Choice:
        counts: Counts = {f"pass:{plan.decoder}": 1.0 if worth is None else worth.passes}
        return Choice(plan, self.latency.predict(counts, f"plan:{plan}"), reason)


def _why(choice: Choice, worth: Worth, kind: str, left_ms: float) -> str:
    of = "no deadline" if left_ms == inf else f"{choice.foreseen.p99_ms:.1f} ms of {left_ms:.1f} ms left"
    return f"right in {worth.accuracy:.1%} of '{kind}', {of}" if worth.n else f"nothing measured of '{kind}', {of}"


def _worth(row: dict[str, Any]) -> Worth:
    worth = Worth(float(row["accuracy"]), float(row["passes"]), int(row["n"]))
    if not (0 <= worth.accuracy <= 1 and worth.passes >= 1 and worth.n > 0):
        raise ValueError(f"a row cannot be: {row}")
    return worth
