"""How unlike the training data a picture is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.engine.base import Percept
from mm_edge.trust.novelty import ALARM, Novelty, appearance, sight

SEEN = np.random.default_rng(0).normal(size=(500, 3))


def percept(**logits: list[float]) -> Percept:
    rows = {name: np.array(row, np.float32) for name, row in logits.items()}
    nothing = torch.zeros(1)
    return Percept(nothing, nothing, np.zeros(4, np.float32), {}, nothing, rows)


def test_novelty_grows_with_distance_and_never_reads_nan_as_familiar() -> None:
    novelty = Novelty.fit(SEEN)
    scores = [novelty.score(np.full(3, x)) for x in (0.0, 1.0, 3.0, 50.0)]

    assert scores == sorted(scores)
    assert scores[0] < ALARM < scores[-1]
    assert novelty.score(np.full(3, np.nan)) == 1.0


def test_the_unit_of_an_element_does_not_count() -> None:
    units = np.array((1e-3, 1.0, 1e3))
    plain, scaled = Novelty.fit(SEEN), Novelty.fit(SEEN * units)

    assert scaled.distance(SEEN[0] * units) == pytest.approx(plain.distance(SEEN[0]), rel=1e-2)


def test_what_never_changes_does_not_dominate() -> None:
    constant = np.column_stack([SEEN, np.ones(len(SEEN))])

    assert np.isfinite(Novelty.fit(constant).score(constant[0]))


@pytest.mark.parametrize("vectors", [np.zeros((1, 3)), np.zeros(3), np.full((4, 2), np.nan), np.zeros((0, 2))])
def test_it_needs_data(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least two"):
        Novelty.fit(vectors)


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(1, 400))
def test_pictures_of_any_size_have_as_many_statistics(high: int, wide: int) -> None:
    picture = np.full((high, wide, 3), 77, np.uint8)

    assert appearance(picture).shape == (54,)
    assert np.isfinite(appearance(picture)).all()


def test_a_covered_field_changes_its_own_statistics_only() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (96, 160, 3)).astype(np.uint8)
    covered = picture.copy()
    covered[:30, :50] = 0

    changed = np.abs(appearance(covered) - appearance(picture)).reshape(6, 9) > 0.05

    assert changed[:, 0].all()
    assert not changed[:, 2:].any()


def test_only_what_is_read_off_the_picture_is_in_the_vector() -> None:
    picture = np.zeros((96, 160, 3), np.uint8)
    silent = sight(picture, percept(light=[1.0, 2.0]))

    assert np.array_equal(silent, sight(picture, percept(light=[1.0, 2.0], siren=[3.0, 9.0])))
    assert len(sight(picture, percept())) == len(silent) - 1
