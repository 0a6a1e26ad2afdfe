"""Sentences written from facts, and facts read back from sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.model.events import EVENTS, MARKS, NAMES, NUMBERS
from mm_edge.model.network import STYLES
from mm_edge.model.schema import ALERTS, FACTS
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import facts_of, parse, sentences, tokens, vocabulary, write
from mm_edge.world.questions import FAMILIES, WATCH, WORDINGS, Question, ask, right

SEEDS = st.integers(1_600_000, 1_699_999)
DRAWS = 1_000_000


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.floats(0, 13.9), st.sampled_from(FAMILIES), st.integers(1, STYLES))
def test_what_is_written_can_be_read_back(seed: int, t_s: float, family: str, style: int) -> None:
    question = ask(Drive(seed, 14.0), t_s, np.random.default_rng(seed), family)
    sentence = write(question.topic, question.facts, style)
    assert parse(sentence) == facts_of(question.topic, question.facts)
    assert right(sentence, question)


def test_a_million_draws_of_facts_can_be_read_back() -> None:
    """Every pattern of facts in every style, with marks at random."""
    rng = np.random.default_rng(5)
    patterns = sorted({facts for sentence in sentences() if (facts := parse(sentence))}, key=str)
    ks, ns = rng.integers(NAMES, size=DRAWS).tolist(), rng.integers(NUMBERS, size=(DRAWS, 3)).tolist()
    for draw, (k, numbers) in enumerate(zip(ks, ns, strict=True)):
        pattern, left = patterns[draw % len(patterns)], iter(numbers)
        facts = {
            name: f"={next(left)}" if value == "=0" else f"@{k}" if value == "@0" else value
            for name, value in pattern.values
        }
        assert parse(write(pattern.topic, facts, 1 + draw // len(patterns) % STYLES)) == facts_of(pattern.topic, facts)


def test_a_sentence_says_every_mark_of_its_facts_and_only_times_are_two_numbers() -> None:
    for sentence in sentences():
        facts = parse(sentence)
        assert facts is not None
        stated = [value for _, value in facts.values if value in ("@0", "=0")]
        assert sorted(stated) == sorted(token for token in tokens(sentence) if token in MARKS)
        assert facts.topic == "when" or "=0 =0" not in sentence


def test_sentences_are_short_and_all_words_of_a_log_are_known() -> None:
    assert max(len(tokens(sentence)) for sentence in sentences()) <= 22
    assert {*EVENTS} | MARKS <= {*vocabulary()}


@pytest.mark.parametrize("mark", ["@64", "=200", "@007", "=", "@"])
def test_what_is_no_mark_is_not_read(mark: str) -> None:
    assert parse(f"<parked> We parked at {mark}.") is None


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
    wordings = [wording for family in WORDINGS.values() for wording in family]
    assert min(len(family) for family in WORDINGS.values()) >= 10
    assert len(wordings) == len(set(wordings))
    assert WATCH not in WORDINGS
