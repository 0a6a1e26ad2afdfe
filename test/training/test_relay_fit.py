"""Which margin is enough to hand a sentence over."""

from __future__ import annotations

import pytest

from mm_edge.engine import open_engine, weights_path
from mm_edge.training.relay import enough, measured

MARGINS = {"a": 0.99, "b": 0.9, "c": 0.8, "d": 0.5}


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        ({}, 0.5),
        ({"d": 1}, 0.8),
        ({"c": 1, "d": 1}, 0.9),
        ({"a": 1}, 1.99),
    ],
)
def test_cues_are_kept_down_to_the_margin_at_which_too_much_is_lost(wrong: dict[str, int], least: float) -> None:
    lost = {name: [float(name in wrong)] * 10 for name in MARGINS}
    assert enough(MARGINS, lost, 0.2) == pytest.approx(least)


def test_margins_come_of_sentences_that_both_rungs_word() -> None:
    least, margins = measured(open_engine(weights_path("small")), open_engine(weights_path("large")), 6)
    assert all(0 <= margin <= 1 for margin in margins.values())
    assert least > 0
