"""What is made of a draft: plain, with doubt, a question, a refusal, or nothing."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest

from mm_edge.trust.constants import TrustConstants, TrustError
from mm_edge.trust.judge import Doubt, Evidence, Judge
from mm_edge.trust.report import Verdict

FOREIGN = 0.9
RED_OR_GREEN = {"light": {"none": 0.02, "red": 0.5, "yellow": 0.03, "green": 0.45}}


def evidence(confidence: float, **more: object) -> Evidence:
    return replace(Evidence(confidence, "fast", "now"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("confidence", "verdict"), [(0.95, Verdict.ACCEPTED), (0.6, Verdict.HEDGED), (0.2, Verdict.ABSTAINED)]
)
def test_the_fitted_thresholds_decide(constants: TrustConstants, confidence: float, verdict: Verdict) -> None:
    assert Judge(constants)(evidence(confidence)).verdict == verdict


def test_thresholds_that_are_set_go_before_those_that_were_fitted(constants: TrustConstants) -> None:
    judge = Judge(constants, accept=0.99, hedge=0.9)

    assert judge(evidence(0.95)).verdict == Verdict.HEDGED
    assert judge(evidence(0.85)).verdict == Verdict.ABSTAINED


def test_a_lower_threshold_for_plain_speech_lowers_that_for_doubt(constants: TrustConstants) -> None:
    assert Judge(constants, accept=0.3)(evidence(0.35)).verdict == Verdict.ACCEPTED


def test_each_kind_of_request_has_a_calibration_of_its_own(constants: TrustConstants) -> None:
    now, past = (Judge(constants)(evidence(0.8, kind=kind)).confidence for kind in ("now", "past"))

    assert now == pytest.approx(0.8)
    assert past < now


@pytest.mark.parametrize("more", [{"decoder": "unheard-of"}, {"kind": "future"}])
def test_what_nothing_was_fitted_for_is_refused(constants: TrustConstants, more: dict[str, str]) -> None:
    with pytest.raises(TrustError, match="nothing was fitted"):
        Judge(constants)(evidence(0.9, **more))


def test_an_unfamiliar_picture_lowers_trust_in_what_is_seen_only(constants: TrustConstants) -> None:
    seen, told = (Judge(constants)(evidence(0.95, novelty=FOREIGN, about_scene=about)) for about in (True, False))

    assert seen.verdict == Verdict.HEDGED
    assert "unlike the training data" in seen.reasons[0]
    assert told.verdict == Verdict.ACCEPTED


@pytest.mark.parametrize("confidence", [nan, 0.0, -1.0])
def test_what_is_no_confidence_is_never_said(constants: TrustConstants, confidence: float) -> None:
    judgement = Judge(constants)(evidence(confidence))

    assert judgement.confidence == 0.0
    assert judgement.verdict == Verdict.ABSTAINED


def test_a_novelty_that_is_no_number_is_an_alarm(constants: TrustConstants) -> None:
    assert "unlike" in Judge(constants)(evidence(0.95, novelty=nan, about_scene=True)).reasons[0]


def test_doubts_lower_the_probability_and_say_why(constants: TrustConstants) -> None:
    judgement = Judge(constants)(evidence(0.9, doubts=(Doubt("the lens is wet", 0.5), Doubt("it is late"))))

    assert judgement.confidence == pytest.approx(0.45)
    assert judgement.verdict == Verdict.HEDGED
    assert judgement.reasons[:2] == ("the lens is wet", "it is late")


def test_two_possible_values_are_asked_about(constants: TrustConstants) -> None:
    judgement = Judge(constants)(evidence(0.5, about_scene=True, seen=RED_OR_GREEN))

    assert judgement.verdict == Verdict.ASKED
    assert judgement.options == ("red", "green")


def test_what_is_sure_enough_is_said_not_asked(constants: TrustConstants) -> None:
    assert Judge(constants)(evidence(0.9, about_scene=True, seen=RED_OR_GREEN)).verdict == Verdict.ACCEPTED


def test_an_unfamiliar_picture_leaves_no_options(constants: TrustConstants) -> None:
    judgement = Judge(constants)(evidence(0.9, novelty=FOREIGN, about_scene=True, seen=RED_OR_GREEN))

    assert judgement.options == ()
    assert judgement.verdict == Verdict.HEDGED


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("confidence", [0.0, 0.3, 0.5, 0.75, 0.99])
def test_doubt_never_makes_bolder(constants: TrustConstants, confidence: float, factor: float) -> None:
    before = Judge(constants)(evidence(confidence))
    after = Judge(constants)(evidence(confidence, doubts=(Doubt("x", factor),)))

    assert after.confidence <= before.confidence
    assert after.verdict >= before.verdict
