"""What to make of one draft: believe it, hedge it, or abstain. Pure functions of numbers; knows no wording."""

from __future__ import annotations

from dataclasses import dataclass

from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.novelty import ALARM
from mm_edge.trust.report import Verdict

NOVELTY_DISCOUNT = 0.5
"""Factor on the probability when the picture is unlike the training data: calibration does not hold there."""


@dataclass(frozen=True)
class Judgement:
    confidence: float
    novelty: float
    verdict: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Judge:
    """Thresholds on the calibrated probability: plain from `accept` up, hedged from `hedge` up, else abstain."""

    constants: TrustConstants
    accept: float
    hedge: float

    def __call__(self, raw_confidence: float, pooled: object, about_scene: bool) -> Judgement:
        """Judge one draft by its raw confidence and the pooled feature [p] of its newest frame (None: no frame).

        Novelty counts only for sentences about the scene: what the vehicle says of itself needs no eyes.
        """
        novelty = 0.0 if pooled is None else self.constants.novelty.score(pooled)  # type: ignore[arg-type]
        confidence = self.constants.calibration.probability(raw_confidence)
        reasons = []
        if about_scene and novelty > ALARM:
            confidence *= NOVELTY_DISCOUNT
            reasons.append("the picture is unlike the training data")
        if confidence < self.accept:
            reasons.append(f"probability {confidence:.2f} is below {self.accept:.2f}")
        return Judgement(confidence, novelty, self._verdict(confidence), tuple(reasons))

    def _verdict(self, confidence: float) -> Verdict:
        if confidence >= self.accept:
            return Verdict.ACCEPTED
        return Verdict.HEDGED if confidence >= self.hedge else Verdict.ABSTAINED
