"""Which requests are about the drive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.trust.scope import EVERYTHING, PIECES, Scope, pieces


def scope(word: str, refuse: float = 0.5) -> Scope:
    """Only what has something of `word` in it is about the drive."""
    weights = np.full(PIECES, -1.0)
    weights[pieces(word)] = 10.0
    return Scope(weights, 0.0, refuse)


def test_known_words_are_in_scope() -> None:
    assert scope("battery").includes("battery")
    assert not scope("battery").includes("tell me a joke")


def test_parts_of_words_survive_a_typing_error() -> None:
    known = scope("battery")

    assert known.probability("batery") > known.probability("poem")


@pytest.mark.parametrize("text", ["", "   ", "12345", "???", "電池"])
def test_a_request_without_any_word_is_of_no_drive(text: str) -> None:
    assert scope("battery").probability(text) == 0.0


def test_everything_is_in_scope_where_nothing_was_fitted() -> None:
    assert EVERYTHING.includes("")
    assert EVERYTHING.includes("what is the capital of france")


def test_names_are_all_alike() -> None:
    assert pieces("who called before @3") == pieces("who called before @41")


@given(st.text(max_size=200))
def test_any_text_has_pieces_within_the_table(text: str) -> None:
    assert all(0 <= piece < PIECES for piece in pieces(text))
    assert 0.0 <= scope("battery").probability(text) <= 1.0
