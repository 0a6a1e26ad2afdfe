"""What of a log is told: the latest, the major first, in order; and what came before a stop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mm_edge.memory.digest import CAUSES, MINOR, MOST, SPAN_MIN, claim, reason, summary
from mm_edge.model.events import EVENTS
from mm_edge.model.network import CLAIMS
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.world.grammar import draw, sentences, vocabulary
from mm_edge.world.journey import Journey

NOTHING = ["<told> unknown"]
SEEDS = st.integers(1_600_000, 1_699_999)


def lines(text: str) -> list[list[str]]:
    """Lines of "kind argument ... hour:minute", with commas between them."""
    made = []
    for each in filter(None, map(str.strip, text.split(","))):
        *words, time = each.split()
        made.append([*words, *(f"={int(part)}" for part in time.split(":"))])
    return made


@pytest.mark.parametrize("tells", [summary, reason])
def test_of_an_empty_log_nothing_is_known(tells: type[list[str]]) -> None:
    assert tells([]) == NOTHING


def test_a_summary_tells_what_happened_in_order() -> None:
    log = lines("tunnel 14:01, call @3 =12 14:02, rain 14:05")
    assert summary(log) == ["<told> tunnel", "<told> call @3 =12", "<told> rain"]


def test_a_summary_is_of_the_last_minutes() -> None:
    log = lines(f"tunnel 14:00, bridge 14:01, rain 14:{1 + SPAN_MIN}")
    assert summary(log) == ["<told> bridge", "<told> rain"]


def test_what_happened_last_is_told_however_long_ago() -> None:
    assert summary(lines("tunnel 9:00, bridge 14:00")) == ["<told> bridge"]


def test_minutes_go_on_behind_midnight() -> None:
    assert summary(lines("tunnel 23:55, bridge 0:02")) == ["<told> tunnel", "<told> bridge"]


def test_where_too_much_happened_the_minor_goes_first_then_the_oldest() -> None:
    log = lines("tunnel 14:00, limit =50 14:01, bridge 14:01, siren 14:02, toll 14:02, border 14:03, rain 14:03")
    assert summary(log) == ["<told> bridge", "<told> toll", "<told> border", "<told> rain"]


def test_where_all_is_minor_the_latest_is_told() -> None:
    log = lines("limit =30 14:00, limit =50 14:01, limit =60 14:01, limit =70 14:02, limit =80 14:02")
    assert summary(log)[-1] == "<told> limit =80"
    assert len(summary(log)) == MOST


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.integers(0, 400))
def test_a_summary_of_any_drive_is_short_and_of_its_end(seed: int, words: int) -> None:
    log = Journey(seed, words).lines
    told = summary(log)
    assert 1 <= len(told) <= MOST
    claims = [claim(line) for line in log] or NOTHING
    assert set(told) <= set(claims)
    if len(log) and log[-1][0] not in MINOR:
        assert told[-1] == claims[-1]


def test_a_stop_is_told_with_what_made_the_vehicle_stop() -> None:
    log = lines("red =20 14:00, pedestrian 14:01, stop =9 14:01, rain 14:02")
    assert reason(log) == ["<told> pedestrian", "<told> stop =9"]


def test_a_red_light_is_its_own_reason() -> None:
    assert reason(lines("siren 14:00, red =20 14:01, tunnel 14:02")) == ["<told> red =20"]


def test_a_stop_without_a_cause_is_told_alone() -> None:
    assert reason(lines("tunnel 14:00, stop =9 14:01")) == ["<told> stop =9"]


def test_what_was_long_before_a_stop_did_not_cause_it() -> None:
    between = ", ".join(["bridge 14:01"] * MOST)
    assert reason(lines(f"siren 14:00, {between}, stop =9 14:02")) == ["<told> stop =9"]


def test_of_a_drive_without_a_stop_no_reason_is_known() -> None:
    assert reason(lines("tunnel 14:00, rain 14:01")) == NOTHING


def test_kinds_are_those_of_the_log() -> None:
    assert {*MINOR, *CAUSES} <= EVENTS.keys()


def test_what_is_stated_is_what_training_states() -> None:
    """The topic, then the values in the order of their names; it fits what a sentence is worded from."""
    tokenizer, rng = Tokenizer(vocabulary(), sentences=sentences()), np.random.default_rng(3)
    journeys = [line for seed in range(1_600_000, 1_600_020) for line in Journey(seed, 400).lines]
    assert {line[0] for line in journeys} == EVENTS.keys()
    shapes = {shape(facts) for topic, facts in (draw(rng) for _ in range(4000)) if topic == "told"}
    for line in journeys:
        told = claim(line)
        assert len(tokenizer.claims(told, CLAIMS)) == CLAIMS
        assert "".join(word[0] if word[0] in "@=" else f" {word} " for word in told.split()[1:]) in shapes


def shape(facts: dict[str, str]) -> str:
    values = [value for _, value in sorted(facts.items())]
    return "".join(value[0] if value[0] in "@=" else f" {value} " for value in values)
