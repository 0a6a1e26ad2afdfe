"""How often the shipped model's sentences are right, on drives that it was not trained on.

Both sides in one run: the answers as an assistant gives them, those after a single pass, and, as the score that needs
no sensors, the commonest right answer of each family of questions. A sentence counts as right when parsing it gives
exactly the facts of the drive, and as grammatical when it can be parsed at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from mm_edge.bench.harness import Result, wilson
from mm_edge.engine import load, trust_path, weights_path
from mm_edge.training.evaluate import Outcome, outcomes
from mm_edge.trust.calibration import expected_calibration_error
from mm_edge.trust.constants import TrustConstants
from mm_edge.world.questions import FAMILIES

DRIVES, QUICK_DRIVES = 400, 80
PASSES, SINGLE = 4, 1


def measure(seed: int, quick: bool) -> Result:
    engine = load("small")
    constants = TrustConstants.load(trust_path("small"), weights_path("small"))
    drives = QUICK_DRIVES if quick else DRIVES
    by_family: dict[str, list[tuple[Outcome, ...]]] = defaultdict(list)
    for pair in outcomes(engine, seed, drives, (PASSES, SINGLE)):
        by_family[pair[0].question.family].append(pair)
    table = [_row(family, by_family[family]) for family in FAMILIES if by_family[family]]
    pairs = [pair for family in by_family.values() for pair in family]
    table.append(_row("all", pairs) | {"commonest": _weighted(table)})
    full, single = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    low, high = wilson(sum(o.right for o in full), len(full))
    probabilities = [constants.calibration.probability(o.confidence) for o in full]
    headline = {
        "fact_accuracy": _share(full),
        "fact_accuracy_low": low,
        "fact_accuracy_high": high,
        "grammatical": sum(o.grammatical for o in full) / len(full),
        "single_pass_accuracy": _share(single),
        "commonest_answer_accuracy": _weighted(table[:-1]),
        "mean_passes": sum(o.passes for o in full) / len(full),
        "calibration_error": expected_calibration_error(probabilities, [o.right for o in full]),
        "n": float(len(full)),
    }
    notes = [
        f"{drives} drives from seed {seed}; at most {PASSES} passes against {SINGLE}; interval: Wilson, 95 %",
        "commonest: always saying what is most often right in that family",
    ]
    return Result(headline, table, notes)


def _row(family: str, pairs: list[tuple[Outcome, ...]]) -> dict[str, object]:
    answers = Counter((p[0].question.topic, *sorted(p[0].question.facts.items())) for p in pairs)
    return {
        "family": family,
        "n": len(pairs),
        "right": _share([p[0] for p in pairs]),
        "single pass": _share([p[1] for p in pairs]),
        "commonest": answers.most_common(1)[0][1] / len(pairs),
        "grammatical": sum(p[0].grammatical for p in pairs) / len(pairs),
    }


def _share(found: Sequence[Outcome]) -> float:
    return sum(o.right for o in found) / len(found)


def _weighted(rows: list[dict[str, object]]) -> float:
    """The share over all families of one answer for each."""
    total = sum(int(row["n"]) for row in rows)  # type: ignore[call-overload]
    return sum(float(row["commonest"]) * int(row["n"]) for row in rows) / total  # type: ignore[arg-type,call-overload]
