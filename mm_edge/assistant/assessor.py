"""What a drive tells of how far to believe the next sentence: the picture, the sensors, and how the last ones fared.

Gathers the evidence of one turn for the judge. Time is passed in, on the monotonic clock. Knows nothing about wording,
deadlines or how drafts are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import nan

from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.topics import EYELESS_TOPICS, STATED, VEHICLE_TOPICS, request_class, request_kind
from mm_edge.engine.base import Percept
from mm_edge.model.features import fitted
from mm_edge.model.observation import Observation
from mm_edge.trust.agreement import Agreement, stale
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.judge import Doubt, Evidence, Judge, Judgement
from mm_edge.trust.monitors import Outcomes
from mm_edge.trust.novelty import sight
from mm_edge.trust.options import probabilities
from mm_edge.trust.report import Verdict


@dataclass(frozen=True)
class Answer:
    """What was drafted. confidence: of its least sure word, 0 for what is no sentence; text: the request with names
    marked; asked: the words by which it was understood."""

    confidence: float
    topic: str
    decoder: str
    text: str
    asked: tuple[str, ...] = ()


class Assessor:
    """Of one session. Raises TrustError, as constants do, for what they were not fitted for."""

    def __init__(self, constants: TrustConstants) -> None:
        self._constants = constants
        self._judge = Judge(constants)
        self._outcomes = Outcomes()
        self._agreement = Agreement()
        self._facts: Mapping[str, tuple[str, float]] = {}
        self._seen: Mapping[str, Mapping[str, float]] = {}
        self._novelty = 0.0

    def configure(self, config: AssistantConfig) -> None:
        self._judge = Judge(self._constants, config.accept_probability, config.hedge_probability)

    def take_over(self, before: Assessor) -> None:
        """Go on with a copy of how another one's answers fared."""
        self._outcomes = deepcopy(before._outcomes)

    def clear(self) -> None:
        """Time began anew."""
        self._agreement.clear()
        self._outcomes.clear()

    def look(self, observation: Observation, percept: Percept, now_s: float) -> None:
        """What is sensed now."""
        self._facts, self._seen = percept.facts, probabilities(percept.logits)
        picture = None if observation.image is None else fitted(observation.image)
        self._novelty = 0.0 if picture is None else self._constants.novelty.score(sight(picture, percept))
        self._agreement.look(picture, observation.stamp_ns, observation.state, now_s)
        self._outcomes.look(percept.facts, now_s)

    def contradicted(self, at_s: float) -> None:
        """Somebody said then that the last answer is wrong."""
        self._outcomes.corrected(at_s)

    def judge(self, answer: Answer, image_age_ms: float = nan, state_age_ms: float = nan) -> Judgement:
        about_scene = answer.topic not in EYELESS_TOPICS
        doubts: list[Doubt] = [*self._outcomes.doubts()]
        if about_scene or answer.topic in VEHICLE_TOPICS:
            doubts += self._agreement.doubts(about_scene)
            doubts += stale("picture", image_age_ms) if about_scene else stale("vehicle's state", state_age_ms)
        evidence = Evidence(
            answer.confidence,
            answer.decoder,
            request_kind(request_class(answer.text, answer.asked)),
            self._novelty,
            about_scene,
            {name: self._seen[name] for name in STATED.get(answer.topic, ()) if name in self._seen},
            doubts,
        )
        return self._judge(evidence)

    def said(self, judgement: Judgement, topic: str, now_s: float) -> None:
        """An answer went out."""
        if judgement.verdict == Verdict.ACCEPTED:
            self._outcomes.said(judgement.confidence, topic, self._facts, now_s)

    @property
    def risk_bound(self) -> float:
        """Upper bound on the share of wrong accepted answers; NaN before the first outcome."""
        return self._outcomes.risk.bound()
