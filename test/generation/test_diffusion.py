"""Draft and edit: blocks at once, from an engine whose odds a test sets."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from fake_engine import (
    GREEN,
    GREEN_LIGHT,
    IS,
    LENGTH,
    LIGHT,
    RED,
    RED_LIGHT,
    STOP,
    THE,
    Fake,
    Ids,
    always,
    context,
    drafts,
    in_order,
    odds,
    surely,
    unhurried,
    wild,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.generation.diffusion import FAST, FINAL, QUALITY, SPEEDY, DraftAndEdit, Thresholds, side_by_side
from mm_edge.model.tokenizer import EOS, MASK

MODES = pytest.mark.parametrize("mode", [FAST, SPEEDY, QUALITY], ids=["fast", "speedy", "quality"])
ANY_MODE = st.sampled_from([FAST, SPEEDY, QUALITY])
SEEDS, SHARPNESS, PASSES = st.integers(0, 1000), st.floats(0.0, 20.0), st.integers(1, 12)


def flipping(colour: float) -> Fake:
    """It wants the light to be of the other colour, whatever colour it is."""

    def block(ids: Ids, style: int) -> Tensor:
        other = GREEN if RED in ids else RED
        return odds((THE, 0.9), (LIGHT, 0.9), (IS, 0.9), (other, colour), (STOP, 0.9), *[(EOS, 0.9)] * 3)

    return Fake(block)


@MODES
def test_a_sure_sentence_takes_one_pass(mode: Thresholds) -> None:
    (only,) = drafts(DraftAndEdit(mode), always(surely(RED_LIGHT)))
    assert only.done
    assert only.final == LENGTH
    assert only.text == "The light is red."


@MODES
def test_a_draft_is_complete_after_every_pass(mode: Thresholds) -> None:
    made = drafts(DraftAndEdit(mode), wild(1, 1.0))
    assert len(made) > 1
    assert all(MASK not in draft.ids for draft in made)


@unhurried
@given(ANY_MODE, SEEDS, SHARPNESS, PASSES)
def test_when_no_pass_is_left_no_mask_is_left(mode: Thresholds, seed: int, sharpness: float, passes: int) -> None:
    engine = wild(seed, sharpness)
    *_, last = drafts(DraftAndEdit(mode), engine, passes)
    assert last.done
    assert MASK not in last.ids
    assert len(engine.shown) == last.passes <= passes


@unhurried
@given(ANY_MODE, SEEDS, SHARPNESS)
def test_every_pass_fills_in_at_least_one_word_and_none_is_masked_again(
    mode: Thresholds, seed: int, sharpness: float
) -> None:
    engine = wild(seed, sharpness)
    drafts(DraftAndEdit(mode), engine)
    masks = [int((ids == MASK).sum()) for ids in engine.shown]
    assert all(after < before or after == 0 for before, after in pairwise(masks))


@unhurried
@given(SEEDS, SHARPNESS, PASSES)
def test_without_editing_a_word_that_is_there_stays(seed: int, sharpness: float, passes: int) -> None:
    engine = wild(seed, sharpness)
    drafts(DraftAndEdit(FAST), engine, passes)
    for before, after in pairwise(engine.shown):
        assert torch.equal(before[before != MASK], after[before != MASK])


def test_speedy_overwrites_a_word_by_any_better_one() -> None:
    unsure = surely(GREEN_LIGHT, 0.55)
    made = drafts(DraftAndEdit(SPEEDY), in_order(surely(RED_LIGHT, 0.6), unsure))
    assert [draft.ids for draft in made] == [RED_LIGHT, GREEN_LIGHT]


def test_quality_does_not_overwrite_a_word_by_an_unlikely_one() -> None:
    made = drafts(DraftAndEdit(QUALITY), in_order(surely(RED_LIGHT, 0.8), surely(GREEN_LIGHT, 0.45)))
    assert [draft.ids for draft in made] == [RED_LIGHT] * 2


def test_quality_edits_a_wrong_word_until_nothing_changes() -> None:
    first, then = surely(RED_LIGHT, 0.8), surely(GREEN_LIGHT, 0.9)
    made = drafts(DraftAndEdit(QUALITY), in_order(first, then))
    assert [draft.ids for draft in made] == [RED_LIGHT, GREEN_LIGHT, GREEN_LIGHT]
    assert [draft.done for draft in made] == [False, False, True]


@pytest.mark.parametrize("posts", [1, 4])
def test_a_draft_that_never_settles_is_edited_so_often_and_no_more(posts: int) -> None:
    made = drafts(DraftAndEdit(Thresholds(0.5, 0.5, sure=0.97, posts=posts)), flipping(0.9))
    assert len(made) == 1 + posts
    assert [draft.ids[3] for draft in made] == [RED, GREEN, RED, GREEN, RED][: 1 + posts]


def test_a_word_that_was_sure_twice_is_not_edited_any_more() -> None:
    half_sure = odds(*[(word, FINAL + 0.01) for word in RED_LIGHT[:3]], *[(word, 0.8) for word in RED_LIGHT[3:]])
    other = surely(GREEN_LIGHT[::-1], 0.9)
    made = drafts(
        DraftAndEdit(Thresholds(0.5, 0.5, sure=0.97, posts=4)), in_order(half_sure, flipped(half_sure), other)
    )
    assert [draft.final for draft in made[:2]] == [0, 3]
    assert made[-1].ids == (*RED_LIGHT[:3], *GREEN_LIGHT[::-1][3:])


def flipped(logits: Tensor) -> Tensor:
    """The same, but for another colour."""
    logits = logits.clone()
    logits[:, [RED, GREEN]] = logits[:, [GREEN, RED]]
    return logits


def stuttering() -> Tensor:
    logits = surely(RED_LIGHT, 0.9)
    logits[1, THE] = logits[1, LIGHT] + 1.0
    return logits


@pytest.mark.parametrize(("penalty", "second"), [(0.0, THE), (5.0, LIGHT)])
def test_a_penalty_takes_the_word_before_off(penalty: float, second: int) -> None:
    *_, last = drafts(DraftAndEdit(Thresholds(0.5, 0.5, sure=0.97, posts=4, penalty=penalty)), always(stuttering()))
    assert last.ids == (THE, second, *RED_LIGHT[2:])


@unhurried
@given(ANY_MODE, SEEDS, SHARPNESS, st.integers(1, 4), PASSES)
def test_sentences_side_by_side_are_each_as_alone(
    mode: Thresholds, seed: int, sharpness: float, count: int, passes: int
) -> None:
    engine, styles = wild(seed, sharpness), range(1, count + 1)
    *_, together = side_by_side(engine, [context(style) for style in styles], mode, passes)  # type: ignore[arg-type]
    alone = [drafts(DraftAndEdit(mode), engine, passes, style=style)[-1] for style in styles]
    assert [draft.ids for draft in together] == [draft.ids for draft in alone]
    assert [draft.confidences for draft in together] == [draft.confidences for draft in alone]
    assert together[0].passes == max(draft.passes for draft in alone)


def test_doubt_after_the_end_does_not_count() -> None:
    logits = surely(RED_LIGHT)
    logits[6:] = 0.0
    assert drafts(DraftAndEdit(FAST), always(logits), 1)[0].confidence == pytest.approx(0.999)
