"""What is made of a draft: plain, with doubt, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mm_edge.model.checkpoint import sha256
from mm_edge.trust.calibration import Calibration
from mm_edge.trust.constants import TrustConstants, TrustError
from mm_edge.trust.judge import Judge
from mm_edge.trust.novelty import ALARM, Novelty
from mm_edge.trust.report import Verdict

FAMILIAR, FOREIGN = np.zeros(3), np.full(3, 50.0)


@pytest.fixture
def constants() -> TrustConstants:
    seen = np.random.default_rng(0).normal(size=(500, 3))
    return TrustConstants("", Calibration(), Novelty.fit(seen))


@pytest.mark.parametrize(
    ("confidence", "verdict"), [(0.95, Verdict.ACCEPTED), (0.6, Verdict.HEDGED), (0.2, Verdict.ABSTAINED)]
)
def test_thresholds(constants: TrustConstants, confidence: float, verdict: Verdict) -> None:
    assert Judge(constants, accept=0.7, hedge=0.4)(confidence, FAMILIAR, about_scene=True).verdict == verdict


def test_an_unfamiliar_picture_lowers_trust_in_what_is_seen_only(constants: TrustConstants) -> None:
    judge = Judge(constants, accept=0.7, hedge=0.4)
    seen, told = (judge(0.95, FOREIGN, about_scene) for about_scene in (True, False))
    assert seen.verdict == Verdict.HEDGED
    assert "unlike the training data" in seen.reasons[0]
    assert told.verdict == Verdict.ACCEPTED


def test_novelty_grows_with_distance_and_never_reads_nan_as_familiar(constants: TrustConstants) -> None:
    scores = [constants.novelty.score(np.full(3, x)) for x in (0.0, 1.0, 3.0, 50.0)]
    assert scores == sorted(scores)
    assert scores[0] < ALARM < scores[-1]
    assert constants.novelty.score(np.full(3, np.nan)) == 1.0


def test_no_picture_is_no_novelty(constants: TrustConstants) -> None:
    assert Judge(constants, 0.7, 0.4)(0.9, None, about_scene=True).novelty == 0.0


def test_novelty_needs_data() -> None:
    with pytest.raises(ValueError, match="at least two"):
        Novelty.fit(np.zeros((1, 3)))


def test_constants_are_bound_to_their_weights(constants: TrustConstants, tmp_path: Path) -> None:
    weights, other, path = tmp_path / "w", tmp_path / "o", tmp_path / "trust.json"
    weights.write_bytes(b"weights")
    other.write_bytes(b"others")
    TrustConstants(sha256(weights), constants.calibration, constants.novelty).save(path)
    assert TrustConstants.load(path, weights).calibration == constants.calibration
    with pytest.raises(TrustError, match="other weights"):
        TrustConstants.load(path, other)


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"calibration": 3})])
def test_damaged_constants_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "trust.json").write_text(content)
    with pytest.raises(TrustError, match=r"trust\.json"):
        TrustConstants.load(tmp_path / "trust.json", tmp_path / "w")
