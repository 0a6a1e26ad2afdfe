"""How often the shipped models' sentences are right, and how far their paths are off, on drives not trained on.

Every shipped rung in one run, and both sides of every figure: the answers as an assistant gives them, those after a
single pass, the commonest right answer of each family of questions, which needs no sensors; and for paths a constant
velocity. A sentence counts as right when parsing it gives exactly the facts of the drive, and as grammatical when it
can be parsed at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from mm_edge.bench._skim import Skims, of_people, on_drives
from mm_edge.bench.harness import Result, wilson
from mm_edge.engine import load, trust_path, weights_path
from mm_edge.model.network import RUNGS
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.training.evaluate import DECODER_NAME, PASSES, Outcome, Pair, driven, outcomes, recalled, routed
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.selection import expected_calibration_error
from mm_edge.world.crowd import REFUSED, crowd
from mm_edge.world.questions import FAMILIES
from mm_edge.world.recall import HISTORY_FAMILIES

SCENE = frozenset(SCENE_FACTS) | {"motion", "ahead"}
"""Families of questions about the surroundings."""
LOG_WORDS = 1032
"""Logs are up to 4 words shorter: never less than 1,024."""
UNSUFFIXED = ("unanswerable_refused", "crowd_request_routed", "action_ade_m", "constant_velocity_ade_m")
HEADLINE_RUNG = "small"
"""The rung whose figures also stand without its name: the one that the nodes use."""


@dataclass(frozen=True)
class Size:
    """How much is measured: drives with questions about the present, with a long log, with a path; and the most
    requests of one family in people's own words."""

    scene: int
    history: int
    paths: int
    crowd: int


PARTS = 2
"""Processes that measure at the same time."""
Answers = list[Pair]
FULL, QUICK = Size(100, 80, 600, 1000), Size(15, 8, 24, 16)


@dataclass(frozen=True)
class Measured:
    """What one rung did. present, past: (full, single pass) by turn; routes: family -> whether each request was taken
    for what it is; skims: of the drives' requests, and of those in people's own words; paths: mean distances in
    metres (its own, constant velocity)."""

    present: Answers
    routes: dict[str, list[bool]]
    skims: dict[str, Skims]
    past: Answers
    paths: list[tuple[float, float]]


def measure(seed: int, quick: bool) -> Result:
    size = QUICK if quick else FULL
    rungs = [rung for rung in RUNGS if weights_path(rung).exists()]
    with ProcessPoolExecutor(PARTS, get_context("spawn")) as pool:
        answers = {rung: pool.submit(_answers, rung, seed, size) for rung in rungs}
        rest = {rung: pool.submit(_past_and_paths, rung, seed, size) for rung in rungs}
        found = {rung: Measured(*answers[rung].result(), *rest[rung].result()) for rung in rungs}
    headline: dict[str, float] = {}
    table: list[dict[str, object]] = []
    for rung, measured in found.items():
        rows = [*_rows(measured.present, FAMILIES), *_rows(measured.past, HISTORY_FAMILIES)]
        table += [{"rung": rung} | row for row in (*rows, *_crowd_rows(measured.routes))]
        headline |= {f"{name}_{rung}": value for name, value in _headline(rung, measured, rows).items()}
    headline |= {name: headline[f"{name}_{HEADLINE_RUNG}"] for name in UNSUFFIXED}
    notes = [
        f"{size.scene} drives with questions about the present and {size.history} with a log of at least 1,024 words, "
        f"from seed {seed}; at most {PASSES} passes against one; intervals: Wilson, 95 %",
        "commonest: always saying what is most often right in that family",
        "skimmed: understood by its words alone; loss: of right topics, against reading every request",
        "crowd: test split of CLINC150; right: the answer is about what was asked; routed: the mean of its families",
        f"action_ade: mean distance to the true path over 4 s, n = {len(found['small'].paths)}",
    ]
    return Result(headline, table, notes)


def _answers(rung: str, seed: int, size: Size) -> tuple[Answers, dict[str, list[bool]], dict[str, Skims]]:
    """Answers about the present, what requests in people's own words were taken for, and which skimming was enough
    for."""
    engine = load(rung)
    requests = {family: _some(own, size.crowd) for family, own in crowd("test").items()}
    routes = {family: [topic == family for topic in routed(engine, seed, own)] for family, own in requests.items()}
    skims = {"skimmed": on_drives(engine, seed, size.scene), "crowd_skimmed": of_people(engine, seed, requests)}
    return [*outcomes(engine, seed, size.scene)], routes, skims


