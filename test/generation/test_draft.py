"""What every way to make a sentence keeps to, whatever the engine says."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest
import torch
from fake_engine import LENGTH, RED_LIGHT, TOKENIZER, always, context, drafts, surely, unhurried, wild
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.thinking import PLANNED
from mm_edge.generation import DECODERS, IN_TURN, several
from mm_edge.generation.slots import UNKNOWN, fill
from mm_edge.model.observation import VehicleState
from mm_edge.model.tokenizer import EOS

NAMES = st.sampled_from([*DECODERS])
SPOKEN = [*range(TOKENIZER.first_spoken, len(TOKENIZER))]
SEEDS, SHARPNESS, PASSES = st.integers(0, 1000), st.floats(0.0, 20.0), st.integers(1, 2 * LENGTH)


def test_a_user_may_choose_every_decoder_that_there_is() -> None:
    assert {*get_args(AssistantConfig.model_fields["decoder"].annotation)} == {PLANNED, *DECODERS}


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_sure_is_said(name: str) -> None:
    *_, last = drafts(DECODERS[name], always(surely(RED_LIGHT)))
    assert last.ids == RED_LIGHT
    assert last.text == "The light is red."
    assert last.confidence == pytest.approx(0.999)
    assert last.is_sentence


@pytest.mark.parametrize("name", DECODERS)
def test_an_engine_without_numbers_leads_to_a_draft_without_confidence(name: str) -> None:
    *_, last = drafts(DECODERS[name], always(torch.full((LENGTH, len(TOKENIZER)), torch.nan)))
    assert {*last.ids} <= {EOS, *SPOKEN}
    assert last.confidence == 0
    assert last.done


@unhurried
@given(NAMES, SEEDS, SHARPNESS, PASSES, st.sets(st.sampled_from(SPOKEN), max_size=4))
def test_only_what_may_be_said_is_ever_in_a_draft(
    name: str, seed: int, sharpness: float, passes: int, forbidden: set[int]
) -> None:
    allowed = {EOS, *SPOKEN} - forbidden
    for draft in drafts(DECODERS[name], wild(seed, sharpness), passes, [*forbidden], seed):
        assert {*draft.ids} <= allowed
        assert len(draft.ids) == LENGTH
        assert 0 <= draft.confidence <= 1


@unhurried
@given(NAMES, SEEDS, SHARPNESS, PASSES)
def test_every_pass_yields_a_draft_and_the_last_one_is_done(
    name: str, seed: int, sharpness: float, passes: int
) -> None:
    engine = wild(seed, sharpness)
    made = drafts(DECODERS[name], engine, passes, seed=seed)
    assert sorted({draft.passes for draft in made}) == [*range(1, engine.passes + 1)]
    assert engine.passes <= passes
    assert [draft.done for draft in made] == [False] * (len(made) - 1) + [True]


@unhurried
@given(NAMES, SEEDS, SHARPNESS, PASSES)
def test_words_that_are_final_never_change(name: str, seed: int, sharpness: float, passes: int) -> None:
    made = drafts(DECODERS[name], wild(seed, sharpness), passes, seed=seed)
    for before, after in pairwise(made):
        assert before.final <= after.final
        assert before.ids[: before.final] == after.ids[: before.final]


@unhurried
@given(NAMES, SEEDS, SHARPNESS)
def test_the_same_seed_makes_the_same_drafts(name: str, seed: int, sharpness: float) -> None:
    first, second = (drafts(DECODERS[name], wild(seed, sharpness), seed=seed) for _ in range(2))
    assert [draft.ids for draft in first] == [draft.ids for draft in second]


@pytest.mark.parametrize("name", DECODERS)
def test_several_sentences_take_the_passes_of_one(name: str) -> None:
    engine = always(surely(RED_LIGHT))
    *_, last = several(name, engine, [context(), context(2)], 24)  # type: ignore[arg-type]
    assert [draft.text for draft in last] == ["The light is red."] * 2
    assert engine.passes == (6 if name in IN_TURN else 1)


def test_a_sentence_ends_at_its_end() -> None:
    *_, last = drafts(DECODERS["fast"], always(surely(RED_LIGHT)))
    assert last.length == 6
    assert last.topic == ""


def test_slots_are_filled_from_the_vehicle() -> None:
    state = VehicleState(speed_mps=-13.9, energy_percent=41.6)
    assert fill("{speed} of {energy} percent.", state) == "50 of 42 percent."
    assert fill("{range} kilometres.", state).lower() == f"{UNKNOWN} kilometres."
    assert fill("{nonsense}", state).lower() == UNKNOWN
