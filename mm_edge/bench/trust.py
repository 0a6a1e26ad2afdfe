"""How far the assistant can be believed, and whether it knows: probabilities, silence, novelty, refusals.

Everything was fitted on tuning drives and on the crowd's training and validation requests, and is measured on held-out
drives and its test requests: the answers of the plans that ship, judged as a session judges them. Both sides in one
run: raw confidences beside calibrated ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mm_edge.bench import _trust_novelty as novelty
from mm_edge.bench._trust_answers import Judged, judged, probabilities, row, rows, share, slices, wrongly_refused
from mm_edge.bench._trust_plot import TrustPlot
from mm_edge.bench._trust_scope import refusals
from mm_edge.bench.harness import Result, wilson
from mm_edge.compute.planner import PlanTable
from mm_edge.engine import load, plans_path, trust_path, weights_path
from mm_edge.training.trust import PLAIN_RISK
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.report import Verdict
from mm_edge.trust.selection import BINS, aurc, expected_calibration_error


@dataclass(frozen=True)
class Size:
    """drives and logs with requests, twelve each; drives of which only pictures are taken; requests of the crowd; one
    in how many frames of a clip is taken."""

    drives: int
    logs: int
    pictures: int
    crowd: int
    clips_every: int


FULL, QUICK = Size(110, 60, 120, 1000, 6), Size(8, 3, 10, 80, 30)
RUNG = "small"


def measure(seed: int, quick: bool) -> Result:
    size = QUICK if quick else FULL
    torch.set_num_threads(1)
    engine = load(RUNG)
    constants = TrustConstants.load(trust_path(RUNG, engine.precision), weights_path(RUNG), engine.precision)
    table = PlanTable.load(plans_path(RUNG), weights_path(RUNG))
    answers = [*judged(engine, constants, table, seed, size.drives, size.logs)]
    pictures = novelty.generated(seed, size.pictures)
    scores = novelty.measured(engine, constants, pictures, size.clips_every)
    sets = novelty.option_sets(engine, constants, pictures)
    outside, inside = refusals(engine, seed, size.crowd)
    whole = row("all", answers, BINS)
    headline = (
        _belief(answers, whole)
        | _novelty(scores)
        | {
            "oos_refused": float(np.mean(outside)),
            "in_domain_refused": float(np.mean(wrongly_refused(answers))),
            "crowd_in_domain_refused": float(np.mean(inside)),
            "options_hold_the_truth": _mean([there for _, there in sets]),
            "n": float(len(answers)),
            "n_oos": float(len(outside)),
            "n_in_domain": float(len(wrongly_refused(answers))),
            "n_crowd_in_domain": float(len(inside)),
        }
    )
    notes = [
        f"{RUNG} rung, {engine.name}; {size.drives} drives and {size.logs} logs from seed {seed}; decoders: "
        f"{', '.join(sorted({each.decoder for each in answers}))}; low, high: of ece, 95 % bootstrap over drives",
        "plain: share that is said without doubt; selective: of these; promised at most "
        f"{PLAIN_RISK:g}, with a certainty of 0.9",
        _verdicts(answers),
        _novelty_note(scores),
        f"options: {len(sets)} facts that a picture leaves unsure; {sum(n == 2 for n, _ in sets)} with exactly two "
        "possible values: those are asked about",
        "oos: requests of no intent, in_domain: the drives' own questions, crowd_in_domain: eight intents that a drive "
        "or its log can answer; test split of CLINC150",
    ]
    return Result(headline, [whole, *rows(answers)], notes, _plot(answers))


def _belief(answers: Sequence[Judged], whole: Mapping[str, object]) -> dict[str, float]:
    _, right = probabilities(answers)
    raw = np.array([each.confidence for each in answers])
    n, plain_right = share(answers, Verdict.ACCEPTED)
    found = {name: float(whole[name]) for name in ("ece", "aurc")}  # type: ignore[arg-type]
    return found | {
        "ece_low": float(whole["low"]),  # type: ignore[arg-type]
        "ece_high": float(whole["high"]),  # type: ignore[arg-type]
        "ece_raw": expected_calibration_error(raw, right),
        "aurc_raw": aurc(raw, right),
        "aurc_at_random": float(1.0 - right.mean()),
        "accuracy": float(right.mean()),
        "selective_error": 1.0 - plain_right,
        "selective_error_high": wilson(round(n * (1.0 - plain_right)), n)[1],
        "selective_coverage": n / len(answers),
    }


def _novelty(scores: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    apart = novelty.separation(scores)
    found = {"novelty_auroc": _mean([*apart.values()]), "novelty_auroc_worst": min(apart.values())}
    if novelty.PHOTOGRAPHS in apart:
        found["novelty_auroc_photographs"] = apart[novelty.PHOTOGRAPHS]
    alarms = novelty.alarmed(scores)
    return found | {"novelty_false_alarms": alarms.pop(novelty.GENERATED), "novelty_alarms": _mean([*alarms.values()])}


def _novelty_note(scores: Mapping[str, NDArray[np.float64]]) -> str:
    apart, alarms = novelty.separation(scores), novelty.alarmed(scores)
    told = [f"{name} {apart[name]:.3f}, {alarms[name]:.0%} (n = {len(scores[name])})" for name in apart]
    missing = "" if novelty.PHOTOGRAPHS in apart else "; no photographs found"
    n = len(scores[novelty.GENERATED])
    return f"novelty against {n} generated pictures, auroc, alarms: {'; '.join(told)}{missing}"


def _verdicts(answers: Sequence[Judged]) -> str:
    counts = {verdict: share(answers, verdict) for verdict in Verdict}
    told = [f"{verdict.name.lower()} {n}, of which right {right:.3f}" for verdict, (n, right) in counts.items() if n]
    return f"verdicts: {'; '.join(told)}"


def _plot(answers: Sequence[Judged]) -> TrustPlot:
    parts = slices(answers)
    n, plain_right = share(answers, Verdict.ACCEPTED)
    p, right = probabilities(answers)
    raw = np.array([each.confidence for each in answers])
    curves = {name: probabilities(parts[name]) for name in ("about the present", "about the past")}
    return TrustPlot((raw, right), (p, right), curves, n / len(answers), 1.0 - plain_right, PLAIN_RISK)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
