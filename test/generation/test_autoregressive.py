"""One word after the other, and the very same words in fewer passes."""

from __future__ import annotations

from collections.abc import Callable

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
    TOKENIZER,
    Fake,
    Ids,
    always,
    context,
    drafts,
    surely,
    unhurried,
    wild,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.generation.autoregressive import Autoregressive, DraftAndVerify, Speculative, in_turn
from mm_edge.generation.draft import Decoder, Draft
from mm_edge.model.tokenizer import EOS

SEEDS, SHARPNESS = st.integers(0, 1000), st.floats(0.1, 20.0)
CHECKED = pytest.mark.parametrize("way", [DraftAndVerify(), Speculative()], ids=["verified", "speculative"])


def last(way: Decoder, engine: Fake, seed: int = 0, style: int = 1) -> Draft:
    return drafts(way, engine, seed=seed, style=style)[-1]


def speaker(sentence: Ids, draft: Ids) -> Fake:
    """Word by word it says a sentence; at once it would say another."""
    whole = surely(sentence)

    def after(before: Ids, style: int) -> Tensor:
        return whole[len(before)] if before == sentence[: len(before)] else torch.zeros(len(TOKENIZER))

    return Fake(lambda ids, style: surely(draft), after)


def test_a_sentence_takes_a_pass_for_each_word_and_one_for_its_end() -> None:
    made = drafts(Autoregressive(), always(surely(RED_LIGHT)))
    assert [draft.passes for draft in made] == [1, 2, 3, 4, 5, 6]
    assert [draft.final for draft in made[:-1]] == [1, 2, 3, 4, 5]
    assert made[-1].done
    assert made[-1].ids == RED_LIGHT


@CHECKED
@unhurried
@given(SEEDS, SHARPNESS, st.sets(st.sampled_from(GREEN_LIGHT[:5]), max_size=2))
def test_a_checked_draft_is_what_would_have_been_said_word_by_word(
    way: Decoder, seed: int, sharpness: float, forbidden: set[int]
) -> None:
    engine = wild(seed, sharpness)
    expected, found = (drafts(each, engine, 99, [*forbidden])[-1] for each in (Autoregressive(), way))
    assert found.ids == expected.ids
    assert found.confidence == pytest.approx(expected.confidence)


@unhurried
@given(SEEDS, SHARPNESS)
def test_a_free_draft_is_never_slower_than_word_by_word(seed: int, sharpness: float) -> None:
    engine = wild(seed, sharpness)
    assert last(Speculative(), engine).passes <= last(Autoregressive(), engine).passes


@pytest.mark.parametrize(
    ("make", "draft", "passes"),
    [
        (DraftAndVerify, RED_LIGHT, 2),  # it is drafted, and checked
        (DraftAndVerify, GREEN_LIGHT, 4),  # the check says red, the rest is drafted and checked again
        (Speculative, RED_LIGHT, 1),  # what the language has costs nothing
    ],
)
def test_passes_of_a_checked_draft(make: Callable[[], Decoder], draft: Ids, passes: int) -> None:
    engine = speaker(RED_LIGHT, draft)
    said = last(make(), engine)
    assert said.ids == RED_LIGHT
    assert said.passes == engine.passes == passes


def test_what_the_language_has_not_costs_a_pass_for_each_word() -> None:
    backwards = (*RED_LIGHT[4::-1], EOS, EOS, EOS)
    assert last(Speculative(), speaker(backwards, RED_LIGHT)).ids == backwards


@CHECKED
def test_a_check_that_is_cut_short_still_gives_a_whole_draft(way: Decoder) -> None:
    engine = speaker(GREEN_LIGHT, RED_LIGHT)
    for passes in range(1, 5):
        *_, draft = drafts(way, engine, passes)
        assert draft.done
        assert draft.ids in (RED_LIGHT, GREEN_LIGHT)


def test_a_draft_that_was_not_checked_is_as_sure_as_it_was_drafted() -> None:
    first, *_ = drafts(DraftAndVerify(), always(surely(RED_LIGHT, 0.6)))
    assert first.confidence == pytest.approx(0.6)


def test_words_that_the_language_guessed_and_nobody_checked_are_not_sure() -> None:
    backwards = (*RED_LIGHT[4::-1], EOS, EOS, EOS)
    (only,) = drafts(Speculative(), speaker(backwards, RED_LIGHT), 1)
    assert only.confidence < 0.4, "it would be said"


def test_speech_that_is_cut_short_is_done() -> None:
    *_, draft = drafts(Autoregressive(), always(surely(RED_LIGHT)), max_passes=3)
    assert draft.ids == (*RED_LIGHT[:3], *[EOS] * (LENGTH - 3))
    assert draft.done, "no pass is left that could change it"


@unhurried
@given(SEEDS, SEEDS)
def test_what_is_drawn_follows_from_the_seed(seed: int, draw: int) -> None:
    engine = wild(seed, 1.0)
    first, again = (last(Autoregressive(1.0), engine, draw) for _ in range(2))
    assert first.ids == again.ids


def test_at_a_temperature_other_seeds_say_other_words() -> None:
    engine = wild(3, 1.0)
    assert len({last(Autoregressive(1.0), engine, draw).ids for draw in range(8)}) > 1
    assert len({last(Autoregressive(), engine, draw).ids for draw in range(8)}) == 1


def test_what_has_no_chance_is_never_drawn() -> None:
    engine = always(surely(RED_LIGHT, 0.5))
    drawn = [drafts(Autoregressive(5.0), engine, 99, [GREEN], seed)[-1].ids for seed in range(40)]
    assert {word for ids in drawn for word in ids} == {EOS, THE, LIGHT, IS, RED, STOP}


@unhurried
@given(SEEDS, SHARPNESS, st.integers(1, 4))
def test_sentences_side_by_side_are_each_as_alone(seed: int, sharpness: float, count: int) -> None:
    engine, styles = wild(seed, sharpness), range(1, count + 1)
    *_, together = in_turn(engine, [context(style) for style in styles], 99)  # type: ignore[arg-type]
    assert [draft.ids for draft in together] == [last(Autoregressive(), engine, style=style).ids for style in styles]
