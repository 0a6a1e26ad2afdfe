"""Several samples, and what most of them say. An engine that is sure makes one sample in one pass."""

from __future__ import annotations

from math import isnan

import pytest
import torch
from fake_engine import (
    GREEN_LIGHT,
    LENGTH,
    RED_LIGHT,
    TOKENIZER,
    always,
    drafts,
    in_order,
    surely,
    unhurried,
    wild,
)
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.generation.voting import Voting
from mm_edge.model.tokenizer import MASK

RED_SAID, GREEN_SAID = surely(RED_LIGHT, 1 - 1e-9), surely(GREEN_LIGHT, 1 - 1e-9)


def test_two_samples_that_agree_are_enough() -> None:
    engine = always(RED_SAID)
    *_, last = drafts(Voting(), engine)
    assert last.ids == RED_LIGHT
    assert engine.passes == last.passes == 2
    assert last.agreement == 1.0
    assert last.done


def test_most_samples_win() -> None:
    engine = in_order(GREEN_SAID, RED_SAID, RED_SAID, RED_SAID)
    *_, last = drafts(Voting(), engine)
    assert last.ids == RED_LIGHT
    assert engine.passes == last.passes == 4


def test_later_samples_keep_what_all_before_agree_on_but_for_the_last_quarter() -> None:
    engine = in_order(GREEN_SAID, RED_SAID, RED_SAID, RED_SAID)
    drafts(Voting(), engine)
    assert [bool((ids == MASK).all()) for ids in engine.shown] == [True, True, True, False]
    the, light, is_, *rest = RED_LIGHT
    assert engine.shown[3][0].tolist() == [the, light, is_, MASK, MASK, MASK, *rest[3:]]


def test_only_independent_samples_count_for_how_far_they_agree() -> None:
    *_, last = drafts(Voting(), in_order(GREEN_SAID, RED_SAID, RED_SAID, RED_SAID))
    assert last.agreement == 0.5, "one of the two others of the first three"


def test_a_sample_alone_agrees_with_nobody() -> None:
    *_, last = drafts(Voting(samples=1), always(RED_SAID))
    assert last.passes == 1
    assert isnan(last.agreement)


@pytest.mark.parametrize(("way", "passes"), [(Voting(stops=False), 5), (Voting(stops=False, remasks=False), 5)])
def test_plain_majority_draws_all_samples(way: Voting, passes: int) -> None:
    engine = always(RED_SAID)
    *_, last = drafts(way, engine)
    assert engine.passes == last.passes == passes
    assert last.agreement == 1.0


def test_a_vote_ends_when_no_pass_is_left() -> None:
    engine = in_order(GREEN_SAID, RED_SAID)
    *_, last = drafts(Voting(), engine, max_passes=2)
    assert engine.passes == last.passes == 2
    assert last.done
    assert last.ids == GREEN_LIGHT, "first said first"


def test_words_in_doubt_are_filled_in_one_by_one() -> None:
    engine = always(torch.zeros(LENGTH, len(TOKENIZER)))
    *_, last = drafts(Voting(samples=1), engine)
    assert last.passes == LENGTH
    assert [int((ids == MASK).sum()) for ids in engine.shown] == [*range(LENGTH, 0, -1)]


@unhurried
@given(st.integers(0, 1000), st.floats(0.0, 20.0), st.integers(1, 30))
def test_passes_are_those_of_all_samples(seed: int, sharpness: float, most: int) -> None:
    engine = wild(seed, sharpness)
    *_, last = drafts(Voting(), engine, most, seed=seed)
    assert last.passes == engine.passes <= most
    assert last.done
    assert isnan(last.agreement) or 0.0 <= last.agreement <= 1.0


def test_other_seeds_draw_other_samples() -> None:
    engine = wild(2, 1.0)
    assert len({drafts(Voting(samples=1, temperature=1.0), engine, seed=seed)[-1].ids for seed in range(8)}) > 1
