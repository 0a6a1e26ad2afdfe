"""A sentence in few passes, from an engine whose odds a test sets."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.engine.base import Context
from mm_edge.generation.diffusion import KEEP, Draft, drafts
from mm_edge.generation.slots import UNKNOWN, fill
from mm_edge.model.observation import VehicleState
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer

NOTHING = Context(torch.zeros(0), torch.zeros(0), 1)
WORDS = ["the", "light", "is", "red", "green", "."]


class Odds:
    """Gives the same logits [L, V] for every pass, whatever the draft."""

    def __init__(self, logits: Tensor) -> None:
        self.tokenizer = Tokenizer(WORDS)
        self.answer_length = len(logits)
        self.shown: list[Tensor] = []
        self._logits = logits

    def decode(self, ids: Tensor, context: Context) -> Tensor:
        self.shown.append(ids.clone())
        return self._logits.clone()


def all_drafts(logits: Tensor, passes: int) -> tuple[list[Draft], Odds]:
    engine = Odds(logits)
    return [*drafts(engine, NOTHING, passes)], engine  # type: ignore[arg-type]


def sure_of(*ids: int) -> Tensor:
    logits = torch.zeros(len(ids), len(Tokenizer(WORDS)))
    logits[torch.arange(len(ids)), list(ids)] = 20.0
    return logits


def random_odds(seed: int, sharpness: float, length: int = 8) -> Tensor:
    return sharpness * torch.randn(length, len(Tokenizer(WORDS)), generator=torch.Generator().manual_seed(seed))


def test_a_sure_sentence_takes_one_pass() -> None:
    first = Tokenizer(WORDS).first_spoken
    made, _ = all_drafts(sure_of(first, first + 1, first + 2, first + 3, first + 5, EOS, EOS), passes=4)
    assert len(made) == 1
    assert made[0].done
    assert made[0].text == "The light is red."
    assert made[0].confidence > KEEP


@given(st.integers(0, 1000), st.floats(0.0, 20.0), st.integers(1, 8))
def test_every_draft_is_complete_and_the_last_one_done(seed: int, sharpness: float, passes: int) -> None:
    made, engine = all_drafts(random_odds(seed, sharpness), passes)
    allowed = {EOS, *range(engine.tokenizer.first_spoken, len(engine.tokenizer))}
    assert 1 <= len(made) <= passes
    assert all(set(draft.ids) <= allowed for draft in made)
    assert [draft.done for draft in made] == [False] * (len(made) - 1) + [True]
    assert all(0 <= draft.confidence <= 1 for draft in made)


@given(st.integers(0, 1000), st.integers(2, 6))
def test_what_was_kept_is_shown_again_and_never_masked(seed: int, passes: int) -> None:
    _, engine = all_drafts(random_odds(seed, 3.0), passes)
    for before, after in zip(engine.shown, engine.shown[1:], strict=False):
        kept = before != MASK
        assert torch.equal(before[kept], after[kept])
        assert int((after == MASK).sum()) < int((before == MASK).sum())


def test_doubt_after_the_end_does_not_count() -> None:
    first = Tokenizer(WORDS).first_spoken
    logits = sure_of(first, first + 5, EOS, EOS)
    logits[3] = 0.0
    assert all_drafts(logits, 1)[0][0].confidence > KEEP


def test_slots_are_filled_from_the_vehicle() -> None:
    state = VehicleState(speed_mps=-13.9, energy_percent=41.6)
    assert fill("{speed} of {energy} percent.", state) == "50 of 42 percent."
    assert fill("{range} kilometres.", state).lower() == f"{UNKNOWN} kilometres."
    assert fill("{nonsense}", state).lower() == UNKNOWN
