"""What the words of a request hint at: pieces of any text, and scores that add up."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.model.hints import MOST, PIECES, Hints, numbers, pieces
from mm_edge.model.tokenizer import EOS, MASK

ASKED = torch.tensor([[[0.0, 1.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0]]])
"""Scores of four words for a topic, and for what the answer is found by."""


def hints(text: str, score: float, kind: int = EOS) -> Hints:
    """Of two topics, the words 1 and 2: the pieces of `text` speak for the second."""
    made = Hints(4, 2)
    made.ids.copy_(torch.tensor([1, 2]))
    made.kinds[1] = kind
    made.rarity[numbers(text)] = 2.0
    made.weight[numbers(text), 1] = score
    return made


@given(st.text(max_size=1000))
def test_any_text_has_pieces_of_a_fixed_shape(text: str) -> None:
    found = pieces(text)

    assert found.shape == (1, MOST)
    assert 0 <= int(found.min()) <= int(found.max()) <= PIECES
    assert len({*numbers(text)}) == len(numbers(text)) <= MOST


def test_pieces_do_not_depend_on_case_or_on_which_name_it_is() -> None:
    assert numbers("Who called before @3?") == numbers("who called before @17")


def test_order_matters_to_neighbours_only() -> None:
    one, other = ({*numbers(text)} for text in ("is the light red", "red is the light"))

    assert one != other
    assert len(one & other) > len(one) / 2


def test_what_is_hinted_at_becomes_likelier() -> None:
    found = hints("oil", 1.0)(ASKED, pieces("oil"))

    n = len(numbers("oil"))
    assert torch.allclose(found[0, 0], torch.tensor([0.0, 1.0, 2.0 + n**0.5, 3.0]))
    assert torch.equal(found[0, 1], ASKED[0, 1])


def test_unknown_pieces_dilute_a_hint() -> None:
    made = hints("oil", 1.0)
    made.rarity[:PIECES] = 2.0

    surer, less = (made(ASKED, pieces(text))[0, 0, 2] for text in ("oil", "oil of olives for a salad"))

    assert surer > less > ASKED[0, 0, 2]


def test_a_topic_that_only_hints_tell_comes_with_what_it_is_found_by() -> None:
    found = hints("oil", 20.0, kind=3)(ASKED, pieces("oil"))

    assert int(found[0, 1].argmax()) == 3


def test_a_topic_that_the_network_tells_itself_does_not() -> None:
    sure = ASKED.clone()
    sure[0, 0, 2] = 9.0

    assert torch.equal(hints("oil", 20.0, kind=3)(sure, pieces("oil"))[0, 1], ASKED[0, 1])


def test_without_a_text_there_are_no_hints() -> None:
    made = hints("oil", 1.0, kind=3)
    made.bias.fill_(5.0)

    assert torch.equal(made(ASKED, pieces("")), ASKED)
    assert torch.equal(made(ASKED, pieces("42 ?!")), ASKED)


def test_nothing_fitted_says_nothing() -> None:
    assert torch.equal(Hints(4, 2)(ASKED, pieces("how much oil is left")), ASKED)


NAME = 3


def skimmed(made: Hints, text: str, name: int = EOS) -> tuple[int, int]:
    """The likeliest topic, and what its answer is found by."""
    score, topics, about = made.skim(pieces(text), torch.tensor([name]))
    assert score.shape == topics.shape == (1, 2)
    assert float(score[0, 0]) >= float(score[0, 1])
    return int(topics[0, 0]), int(about)


def test_a_glance_tells_the_likeliest_topic_and_how_likely_both_are() -> None:
    score, topics, _ = hints("oil", 1.0).skim(pieces("oil"), torch.tensor([EOS]))

    assert torch.allclose(score, torch.tensor([[len(numbers("oil")) ** 0.5, 0.0]]))
    assert topics.tolist() == [[2, 1]]


def test_a_glance_tells_what_the_answer_is_found_by() -> None:
    made = hints("oil", 1.0)
    assert skimmed(made, "oil") == (2, EOS), "nothing"
    made.kinds[1] = 3
    assert skimmed(made, "oil") == (2, 3), "a kind of line"
    made.named[1] = True
    assert skimmed(made, "oil") == (2, 3), "a kind of line, where no name is said"
    assert skimmed(made, "oil", NAME) == (2, NAME)


def test_a_glance_does_not_tell_what_only_reading_can() -> None:
    made = hints("oil", 1.0)
    assert skimmed(made, "oil", NAME) == (2, MASK), "a name that nobody expects"
    made.named[1] = True
    assert skimmed(made, "oil") == (2, MASK), "no name where there should be one"


def test_the_only_topic_can_be_glanced_at() -> None:
    score, topics, about = Hints(4, 1).skim(pieces("oil"), torch.tensor([EOS]))

    assert (score.tolist(), topics.tolist(), about.tolist()) == ([[0.0]], [[EOS]], [EOS])
