"""The shipped weights in their engine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mm_edge.engine import choose, load, next_backend, open_engine, trust_path, weights_path
from mm_edge.engine.base import Engine, EngineError
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.reference import reference_path
from mm_edge.generation import DECODERS
from mm_edge.model.checkpoint import load as load_checkpoint
from mm_edge.model.checkpoint import save
from mm_edge.model.network import CLAIMS, STYLES
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.trust.constants import TrustConstants
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import draw, parse

DRIVE = 1_600_000
PASSES = 8


@pytest.fixture(scope="module")
def engine() -> Engine:
    return load("small")


def said(engine: Engine, observation: Observation, text: str, passes: int = 4) -> str:
    cache = engine.prefill(engine.look(None, engine.encode(observation)), text, 1)
    draft = [*DECODERS["quality"](engine, cache, passes)][-1]
    return f"<{draft.topic}> {draft.text}"


def test_the_trust_constants_belong_to_the_weights() -> None:
    constants = TrustConstants.load(trust_path("small"), weights_path("small"))

    for decoder in DECODERS:
        assert constants.probability(0.2, decoder, "now") < constants.probability(0.99, decoder, "now")


@pytest.mark.parametrize(
    ("state", "text", "answer"),
    [
        (VehicleState(speed_mps=10.0), "how fast are we", "<speed> You are driving {speed} kilometres per hour."),
        (VehicleState(gear=1), "which gear are we in", "<gear> The gear is in park."),
        (VehicleState(speed_mps=10.0), "what is the capital of france", "<refuse> I can only talk about the drive."),
        (VehicleState(speed_mps=10.0), "do you see a pedestrian", "<pedestrian> I cannot see the road right now."),
    ],
)
def test_answers_without_eyes(engine: Engine, state: VehicleState, text: str, answer: str) -> None:
    assert said(engine, Observation(0, state=state), text) == answer


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("how fast are we", []),
        ("what is the state of the @3", []),
        ("please tell me, what was the speed limit on the last sign", []),
        ("", ["understand_short"]),
        ("and what about it", ["understand_short"]),
        ("how long did i talk to somebody", ["understand_short"]),
        ("who called before @3 or after @5", ["understand_short"]),
    ],
)
def test_a_request_is_read_unless_its_words_leave_no_doubt(
    engine: GraphEngine, monkeypatch: pytest.MonkeyPatch, text: str, reads: list[str]
) -> None:
    scene = engine.look(None, engine.encode(Drive(DRIVE, 2.0).observation(1.0)))
    ran: list[str] = []
    run = engine.runner.run
    monkeypatch.setattr(engine.runner, "run", lambda graph, *inputs: ran.append(graph) or run(graph, *inputs))
    skimmed = engine.understand(scene, text)
    assert [graph for graph in ran if graph.startswith("understand")] == reads
    monkeypatch.setattr(engine, "sure", np.inf)
    whole = engine.understand(scene, text)
    assert (skimmed.skimmed, whole.skimmed) == (not reads, False)
    assert skimmed.asked == whole.asked
    assert skimmed.topics[0][0] == whole.topics[0][0]


def test_a_sentence_in_the_short_block_is_that_of_the_long_one(engine: GraphEngine, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    said = {True: [], False: []}
    for topic, facts in (draw(rng) for _ in range(60)):
        claims = engine.tokenizer.claims(f"<{topic}> " + " ".join(value for _, value in sorted(facts.items())), CLAIMS)
        contexts = engine.tell([claims], int(rng.integers(1, STYLES + 1)))
        for long, sentences in said.items():
            with monkeypatch.context() as patch:
                if long:
                    patch.setattr("mm_edge.engine.graph_engine.by_length", lambda name, length: {name: length})
                sentences.append([*DECODERS["speedy"](engine, contexts[0], PASSES)][-1].text)
    assert said[True] == said[False]


def test_what_it_sees_is_in_the_scene_and_in_the_sentence(engine: Engine) -> None:
    drive = Drive(DRIVE)
    percept = engine.encode(drive.observation(5.0))
    assert percept.facts["daylight"][0] == drive.daylight
    assert percept.facts["road"][0] == drive.road
    assert "lead" in percept.facts
    assert "alert" not in percept.facts


def test_one_pass_is_already_a_sentence(engine: Engine) -> None:
    drive = Drive(DRIVE)
    sentences = [said(engine, drive.observation(t_s), "is it day or night", passes=1) for t_s in (2.0, 5.0, 8.0)]
    assert all(parse(sentence) is not None for sentence in sentences)


@pytest.mark.parametrize("text", ["", "a" * 500, "☃ 你好", "<mask> <eos>", "the " * 100])
def test_any_request_leads_to_a_draft(engine: Engine, text: str) -> None:
    assert said(engine, Observation(0, image=np.zeros((9, 9, 3), np.uint8)), text)


def test_a_longer_history_than_trained_is_refused(engine: Engine) -> None:
    percept = engine.encode(Observation(0))
    with pytest.raises(ValueError, match="at most"):
        engine.look(percept.summary.repeat(engine.history_slots + 1, 1), percept)


def test_weights_that_put_out_no_numbers_are_refused(tmp_path: Path) -> None:
    network, tokenizer = load_checkpoint(weights_path("small"))
    weights = network.state_dict() | {"unsaid": torch.full_like(network.unsaid, torch.nan)}
    path = tmp_path / "nan.safetensors"
    save(path, weights, network.config, tokenizer)
    reference_path(path).write_bytes(reference_path(weights_path("small")).read_bytes())
    with pytest.raises(EngineError, match="off the reference by nan"):
        choose(path, 1, "torch", "fp32", tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="nowhere"):
        open_engine(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(
    ("name", "behind"),
    [("tensorrt/fp16", "onnxruntime"), ("onnxruntime/int8", "torch"), ("torch/fp32", "torch")],
)
def test_behind_an_engine_there_is_the_next_backend(name: str, behind: str) -> None:
    assert next_backend(SimpleNamespace(name=name)) == behind  # type: ignore[arg-type]
