"""How often the shipped model's sentences are right, on drives that it was not trained on.

Both sides in one run: the answers as an assistant gives them, those after a single pass, and, as the score that needs
no sensors, the commonest right answer of each family of questions. A sentence counts as right when parsing it gives
exactly the facts of the drive, and as grammatical when it can be parsed at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from mm_edge.bench.harness import Result, wilson
from mm_edge.engine import load, trust_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.training.evaluate import Outcome, outcomes, routed
from mm_edge.trust.calibration import expected_calibration_error
from mm_edge.trust.constants import TrustConstants
from mm_edge.world.crowd import REFUSED, crowd
from mm_edge.world.questions import FAMILIES

DRIVES, QUICK_DRIVES = 400, 80
PASSES, SINGLE = 4, 1
SCENE = frozenset(SCENE_FACTS) | {"motion", "ahead"}
"""Families of questions about the surroundings."""
CROWD, QUICK_CROWD = 1000, 150
"""Most requests of one family in people's own words."""


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
    by_route = {family: _crowd(engine, seed, family, QUICK_CROWD if quick else CROWD) for family in crowd("test")}
    full, single = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    low, high = wilson(sum(o.right for o in full), len(full))
    probabilities = [constants.calibration.probability(o.confidence) for o in full]
    headline = {
        "fact_accuracy": _share(full),
        "fact_accuracy_low": low,
        "fact_accuracy_high": high,
        "grammatical": sum(o.grammatical for o in full) / len(full),
        "scene_fact_accuracy_small": _share([o for o in full if o.question.family in SCENE]),
        "single_pass_accuracy": _share(single),
        "commonest_answer_accuracy": _weighted(table[:-1]),
        "mean_passes": sum(o.passes for o in full) / len(full),
        "calibration_error": expected_calibration_error(probabilities, [o.right for o in full]),
        "crowd_request_routed": float(np.mean([np.mean(found) for found in by_route.values()])),
        "unanswerable_refused": float(np.mean(by_route[REFUSED])),
        "n": float(len(full)),
        "crowd_n": float(sum(map(len, by_route.values()))),
    }
    notes = [
        f"{drives} drives from seed {seed}; at most {PASSES} passes against {SINGLE}; interval: Wilson, 95 %",
        "commonest: always saying what is most often right in that family",
        "crowd: test split of CLINC150; right: the answer is about what was asked; routed: the mean of its families",
    ]
    return Result(headline, [*table, *(_crowd_row(family, found) for family, found in by_route.items())], notes)


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


def _crowd(engine: Engine, seed: int, family: str, most: int) -> list[bool]:
    """Whether answers to at most `most` requests in people's own words, evenly chosen, are of their family."""
    requests = crowd("test")[family]
    chosen = [requests[i] for i in np.linspace(0, len(requests) - 1, min(most, len(requests))).astype(int)]
    return [topic == family for topic in routed(engine, seed, chosen)]


def _crowd_row(family: str, found: list[bool]) -> dict[str, object]:
    """`right` is routing here; the sentences are not read."""
    row = {"family": f"crowd: {family}", "n": len(found), "right": float(np.mean(found))}
    return row | dict.fromkeys(("single pass", "commonest", "grammatical"), "")


def _share(found: Sequence[Outcome]) -> float:
    return sum(o.right for o in found) / len(found)


def _weighted(rows: list[dict[str, object]]) -> float:
    """The share over all families of one answer for each."""
    total = sum(int(row["n"]) for row in rows)  # type: ignore[call-overload]
    return sum(float(row["commonest"]) * int(row["n"]) for row in rows) / total  # type: ignore[arg-type,call-overload]
