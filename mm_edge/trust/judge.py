"""What to make of one draft: say it plainly, with doubt, ask instead, refuse, or abstain. Pure functions of numbers.

The thresholds are those that were fitted (learn then test: mm_edge/training/trust.py), unless others are set. Knows no
wording.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.novelty import ALARM
from mm_edge.trust.report import Verdict

NOVELTY_DISCOUNT = 0.5
"""Factor on the probability when the picture is unlike the training data: calibration does not hold there."""


@dataclass(frozen=True)
class Doubt:
    """Something that speaks against a draft. factor: on the probability that it is right."""

    reason: str
    factor: float = 1.0


@dataclass(frozen=True)
class Evidence:
    """What a draft is judged by.

    confidence: of its least sure word, 0 for what is no sentence; decoder, kind: how it was made, and for what kind of
    request; novelty: of the picture, 0 without one; about_scene: whether it needs eyes; seen: the facts that it may
    state -> probability by value; doubts: of others.
    """

    confidence: float
    decoder: str
    kind: str
    novelty: float = 0.0
    about_scene: bool = False
    seen: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    doubts: Iterable[Doubt] = ()


@dataclass(frozen=True)
class Judgement:
    """confidence: the calibrated probability that the facts are right; options: two values, where it is to be asked
    which of them is right."""

    confidence: float
    novelty: float
    verdict: Verdict
    reasons: tuple[str, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judge:
    """accept, hedge: probabilities from which up a sentence is said plainly, or with doubt; 0: as fitted."""

    constants: TrustConstants
    accept: float = 0.0
    hedge: float = 0.0

    def __call__(self, evidence: Evidence) -> Judgement:
        """Novelty counts only for sentences about the scene: what the vehicle says of itself needs no eyes. Raises
        TrustError for a decoder or a kind of request that nothing was fitted for."""
        doubts = [*evidence.doubts]
        if evidence.about_scene and not evidence.novelty <= ALARM:
            doubts.insert(0, Doubt("the picture is unlike the training data", NOVELTY_DISCOUNT))
        confidence = self.constants.probability(evidence.confidence, evidence.decoder, evidence.kind)
        for doubt in doubts:
            confidence *= doubt.factor
        reasons = [doubt.reason for doubt in doubts]
        accept, hedge = self._thresholds(evidence.decoder)
        if confidence >= accept:
            return Judgement(confidence, evidence.novelty, Verdict.ACCEPTED, tuple(reasons))
        reasons.append(f"probability {confidence:.2f} is below {accept:.2f}")
        options = self._options(evidence)
        if options:
            reasons.append(f"possible are {' and '.join(options)}")
            return Judgement(confidence, evidence.novelty, Verdict.ASKED, tuple(reasons), options)
        verdict = Verdict.HEDGED if confidence >= hedge else Verdict.ABSTAINED
        return Judgement(confidence, evidence.novelty, verdict, tuple(reasons))

    def _thresholds(self, decoder: str) -> tuple[float, float]:
        belief = self.constants.belief(decoder)
        accept = self.accept or belief.accept
        return accept, min(self.hedge or belief.hedge, accept)

    def _options(self, evidence: Evidence) -> tuple[str, ...]:
        """The two values that one fact may have; none when there are not exactly two, or where sets were not fitted
        for: with an unfamiliar picture."""
        if not evidence.novelty <= ALARM:
            return ()
        sets = (self.constants.options(fact, odds) for fact, odds in evidence.seen.items())
        return next((each for each in sets if len(each) == 2), ())
