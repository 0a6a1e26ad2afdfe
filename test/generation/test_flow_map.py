"""Sentences out of noise, from an engine that notes when it was asked."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from fake_engine import GREEN_LIGHT, LENGTH, RED_LIGHT, WIDTH, always, drafts, in_order, odds, surely, unhurried, wild
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.generation.draft import Decoder
from mm_edge.generation.flow import FlowMap, Refinement

SEEDS, SHARPNESS = st.integers(0, 1000), st.floats(0.0, 20.0)
WAYS = pytest.mark.parametrize("way", [FlowMap(1), FlowMap(4), Refinement()], ids=["one step", "four", "refined"])


def test_one_step_goes_all_the_way() -> None:
    engine = always(surely(RED_LIGHT))
    (only,) = drafts(FlowMap(), engine)
    ((_, now, then),) = engine.flowed
    assert (only.ids, only.passes, only.done, only.final) == (RED_LIGHT, 1, True, LENGTH)
    assert (now == 0).all()
    assert (then == 1).all()


@pytest.mark.parametrize(("most", "times"), [(24, [0, 0.25, 0.5, 0.75, 1]), (2, [0, 0.5, 1])])
def test_several_steps_go_on_where_the_one_before_led(most: int, times: list[float]) -> None:
    engine = always(surely(RED_LIGHT))
    made = drafts(FlowMap(4), engine, most)
    assert [(float(now[0]), float(then[0])) for _, now, then in engine.flowed] == [*pairwise(times)]
    assert [draft.done for draft in made] == [False] * (len(times) - 2) + [True]
    for step, noisy in enumerate(engine.noise):
        assert torch.equal(noisy, engine.noise[0] / 2**step)


def test_what_it_begins_with_is_noise() -> None:
    engine = always(surely(RED_LIGHT))
    for seed in range(200):
        drafts(FlowMap(), engine, seed=seed)
    noise = torch.stack(engine.noise)
    assert noise.shape[1:] == (LENGTH, WIDTH)
    assert abs(float(noise.mean())) < 0.1
    assert float(noise.std()) == pytest.approx(1, abs=0.1)


def test_a_refinement_that_is_sure_takes_one_round() -> None:
    engine = always(surely(RED_LIGHT))
    (only,) = drafts(Refinement(), engine)
    assert only.done
    assert only.ids == RED_LIGHT


def test_a_refinement_keeps_what_is_sure_and_draws_the_rest_anew() -> None:
    first = odds(*[(word, 0.999) for word in RED_LIGHT[:3]], *[(word, 0.5) for word in RED_LIGHT[3:]])
    engine = in_order(first, surely(GREEN_LIGHT[::-1]))
    made = drafts(Refinement(), engine)
    clean, now, _ = engine.flowed[1]
    kept = now == 1
    assert clean[kept].tolist() == [word for word, keeps in zip(RED_LIGHT, kept.tolist(), strict=True) if keeps]
    assert kept[:3].all()
    assert made[0].final == int(kept.long().cumprod(0).sum())
    assert made[-1].ids[:3] == RED_LIGHT[:3]
    assert not torch.equal(engine.noise[0], engine.noise[1])


def test_a_refinement_that_is_sure_of_nothing_keeps_a_share_each_round() -> None:
    engine = always(odds(*[(word, 0.9 - 0.1 * place) for place, word in enumerate(RED_LIGHT)]))
    drafts(Refinement(), engine)
    assert [int(now.sum()) for _, now, _ in engine.flowed] == [0, 2, 4, 6]
    assert engine.flowed[1][1][:2].all(), "the surest"


@unhurried
@given(SEEDS, SHARPNESS, st.integers(1, 8), st.integers(1, 8))
def test_rounds_are_bounded_and_the_last_one_keeps_all(seed: int, sharpness: float, rounds: int, most: int) -> None:
    engine = wild(seed, sharpness)
    made = drafts(Refinement(rounds), engine, most, seed=seed)
    assert len(made) == engine.passes <= min(rounds, most)
    assert made[-1].done
    assert made[-1].final == LENGTH


@WAYS
def test_sentences_follow_from_their_seed(way: Decoder) -> None:
    def said(seed: int) -> tuple[int, ...]:
        return drafts(way, wild(5, 1.0), seed=seed)[-1].ids

    assert [said(seed) for seed in range(8)] == [said(seed) for seed in range(8)]
    assert len({said(seed) for seed in range(8)}) > 1
