"""What trust needs to know about new weights, fitted on tuning drives that they were not trained on.

Thresholds are chosen by learn then test (Angelopoulos et al. 2025, "Learn then test: calibrating predictive algorithms
to achieve risk control", section 2, here by MAPIE): what is said plainly is wrong in at most PLAIN_RISK of the cases,
and all that is said, plainly or with doubt, in at most SAID_RISK, each with a probability of CERTAINTY. For this, each
half of the drives, those with even seeds and those with odd ones, gets its probabilities from a calibration on the
other.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.thinking import Task, Thinker
from mm_edge.assistant.topics import request_class, request_kind
from mm_edge.compute.planner import Plan, Planner
from mm_edge.engine import choose
from mm_edge.engine.base import Engine, EngineError
from mm_edge.engine.export import default_cache
from mm_edge.errors import UserError
from mm_edge.model.checkpoint import sha256
from mm_edge.model.schema import SCENE_FACTS
from mm_edge.training.evaluate import Asked, asked_now, asked_past, outcome
from mm_edge.training.recipe import TUNING_SEED
from mm_edge.trust.calibration import Calibration
from mm_edge.trust.constants import Belief, TrustConstants
from mm_edge.trust.novelty import Novelty, sight
from mm_edge.trust.options import Options, probabilities
from mm_edge.trust.selection import reliability, risk_coverage
from mm_edge.world.drive import Drive

DRIVES, LOGS, SIGHTS = 110, 50, 500
"""Drives with questions about the present, logs with questions about the past, drives of which only pictures are
taken."""
LOG_WORDS = 512
MOMENTS_S = (3.0, 8.0)
"""Of a drive whose pictures are taken."""
HEIGHTS = (96, 240)
"""Of pictures, by turns."""
FAMILIES: Mapping[tuple[str, ...], tuple[Plan | None, ...]] = {
    ("fast", "speedy", "quality", "voting"): (
        Plan("fast", 1, 2),
        Plan("speedy", 4, 2),
        Plan("fast", 8),
        Plan("quality", 8, 3),
        Plan("voting", 12),
    ),
    ("verified", "autoregressive", "speculative"): (Plan("verified", 4), None),
    ("flow", "refined"): (None, Plan("flow", 1), None, Plan("refined", 4)),
}
"""Decoders whose confidences mean the same -> the plans with them that answer, by turns, None: nobody does, to save
time. `verified` has the words and the confidences of `autoregressive`."""
KINDS = ("now", "past")
"""Of requests (assistant/topics.py)."""
PLAIN_RISK, SAID_RISK = 0.02, 0.05
PLAIN_FROM, DOUBTFUL_FROM = 0.95, 0.4
"""The lowest thresholds: nothing less probable is said so, however good all sentences together are."""
CERTAINTY = 0.9
COVERAGES = np.linspace(0.5, 1.0, 51)
"""Shares of the sentences that thresholds are tried for, one after the other (fixed sequence)."""
BACKENDS = {"fp32": "auto", "fp16": "tensorrt", "int8": "onnxruntime"}
"""Which engine runs the weights at a precision; auto: the quickest that was exported."""


@dataclass(frozen=True)
class Answer:
    """seed: of its drive; kind: of its request; confidence: of its least sure word."""

    seed: int
    kind: str
    confidence: float
    right: bool


Answers = Mapping[tuple[str, ...], Sequence[Answer]]
"""Of each of FAMILIES."""


@dataclass(frozen=True)
class Seen:
    """A picture's vector for novelty, and the probabilities of its facts, [values] each, with which one was true."""

    vector: NDArray[np.float64]
    facts: dict[str, tuple[NDArray[np.float64], int]]


def fit(weights: Path, out: Path, precision: str = "fp32") -> TrustConstants:
    """Write `out` for `weights`. Raises UserError without MAPIE or for an unknown precision, EngineError when nothing
    runs them at it."""
    require()
    if precision not in BACKENDS:
        raise UserError(f"no precision named {precision!r}; there are: {', '.join(BACKENDS)}")
    torch.set_num_threads(1)
    engine = choose(weights, 1, BACKENDS[precision], precision, default_cache())
    if engine.precision != precision:
        raise EngineError("; ".join(engine.refused))
    answers = answered(engine, TUNING_SEED, DRIVES, LOGS)
    sights = [*seen(engine, TUNING_SEED + DRIVES, SIGHTS)]
    constants = fitted(sha256(weights), precision, answers, sights)
    constants.save(out)
    return constants


def require() -> None:
    """Raises UserError when a library is missing that only fitting needs."""
    if find_spec("mapie") is None:
        raise UserError('thresholds of trust are fitted by MAPIE: pip install "mm_edge[calibration]"')


def fitted(weights_sha256: str, precision: str, answers: Answers, sights: Sequence[Seen]) -> TrustConstants:
    """Raises ValueError when there are no answers of a kind, or fewer than four pictures."""
    beliefs = tuple(believed(decoders, given) for decoders, given in answers.items())
    vectors = np.array([each.vector for each in sights])
    half = len(vectors) // 2
    facts: dict[str, list[tuple[NDArray[np.float64], int]]] = defaultdict(list)
    for each in sights:
        for name, pair in each.facts.items():
            facts[name].append(pair)
    novelty = Novelty.fit(vectors[:half], vectors[half:])
    return TrustConstants(weights_sha256, precision, beliefs, novelty, Options.fit(facts))


