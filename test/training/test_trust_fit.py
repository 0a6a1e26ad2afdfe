"""Fitting what trust needs: probabilities, thresholds that keep a promise, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mm_edge.engine import open_engine, trust_path, weights_path
from mm_edge.engine.base import EngineError
from mm_edge.errors import UserError
from mm_edge.generation import DECODERS
from mm_edge.training.trust import FAMILIES, KINDS, Answer, answered, believed, fit, require, seen, threshold
from mm_edge.trust.constants import TrustConstants

DRIVE = 1_700_000


def outcomes(n: int, wrong: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and outcomes that are wrong in this share below 0.9 and never above."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.5, 1.0, n)
    return p, (rng.random(n) >= wrong) | (p > 0.9)


def test_a_threshold_keeps_its_promise_on_others() -> None:
    kept = []
    for seed in range(30):
        p, right = outcomes(1000, 0.1, seed)
        found = threshold(p, right, np.linspace(0.5, 0.99, 50), 0.5, risk=0.02)
        fresh_p, fresh_right = outcomes(20_000, 0.1, 1000 + seed)
        kept.append(1 - fresh_right[fresh_p >= found].mean() <= 0.02)

    assert np.mean(kept) >= 0.9


def test_a_threshold_is_as_low_as_it_may_be() -> None:
    p, right = outcomes(4000, 0.0)

    assert threshold(p, right, np.linspace(0.5, 0.99, 50), 0.5, risk=0.02) == 0.5
    assert threshold(p, right, np.linspace(0.5, 0.99, 50), 0.75, risk=0.02) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("p", "right"),
    [
        (np.zeros(0), np.zeros(0, bool)),
        (np.linspace(0.5, 1, 20), np.ones(20, bool)),
        (np.linspace(0.5, 1, 500), np.zeros(500, bool)),
        (np.linspace(0.5, 1, 500), np.arange(500) % 2 == 0),
    ],
    ids=["nothing", "too few", "all wrong", "half wrong"],
)
def test_without_evidence_nothing_is_said_plainly(p: np.ndarray, right: np.ndarray) -> None:
    assert threshold(p, right, np.linspace(0.5, 0.99, 50), 0.5, risk=0.02) == 1.0


def answers(n: int, wrong: float) -> list[Answer]:
    rng = np.random.default_rng(0)
    return [
        Answer(seed, KINDS[seed % 4 // 2], float(rng.uniform(0.9, 0.999)), bool(rng.random() >= wrong))
        for seed in range(n)
    ]


def test_belief_has_every_kind_and_thresholds_in_order() -> None:
    belief = believed(("fast",), answers(2000, 0.005))

    assert {*belief.calibrations} == {*KINDS}
    assert 0 < belief.hedge <= belief.accept < 1
    assert belief.selection[-1][1] == pytest.approx(0.005, abs=0.005)
    assert sum(n for *_, n in belief.reliability) == 2000


def test_a_model_that_is_mostly_wrong_is_not_believed() -> None:
    belief = believed(("fast",), answers(1000, 0.7))

    assert belief.accept == belief.hedge == 1.0


@pytest.mark.parametrize("given", [[], [Answer(0, "now", 0.9, True)] * 50])
def test_no_answers_of_a_kind_are_refused(given: list[Answer]) -> None:
    with pytest.raises(ValueError, match="as many outcomes"):
        believed(("fast",), given)


def test_one_class_of_outcomes_stays_finite() -> None:
    belief = believed(("fast",), answers(2000, 0.0))

    assert all(np.isfinite((fit.slope, fit.intercept)).all() for fit in belief.calibrations.values())
    assert belief.accept == 0.95


def test_every_decoder_is_fitted_once() -> None:
    decoders = [name for family in FAMILIES for name in family]

    assert sorted(decoders) == sorted(DECODERS)
    assert all({plan.decoder for plan in plans if plan} <= {*family} for family, plans in FAMILIES.items())


def test_every_family_answers_in_its_turns() -> None:
    given = answered(open_engine(weights_path("small")), DRIVE, drives=1, logs=0)

    assert {*given} == {*FAMILIES}
    assert [len(each) for each in given.values()] == pytest.approx([12, 6, 6], abs=1)
    assert {answer.seed for each in given.values() for answer in each} == {DRIVE}


def test_pictures_come_with_what_is_true() -> None:
    found = [*seen(open_engine(weights_path("small")), DRIVE, 2)]

    assert len({each.vector.shape for each in found}) == 1
    for each in found:
        assert all(p.sum() == pytest.approx(1) and 0 <= true < len(p) for p, true in each.facts.values())


@pytest.mark.parametrize("rung", ["small", "large"])
def test_the_shipped_constants_are_of_the_shipped_weights(rung: str) -> None:
    constants = TrustConstants.load(trust_path(rung), weights_path(rung))

    assert {name for belief in constants.beliefs for name in belief.decoders} == {*DECODERS}
    assert all({*belief.calibrations} == {*KINDS} for belief in constants.beliefs)
    assert all(0 < belief.hedge <= belief.accept < 1 for belief in constants.beliefs)


def test_a_missing_library_is_said_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mapie", None)

    with pytest.raises(UserError, match=r"pip install .*calibration"):
        require()


def test_a_precision_that_nothing_runs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MM_EDGE_CACHE", str(tmp_path))

    with pytest.raises(EngineError, match="onnxruntime"):
        fit(weights_path("small"), tmp_path / "trust.json", "int8")


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no precision named 'fp8'"):
        fit(weights_path("small"), tmp_path / "trust.json", "fp8")
