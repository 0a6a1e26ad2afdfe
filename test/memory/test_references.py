"""Reference queries: everything that may be asked of a log, and what the network makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mm_edge.memory.cache import Cache
from mm_edge.memory.ledger import COUNTED
from mm_edge.memory.references import (
    GENERAL,
    LATEST,
    NAMED,
    STRANGERS,
    TOPICS,
    Ask,
    by_chance,
    by_questions,
    by_reading,
    by_repeating,
    question_ids,
    questions,
    subjects,
    together,
)
from mm_edge.model.attention import later
from mm_edge.model.distance import waves
from mm_edge.model.events import EVENTS, LANDMARKS, MARKS, NAMES
from mm_edge.model.network import STATED, WINDOW, Network, NetworkConfig
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.world.journey import LONGEST_LINE, Journey
from mm_edge.world.recall import _SLOT, _SLOTS, ABOUT_KIND, HISTORY, HISTORY_FAMILIES, UNKNOWN, ask_history

CONFIG = NetworkConfig(vocabulary=60, marks=10, d=32, layers=2, heads=4, conv=4, history_slots=4)
D = CONFIG.d // CONFIG.heads
WORDS = torch.randint(3, 60, (12,), generator=torch.Generator().manual_seed(1)).tolist()
SEEDS = st.integers(0, 999_999)
LENGTHS = st.integers(LONGEST_LINE, 1200)
many = settings(max_examples=80, deadline=None)


# -- what may be asked ------------------------------------------------------------------------------------------------


def test_families_are_asked_by_the_kinds_that_their_wordings_are_about() -> None:
    slots = {family: {slot for text in texts for slot in _SLOT.findall(text)} for family, texts in HISTORY.items()}
    named = {family: {kind for slot in found for kind in _SLOTS[slot][0]} for family, found in slots.items() if found}

    def asked(families: dict[str, Any]) -> dict[str, Any]:
        return {family: how for family, how in families.items() if family not in COUNTED}

    assert asked(ABOUT_KIND) == LATEST
    assert {topic: {*kinds} for topic, kinds in NAMED.items()} == asked(named)
    assert {*TOPICS} == {*HISTORY_FAMILIES} - {*COUNTED}


@many
@given(SEEDS, LENGTHS, st.sampled_from(TOPICS))
def test_every_question_that_has_an_answer_is_anticipated(seed: int, tokens: int, family: str) -> None:
    journey = Journey(seed, tokens)
    question = ask_history(journey, np.random.default_rng(seed), family)
    anticipated = questions(subjects(journey.words))

    if UNKNOWN not in question.facts.values():
        assert (question.topic, question.about) in anticipated
    assert len({*anticipated}) == len(anticipated)


@many
@given(SEEDS, LENGTHS)
def test_subjects_are_the_different_events_of_the_log(seed: int, tokens: int) -> None:
    journey = Journey(seed, tokens)
    named = {(kind, name) for kind, name in journey.latest if bool(name) == ("name" in EVENTS[kind])}

    found = subjects(journey.words)

    assert {*found} == {(kind, journey.names.mark(name) if name else "") for kind, name in named}
    assert len(found) == len(named)


def test_a_question_is_asked_for_what_is_known_and_a_few_strangers() -> None:
    asked = questions([("tunnel", ""), ("fog", ""), ("place", "@5"), ("call", "@9"), ("message", "@7")])

    assert [about for topic, about in asked if topic == "after"] == ["tunnel", "@5", "@0"]
    assert [about for topic, about in asked if topic == "call_length"] == ["@9", "@5", "@0"]
    assert ("location", "place") in asked
    assert questions([("call", "@9")], ["parked", "call_length"]) == [
        ("parked", "park"),
        *(("call_length", about) for about in ("@9", "@0")),
        *((GENERAL, about) for about in ("@9", "call")),
    ]


@many
@given(SEEDS, LENGTHS)
def test_something_general_is_asked_about_every_name_and_every_kind(seed: int, tokens: int) -> None:
    words = Journey(seed, tokens).words

    about = [about for topic, about in questions(subjects(words), topics=[]) if topic == GENERAL]

    assert {*about} == {word for word in words if word.startswith("@") or word in EVENTS}
    assert len({*about}) == len(about)
    assert GENERAL not in TOPICS


def test_of_nothing_strangers_are_asked_for() -> None:
    asked = questions([])

    assert len(asked) == len(LATEST) + STRANGERS * len(NAMED)
    assert {about for _, about in asked} == {*LATEST.values(), "@0"}


def test_where_all_marks_are_names_there_is_no_other() -> None:
    known = [("message", f"@{mark}") for mark in range(NAMES)]

    assert [about for topic, about in questions(known) if topic == "when"] == ["@0"]


def test_a_question_is_two_words() -> None:
    tokenizer = Tokenizer([*(f"<{topic}>" for topic in (*TOPICS, GENERAL)), *EVENTS, *sorted(MARKS)])
    asked = questions([(kind, "") for kind in LANDMARKS] + [("call", "@9")])

    ids = question_ids(asked, tokenizer)

    words = [tuple(tokenizer.tokens[index] for index in row) for row in ids.tolist()]
    assert words == [(f"<{topic}>", about) for topic, about in asked]
    assert question_ids([], tokenizer).shape == (0, 2)


# -- what the network makes of it -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network() -> Network:
    """Random, and no layer without effect."""
    torch.manual_seed(0)
    network = Network(CONFIG).eval().requires_grad_(False)
    for block in network.blocks:
        for last in (block.out, block.down):  # type: ignore[union-attr]
            nn.init.normal_(last.weight, std=0.1)  # type: ignore[union-attr, arg-type]
    return network


def read(network: Network) -> Cache:
    text = network.text(torch.tensor([[EOS] * WINDOW + WORDS]))
    return Cache.of(network.read(text, torch.zeros(1)), len(WORDS))


def asking_for(network: Network) -> Ask:
    return by_questions(network, torch.tensor([[7, 41], [8, 50], [9, 51]]))


WAYS: dict[str, tuple[Callable[[Network], Ask], int]] = {
    "questions": (asking_for, 3 * STATED),
    "reading": (lambda network: by_reading(network, WORDS), len(WORDS)),
    "repeating": (lambda network: by_repeating(network, WORDS), len(WORDS)),
    "chance": (lambda network: by_chance(network, 5, torch.Generator().manual_seed(0)), 5),
    "together": (lambda network: together(asking_for(network), by_reading(network, WORDS)), 3 * STATED + len(WORDS)),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_layer_has_its_own_queries(network: Network, way: str) -> None:
    make, count = WAYS[way]
    queries = make(network)(read(network))

    assert [tuple(each.shape) for each in queries] == [(CONFIG.heads, count, D)] * CONFIG.layers
    assert not torch.equal(*queries)
    assert all(each.isfinite().all() for each in queries)


def test_what_was_asked_in_reading_is_what_attention_took(network: Network) -> None:
    """Scaled queries, cached keys and values give the states of the first layer."""
    text = network.text(torch.tensor([[EOS] * WINDOW + WORDS]))
    run, block = network.read_whole(text, torch.zeros(1)), network.blocks[0]
    heads, queries = read(network).layers[0].heads(), by_reading(network, WORDS)(read(network))[0]
    found = [(q @ s.k.T + later(len(WORDS))).softmax(-1) @ s.v for q, s in zip(queries, heads, strict=True)]
    x = text + network.standing(waves(torch.arange(len(WORDS))))
    x = x + block.out(torch.stack(found, 1).flatten(1)[None])  # type: ignore[operator]
    x = x + block.down(block.up(block.norm_mlp(x)).relu().square())  # type: ignore[operator]

    assert torch.allclose(x, run.states[0], atol=1e-5)


def test_repeating_is_reading_once_more_behind_the_log(network: Network) -> None:
    cache = read(network)
    repeated = by_repeating(network, WORDS)(cache)
    twice = network.read_whole(
        network.text(torch.tensor([[EOS] * WINDOW + WORDS])), torch.tensor([12.0]), [cache.past()]
    ).queries

    assert all(torch.equal(one, other[0]) for one, other in zip(repeated, twice, strict=True))
    fewer = by_repeating(network, WORDS)(cache.cut(6))
    assert torch.equal(fewer[0], repeated[0])
    assert not torch.allclose(fewer[1], repeated[1], atol=1e-3)


def test_questions_see_what_is_left_of_the_log(network: Network) -> None:
    """The first layer's queries are there before anything is read, those of the next come of what was found."""
    ask, cache = asking_for(network), read(network)
    whole, few = ask(cache), ask(cache.cut(6))

    assert torch.equal(whole[0], few[0])
    assert not torch.allclose(whole[1], few[1], atol=1e-3)


def test_queries_are_those_of_what_is_found(network: Network) -> None:
    """Though the last layer is not run to its end."""
    cache, ids = read(network), torch.tensor([[7, 41], [8, 50], [9, 51]])
    start = torch.tensor([float(cache.length)])
    whole = network._find(network.word(ids), start, [cache.past()]).queries

    for asked, right in zip(by_questions(network, ids)(cache), whole, strict=True):
        assert torch.allclose(asked, right.transpose(0, 1).flatten(1, 2), atol=1e-6)


def test_random_queries_are_about_as_long_as_real_ones(network: Network) -> None:
    real, random = (WAYS[way][0](network)(read(network)) for way in ("questions", "chance"))

    for one, other in zip(real, random, strict=True):
        assert torch.allclose(one[..., :-1].norm(dim=-1)[:, :5], other[..., :-1].norm(dim=-1), rtol=0.1)
        assert torch.equal(one[:, :5, -1], other[..., -1])