def believed(decoders: tuple[str, ...], answers: Sequence[Answer]) -> Belief:
    """Raises ValueError when drives with even or with odd seeds gave no answers of some kind."""
    halves = [[each for each in answers if each.seed % 2 == rest] for rest in (0, 1)]
    p = np.concatenate(
        [_believed(half, _calibrations(other)) for half, other in zip(halves, halves[::-1], strict=True)]
    )
    right = np.array([each.right for half in halves for each in half], bool)
    accept = threshold(p, right, [PLAIN_FROM, *np.quantile(p, 1 - COVERAGES)], PLAIN_FROM, PLAIN_RISK)
    tried = np.linspace(DOUBTFUL_FROM, accept, len(COVERAGES))
    hedge = threshold(p, right, tried, DOUBTFUL_FROM, SAID_RISK)
    return Belief(
        decoders,
        _calibrations(answers),
        accept,
        min(hedge, accept),
        tuple(reliability(p, right)),
        tuple(risk_coverage(p, right)),
    )


def _calibrations(answers: Sequence[Answer]) -> dict[str, Calibration]:
    kinds: dict[str, list[Answer]] = {kind: [] for kind in KINDS}
    for each in answers:
        kinds[each.kind].append(each)
    return {
        kind: Calibration.fit([each.confidence for each in given], [each.right for each in given])
        for kind, given in kinds.items()
    }


def _believed(answers: Sequence[Answer], calibrations: Mapping[str, Calibration]) -> NDArray[np.float64]:
    return np.array([calibrations[each.kind].probability(each.confidence) for each in answers])


def threshold(
    p: NDArray[np.float64],
    right: NDArray[np.bool_],
    tried: Sequence[float] | NDArray[np.float64],
    lowest: float,
    risk: float,
) -> float:
    """The lowest of the probabilities `tried`, none below `lowest`, from which up a share of at most `risk` is wrong; 1
    when there is none.

    They are tried from the strictest on, where enough answers are left to tell, down to the first one that fails.
    """
    from mapie.risk_control import BinaryClassificationController

    if not right.any():
        return 1.0
    wanted = {float(each) for each in tried if each >= lowest}
    order = [each for each in sorted(wanted, reverse=True) if _can_pass(int((p >= each).sum()), risk)]
    if not order:
        return 1.0
    controller = BinaryClassificationController(
        predict_function=lambda x: np.stack([1 - x[:, 0], x[:, 0]], axis=1),
        risk="precision",
        target_level=1.0 - risk,
        confidence_level=CERTAINTY,
        list_predict_params=np.array(order),
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that no threshold passes, or all do, is told by what is returned
        controller.calibrate(p[:, None], right.astype(int))
    valid = np.asarray(controller.valid_predict_params)
    return float(valid.min()) if valid.size else 1.0


def _can_pass(n: int, risk: float) -> bool:
    """Whether so many answers, all right, would be enough to tell."""
    return bool((1.0 - risk) ** n <= 1.0 - CERTAINTY)


def answered(engine: Engine, first_seed: int, drives: int, logs: int) -> Answers:
    """Every family answers when it is its turn. What is no sentence is never said, and so left out."""
    thinker = Thinker(engine, SystemClock(), Planner())
    found: dict[tuple[str, ...], list[Answer]] = {family: [] for family in FAMILIES}
    for number, asked in enumerate(_requests(engine, first_seed, drives, logs)):
        kind = request_kind(request_class(asked.question.text, asked.context.asked))
        task = Task(asked.context, asked.question.text, (), asked.forbidden, number, asked.facts)
        for family, plans in FAMILIES.items():
            plan = plans[number % len(plans)]
            if plan is None:
                continue
            draft, _ = thinker.carry_out(task, plan)
            if draft.is_sentence:
                right = outcome(asked, draft).right
                found[family].append(Answer(asked.seed, kind, draft.confidence, right))
    return found


def _requests(engine: Engine, first_seed: int, drives: int, logs: int) -> Iterator[Asked]:
    return chain(asked_now(engine, first_seed, drives), asked_past(engine, first_seed, logs, LOG_WORDS))


def seen(engine: Engine, first_seed: int, drives: int) -> Iterator[Seen]:
    """MOMENTS_S of every drive, where there is a picture."""
    for seed in range(first_seed, first_seed + drives):
        drive = Drive(seed, max(MOMENTS_S) + 2.0)
        for t_s in MOMENTS_S:
            observation = drive.observation(t_s, HEIGHTS[seed % len(HEIGHTS)])
            if observation.image is None:
                continue
            percept, truth = engine.encode(observation), drive.truth(t_s)
            facts = {
                name: (np.array([*odds.values()]), SCENE_FACTS[name].index(truth[name]))
                for name, odds in probabilities(percept.logits).items()
            }
            yield Seen(sight(observation.image, percept), facts)
