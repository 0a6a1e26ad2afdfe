"""What of a draft the evidence does not bear out."""

from __future__ import annotations

import pytest

from mm_edge.compute.rounds import Evidence, doubt
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.world.grammar import sentences, vocabulary

LENGTH = 20


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(vocabulary(), ["unknown"], sentences())


def doubted(tokenizer: Tokenizer, text: str, confidence: float = 0.95, claims: str = "", **facts) -> str:
    found = tuple(((index, 0.9),) for index in tokenizer.claims(claims, 4)) if claims else ()
    return doubt(tokenizer, tokenizer.sentence(text, LENGTH), confidence, Evidence(found, facts))


def test_what_is_borne_out_needs_no_other_round(tokenizer: Tokenizer) -> None:
    assert doubted(tokenizer, "<light> The light is red.", claims="<light> red", light=("red", 0.99)) == ""


def test_what_is_no_sentence(tokenizer: Tokenizer) -> None:
    assert doubted(tokenizer, "<light> The light is.") == "no sentence of the language"


def test_a_name_or_number_that_was_not_found(tokenizer: Tokenizer) -> None:
    text = "<last_limit> It said =90."
    assert doubted(tokenizer, text, claims="<last_limit> =90") == ""
    assert "not found" in doubted(tokenizer, text, claims="<last_limit> =50")


def test_another_colour_than_the_camera_shows(tokenizer: Tokenizer) -> None:
    text = "<light> The light is red."
    assert "camera" in doubted(tokenizer, text, light=("green", 0.97))
    assert "camera" in doubted(tokenizer, text, light=("none", 0.97))
    assert doubted(tokenizer, text, light=("green", 0.6)) == ""


def test_a_camera_that_is_lost_shows_nothing_else(tokenizer: Tokenizer) -> None:
    assert doubted(tokenizer, "<light> The light is red.") == ""


def test_a_word_that_is_not_sure(tokenizer: Tokenizer) -> None:
    assert doubted(tokenizer, "<light> The light is red.", 0.41) == "a word of it is 0.41 sure"
