"""Two rungs for one answer."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.thinking import Bounds, Task, Thinker
from mm_edge.compute.planner import OWN, SMALL, Plan, Planner, PlanTable, Worth
from mm_edge.compute.relay import Cues, Relay, RelayError, cue
from mm_edge.engine import open_engine, relay_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.generation import DECODERS, several
from mm_edge.model.checkpoint import sha256
from mm_edge.model.network import CLAIMS
from mm_edge.model.observation import Observation

TOLD = ("<told> call @3 =12", "<told> tunnel", "<light> red")
EVERY = frozenset({"<told> call", "<told> tunnel", "<light> red"})


@pytest.fixture(scope="module")
def small() -> Engine:
    return open_engine(weights_path("small"))


@pytest.fixture(scope="module")
def large() -> Engine:
    return open_engine(weights_path("large"))


def worded(engine: Engine, way: str) -> list[str]:
    claims = [engine.tokenizer.claims(each, CLAIMS) for each in TOLD]
    *_, drafts = several(way, engine, engine.tell(claims, 2), 60)
    return [draft.text for draft in drafts]


@pytest.mark.parametrize("way", ["autoregressive", "quality"])
def test_easy_sentences_are_the_small_rungs_and_hard_ones_the_large_ones(small, large, way: str) -> None:
    relay = Relay(small, large, frozenset({"<told> tunnel"}))
    by_small, by_large = worded(small, way), worded(large, way)
    assert worded(relay, way) == [by_large[0], by_small[1], by_large[2]]
    assert (relay.handed_over, relay.kept) == (1, 2)


@pytest.mark.parametrize("way", ["verified", "voting", "flow"])
def test_every_decoder_words_what_was_handed_over(small, large, way: str) -> None:
    relay = Relay(small, large, EVERY)
    (context,) = relay.tell([relay.tokenizer.claims("<light> red", CLAIMS)], 1)
    *_, draft = DECODERS[way](relay, context, 30)
    assert draft.text == "The light is red."


def test_what_was_found_with_doubt_stays_with_the_large_rung(small, large) -> None:
    relay = Relay(small, large, frozenset({"<limit>", "<light>"}))
    scene = relay.look(None, relay.encode(Observation(1)))
    context = relay.prefill(scene, "asdf", 1)
    assert not relay.is_easy(context)
    assert relay.handed(context) is context
    assert relay.kept == 1


def test_a_relay_sees_and_remembers_as_the_large_rung(small, large) -> None:
    relay = Relay(small, large, EVERY)
    assert (relay.memory_slots, relay.width) == (large.memory_slots, large.width)
    assert "relay" in relay.name


def test_names_and_numbers_are_no_cue(small) -> None:
    assert cue(small.tokenizer, small.tokenizer.claims("<told> call @3 =12", CLAIMS)) == "<told> call"


def test_cues_are_bound_to_both_weights(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("small")
    other.write_text("large")
    cues = Cues(sha256(one), sha256(other), 0.9, {"<light> red": 0.95, "<told> call": 0.7})
    cues.save(tmp_path / "cues.json")
    assert Cues.load(tmp_path / "cues.json", one, other) == cues
    assert cues.easy == {"<light> red"}
    with pytest.raises(RelayError, match="other weights"):
        Cues.load(tmp_path / "cues.json", other, other)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2}', '{"format": 7, "margins": {}}'])
def test_damaged_cues_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "cues.json").write_text(content)
    with pytest.raises(RelayError):
        Cues.load(tmp_path / "cues.json", tmp_path / "a", tmp_path / "b")


def test_the_shipped_cues_belong_to_the_weights() -> None:
    cues = Cues.load(relay_path(), weights_path("small"), weights_path("large"))
    assert cues.easy <= {*cues.margins}
    assert cues.easy


def test_the_plan_says_which_rung_words_what_was_found(small, large) -> None:
    relay = Relay(small, large, frozenset({"<light> red"}))
    worths = {Plan("fast", 1): Worth(0.97, 1.0, 500), Plan("fast", 1, rung=SMALL): Worth(0.97, 1.0, 500)}
    planner = Planner(PlanTable("", {"now": worths}))
    for stage, ms in (("pass:fast", 9.0), ("pass:small:fast", 3.0)):
        planner.latency.observe(stage, ms)
    thinker = Thinker(cast(Engine, relay), ManualClock(), planner)
    easy, hard = (large.tell([large.tokenizer.claims(each, CLAIMS)], 1)[0] for each in ("<light> red", "<light> green"))
    made = [thinker.think(Task(context, "what does the light show"), Bounds()) for context in (easy, hard)]
    assert [each.plan.rung for each in made] == [SMALL, OWN]
    assert [each.draft.text for each in made] == ["The light is red.", "The light is green."]
    assert (relay.handed_over, relay.kept) == (1, 0)
