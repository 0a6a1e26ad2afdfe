"""Answers of the assistant on drives that nothing was fitted with, with what its judge made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from mm_edge.assistant.assessor import Answer, Assessor
from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.thinking import Bounds, Task, Thinker
from mm_edge.assistant.topics import REFUSE
from mm_edge.compute.planner import Planner, PlanTable
from mm_edge.engine.base import Engine
from mm_edge.training.evaluate import Posed, posed_now, posed_past, said
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.judge import Judgement
from mm_edge.trust.report import Verdict
from mm_edge.trust.selection import aurc, bootstrap, expected_calibration_error
from mm_edge.world.questions import WATCH, right

LOG_WORDS = 512
FEW = 20
"""Answers in a slice; fewer tell nothing."""
SLICE_BINS = 5
"""Of a slice's calibration error: it has few answers."""
Row = dict[str, object]


@dataclass(frozen=True)
class Judged:
    """One answer. confidence: raw, of its least sure word; right: whether its facts are; truth: the value of every fact
    of the scene."""

    posed: Posed
    decoder: str
    confidence: float
    right: bool
    topic: str
    judgement: Judgement

    @property
    def refused(self) -> bool:
        return self.topic == REFUSE


def judged(
    engine: Engine, constants: TrustConstants, table: PlanTable, seed: int, drives: int, logs: int
) -> Iterator[Judged]:
    """Every request by the plan that is chosen when there is no hurry."""
    thinker = Thinker(engine, ManualClock(), Planner(table))
    assessor = Assessor(constants)
    assessor.configure(AssistantConfig())
    for number, posed in enumerate(chain(posed_now(engine, seed, drives), posed_past(engine, seed, logs, LOG_WORDS))):
        context = posed.understood(engine, engine.look(posed.past, posed.percept))
        forbidden = posed.forbidden(engine)
        made = thinker.think(Task(context, posed.request, (), forbidden, number, posed.percept.facts), Bounds())
        assessor.clear()
        assessor.look(posed.drive.observation(posed.t_s), posed.percept, float(number))
        confidence = made.draft.confidence if made.draft.is_sentence else 0.0
        answer = Answer(confidence, made.draft.topic, made.plan.decoder, posed.request, context.asked)
        is_right = right(said(made.draft), posed.question)
        yield Judged(posed, answer.decoder, confidence, is_right, answer.topic, assessor.judge(answer))


def slices(answers: Sequence[Judged]) -> dict[str, list[Judged]]:
    """All answers, those of some conditions, and those of every family of questions."""
    found: dict[str, list[Judged]] = {"all": list(answers)}
    for each in answers:
        drive = each.posed.drive
        kind = "about the present" if each.posed.journey is None else "about the past"
        for name in (kind, drive.daylight, drive.weather, f"question: {each.posed.question.family}"):
            found.setdefault(name, []).append(each)
    return found


def probabilities(answers: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """That the facts are right, and whether they are."""
    return np.array([a.judgement.confidence for a in answers]), np.array([a.right for a in answers], bool)


def row(name: str, answers: Sequence[Judged], bins: int = SLICE_BINS) -> Row:
    """low, high: the calibration error's interval, over drives."""
    p, is_right = probabilities(answers)
    groups = [each.posed.drive.seed for each in answers]
    low, high = bootstrap(lambda at: expected_calibration_error(p[at], is_right[at], bins), groups)
    return {
        "slice": name,
        "n": len(answers),
        "right": float(is_right.mean()),
        "believed": float(p.mean()),
        "ece": expected_calibration_error(p, is_right, bins),
        "low": low,
        "high": high,
        "aurc": aurc(p, is_right),
        "plain": float(np.mean([a.judgement.verdict == Verdict.ACCEPTED for a in answers])),
    }


def rows(answers: Sequence[Judged]) -> list[Row]:
    return [row(name, given) for name, given in slices(answers).items() if name != "all" and len(given) >= FEW]


def share(answers: Sequence[Judged], verdict: Verdict) -> tuple[int, float]:
    """How many were judged so, and how often these are right; NaN for none."""
    given = [each for each in answers if each.judgement.verdict == verdict]
    return len(given), float(np.mean([each.right for each in given])) if given else float("nan")


def wrongly_refused(answers: Sequence[Judged]) -> list[bool]:
    """Of the requests that are about the drive, whether each was refused."""
    return [each.refused for each in answers if each.posed.question.family not in (REFUSE, WATCH)]