def _past_and_paths(rung: str, seed: int, size: Size) -> tuple[Answers, list[tuple[float, float]]]:
    engine = load(rung)
    past = recalled(engine, seed, size.history, LOG_WORDS)
    return [*past], [*driven(engine, seed, size.paths)]


def _headline(rung: str, measured: Measured, rows: list[dict[str, object]]) -> dict[str, float]:
    full = [pair[0] for pair in measured.present]
    scene = [o for o in full if o.question.family in SCENE]
    past = [pair[0] for pair in measured.past]
    everything = full + past
    constants = TrustConstants.load(trust_path(rung), weights_path(rung))
    probabilities = [
        constants.probability(o.confidence if o.grammatical else 0.0, DECODER_NAME, kind)
        for kind, part in (("now", full), ("past", past))
        for o in part
    ]
    routes, paths = measured.routes, np.array(measured.paths)
    ade_m, straight_m = paths.mean(0)
    found = {
        "fact_accuracy": _share(full),
        "scene_fact_accuracy": _share(scene),
        "history_fact_accuracy": _share(past),
        "grammatical": sum(o.grammatical for o in everything) / len(everything),
        "single_pass_accuracy": _share([pair[1] for pair in measured.present]),
        "history_single_pass_accuracy": _share([pair[1] for pair in measured.past]),
        "commonest_answer_accuracy": _weighted(rows),
        "mean_passes": sum(o.passes for o in everything) / len(everything),
        "calibration_error": expected_calibration_error(probabilities, [o.right for o in everything]),
        "crowd_request_routed": float(np.mean([np.mean(right) for right in routes.values()])),
        "unanswerable_refused": float(np.mean(routes[REFUSED])),
        "action_ade_m": float(ade_m),
        "constant_velocity_ade_m": float(straight_m),
        "action_ade_times_better": float(straight_m / ade_m),
        "n_present": float(len(full)),
        "n_scene": float(len(scene)),
        "n_history": float(len(past)),
        "n_crowd": float(sum(map(len, routes.values()))),
    }
    for name, skims in measured.skims.items():
        found |= {f"{name}_{what}": value for what, value in skims.headline.items()}
    for name, outcomes_ in (("fact", full), ("scene_fact", scene), ("history_fact", past)):
        low, high = wilson(sum(o.right for o in outcomes_), len(outcomes_))
        found |= {f"{name}_accuracy_low": low, f"{name}_accuracy_high": high}
    return found


def _rows(pairs: Iterable[Pair], families: Sequence[str]) -> list[dict[str, object]]:
    by_family: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_family[pair[0].question.family].append(pair)
    return [_row(family, by_family[family]) for family in families if by_family[family]]


def _row(family: str, pairs: list[Pair]) -> dict[str, object]:
    answers = Counter((p[0].question.topic, *sorted(p[0].question.facts.items())) for p in pairs)
    return {
        "family": family,
        "n": len(pairs),
        "right": _share([p[0] for p in pairs]),
        "single pass": _share([p[1] for p in pairs]),
        "commonest": answers.most_common(1)[0][1] / len(pairs),
        "grammatical": sum(p[0].grammatical for p in pairs) / len(pairs),
    }


def _some(requests: Sequence[str], most: int) -> list[str]:
    """At most so many, evenly chosen."""
    return [requests[i] for i in np.linspace(0, len(requests) - 1, min(most, len(requests))).astype(int)]


def _crowd_rows(routes: dict[str, list[bool]]) -> list[dict[str, object]]:
    """`right` is routing here; the sentences are not read."""
    empty = dict.fromkeys(("single pass", "commonest", "grammatical"), "")
    return [
        {"family": f"crowd: {family}", "n": len(r), "right": float(np.mean(r))} | empty for family, r in routes.items()
    ]


def _share(found: Sequence[Outcome]) -> float:
    return sum(o.right for o in found) / len(found)


def _weighted(rows: list[dict[str, object]]) -> float:
    """The share over all families of one answer for each."""
    total = sum(int(row["n"]) for row in rows)  # type: ignore[call-overload]
    return sum(float(row["commonest"]) * int(row["n"]) for row in rows) / total  # type: ignore[arg-type,call-overload]
