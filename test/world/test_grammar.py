"""Sentences written from facts, and facts read back from sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.model.network import STYLES
from mm_edge.model.schema import ALERTS, FACTS
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import facts_of, parse, write
from mm_edge.world.questions import ASKED, FAMILIES, WATCH, Question, ask, right

SEEDS = st.integers(1_600_000, 1_699_999)


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.floats(0, 13.9), st.sampled_from(FAMILIES), st.integers(1, STYLES))
def test_what_is_written_can_be_read_back(seed: int, t_s: float, family: str, style: int) -> None:
    question = ask(Drive(seed, 14.0), t_s, np.random.default_rng(seed), family)
    sentence = write(question.topic, question.facts, style)
    assert parse(sentence) == facts_of(question.topic, question.facts)
    assert right(sentence, question)


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.floats(0, 13.9))
def test_truth_stays_within_the_schema(seed: int, t_s: float) -> None:
    drive = Drive(seed, 14.0)
    assert all(value in FACTS[name] for name, value in drive.truth(t_s).items())
    assert drive.alert(t_s) in ALERTS


def test_a_wrong_fact_or_topic_is_wrong() -> None:
    question = Question("light", "what colour is the light", "light", {"light": "red"})
    assert right("<light> The light is red.", question)
    assert not right("<light> The light is green.", question)
    assert not right("<ahead> There is a red light ahead.", question)
    assert not right("The light is red.", question)


def test_outside_the_language_nothing_is_read() -> None:
    assert parse("<light> The light is is red.") is None


def test_what_cannot_be_said_is_named() -> None:
    with pytest.raises(KeyError, match="purple"):
        write("light", {"light": "purple"}, 1)


def test_every_family_has_many_wordings_and_none_belongs_to_two() -> None:
    wordings = [wording for family in ASKED.values() for wording in family]
    assert min(len(family) for family in ASKED.values()) >= 10
    assert len(wordings) == len(set(wordings))
    assert WATCH not in ASKED
