"""Hints that are learnt from examples, and those that ship."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mm_edge.engine import open_engine, weights_path
from mm_edge.model.checkpoint import load
from mm_edge.model.hints import pieces
from mm_edge.training.evaluate import routed
from mm_edge.training.hints import hints, texts, topics
from mm_edge.world.crowd import REFUSED, crowd, out_of_scope

DRIVE = 1_000_000


def test_hints_are_learnt_from_examples() -> None:
    pytest.importorskip("sklearn")
    _, tokenizer = load(weights_path("small"))
    examples = {"light": "is the light red", "speed": "how fast are we", "refuse": "tell me a joke"}
    made = hints([*examples.values()] * 3, [*examples] * 3, tokenizer)
    silent = torch.zeros(1, 2, len(tokenizer))

    for family, text in (("light", "the light is red"), ("speed", "so how fast"), ("refuse", "a joke")):
        found = made(silent, pieces(text))[0, 0]
        assert tokenizer.tokens[int(found[tokenizer.topics].argmax()) + tokenizer.topics[0]] == f"<{family}>"


def test_texts_of_every_family_are_learnt_from() -> None:
    found, families = texts()

    assert len(found) == len(families) > 20_000
    assert {*crowd("train")} < {*families}
    assert not {*out_of_scope("val")} & {*found}


@pytest.mark.parametrize("rung", ["small", "large"])
def test_the_shipped_hints_refuse_what_nobody_thought_of(rung: str) -> None:
    network, tokenizer = load(weights_path(rung))
    asked = topics(weights_path(rung), network, tokenizer, out_of_scope("val"))

    refused = asked.argmax(1) == tokenizer.id("<refuse>")
    assert float(refused.float().mean()) == pytest.approx(0.98)


def test_people_are_understood_in_their_own_words() -> None:
    own = [(text, family) for family, known in crowd("val").items() if family != REFUSED for text in known]
    found = routed(open_engine(weights_path("small")), DRIVE, [text for text, _ in own])

    assert np.mean([topic == family for topic, (_, family) in zip(found, own, strict=True)]) > 0.92
