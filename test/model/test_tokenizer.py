"""Text to ids and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.model.tokenizer import EOS, LETTERS, Tokenizer
from mm_edge.world.grammar import _sentences, vocabulary


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(vocabulary())


def test_every_sentence_of_the_language_comes_back(tokenizer: Tokenizer) -> None:
    for sentence in _sentences():
        topic, _, text = sentence[1:].partition("> ")
        ids = tokenizer.sentence(sentence, 24)
        assert tokenizer.topic(ids) == topic.rstrip(">")
        assert tokenizer.text(ids) == text


def test_an_unknown_word_is_spelled(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.request("xyzzy light", 24)) == len("xyzzy") + 1


@given(st.text(max_size=300), st.integers(1, 24))
def test_any_request_fits(text: str, limit: int) -> None:
    ids = Tokenizer(["light"]).request(text, limit)
    assert len(ids) <= limit
    assert all(EOS < index <= 3 + len(LETTERS) for index in ids)


@pytest.mark.parametrize(("text", "length"), [("the light is purple .", 24), ("the light is red .", 3)])
def test_what_cannot_be_written_is_named(tokenizer: Tokenizer, text: str, length: int) -> None:
    with pytest.raises(ValueError, match="cannot write"):
        tokenizer.sentence(text, length)
