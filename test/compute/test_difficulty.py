"""A probe that tells hard requests from easy ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mm_edge.compute.difficulty import Probe, features
from mm_edge.engine.base import Context


def context(*odds: float) -> Context:
    return Context(torch.zeros(2, 1), 1, claims=tuple(((5, each), (6, 1 - each)) for each in odds))


@pytest.fixture
def probe() -> Probe:
    """Requests are mostly wrong whose second claim is not sure, whatever the first."""
    rng = np.random.default_rng(0)
    odds = rng.uniform(0.2, 1.0, (400, 2))
    wrong = rng.random(400) < np.where(odds[:, 1] < 0.4, 0.8, 0.02)
    return Probe.fit([features(context(*each)) for each in odds.tolist()], wrong, 0.2)


def test_what_mostly_goes_wrong_is_hard(probe: Probe) -> None:
    assert probe.chance(context(0.9, 0.25)) > 0.4 > 0.1 > probe.chance(context(0.9, 0.97))
    assert probe.is_hard(context(0.9, 0.25))
    assert not probe.is_hard(context(0.9, 0.97))


def test_a_fifth_is_hard_as_asked(probe: Probe) -> None:
    odds = np.random.default_rng(1).uniform(0.2, 1.0, (500, 2))
    assert 0.12 < np.mean([probe.is_hard(context(*each)) for each in odds.tolist()]) < 0.28


def test_it_is_written_and_read(probe: Probe) -> None:
    again = Probe.of(json.loads(json.dumps(probe.state())))
    assert again.chance(context(0.9, 0.3)) == pytest.approx(probe.chance(context(0.9, 0.3)), abs=1e-3)


def test_states_that_are_no_numbers_are_hard(probe: Probe) -> None:
    assert probe.chance(context(0.9, float("nan"))) == 1.0
    assert probe.is_hard(context(0.9, float("nan")))


@pytest.mark.parametrize("wrong", [[0, 0], [1, 1], [0, 1, 1]])
def test_there_is_nothing_to_learn_of_one_kind_or_of_other_lengths(wrong: list[int]) -> None:
    with pytest.raises(ValueError, match="right and wrong"):
        Probe.fit([[0.0, 1.0], [1.0, 0.0]], wrong, 0.2)


def test_a_damaged_one_is_refused(probe: Probe) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Probe.of(probe.state() | {"weights": [1.0]})


def test_where_nearly_all_is_easy_it_still_converges() -> None:
    rng = np.random.default_rng(3)
    odds = np.where(rng.random((2000, 4)) < 0.1, rng.uniform(0.3, 1.0, (2000, 4)), 1.0)
    wrong = (odds.min(1) < 0.45) & (rng.random(2000) < 0.7)
    probe = Probe.fit([features(context(*each)) for each in odds.tolist()], wrong, 0.15)
    assert wrong.mean() < 0.1
    assert abs(probe.bias) < 20
    assert 0.1 < np.mean([probe.is_hard(context(*each)) for each in odds[:500].tolist()]) < 0.2
