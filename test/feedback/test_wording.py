"""Wording of doubt."""

from __future__ import annotations

import pytest

from mm_edge.feedback.wording import MAX_CHARACTERS, ask, hedged, short, unsure


def test_doubt_is_put_in_front() -> None:
    assert hedged("The light is red.") == "I think the light is red."
    assert hedged("I see no pedestrian.") == "I think I see no pedestrian."
    assert hedged("I do not know that.") == "I do not know that."
    assert hedged("Careful, a siren.") == "Careful, perhaps a siren."
    assert hedged("") == ""


def test_unsure_names_the_topic() -> None:
    assert unsure("light") == "I am not sure about the traffic light."
    assert unsure("alert:siren") == "I am not sure about sirens."
    assert unsure("something else") == "I am not sure."


@pytest.mark.parametrize(
    ("options", "question"),
    [
        (["the office", "the gym"], "Do you mean the office or the gym?"),
        (["the office.", "the gym", "home"], "Do you mean the office or the gym?"),
        (["the office", "the  office"], "Do you mean the office?"),
        (["", " . "], "Can you say that in other words?"),
        ([], "Can you say that in other words?"),
    ],
)
def test_a_question_offers_at_most_two_options(options: list[str], question: str) -> None:
    assert ask(options) == question


def test_endless_text_is_cut_at_a_word() -> None:
    cut = short("word " * 10_000)
    assert len(cut) <= MAX_CHARACTERS
    assert cut.endswith("word")
