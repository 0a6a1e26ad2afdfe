"""Graphs for other engines: the same answers, found only when they fit, refused when they are wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mm_edge.engine import choose, open_engine
from mm_edge.engine.base import EngineError, EngineMissing
from mm_edge.engine.export import export, find, manifest
from mm_edge.engine.reference import TOLERANCE, probabilities, reference_path, write_reference
from mm_edge.model.checkpoint import save
from mm_edge.model.features import features
from mm_edge.model.graphs import graphs, split_facts
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.training.trainer import new_tokenizer

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SURE = 20.0


def save_random(path: Path, seed: int) -> None:
    """Weights of a small network that is sure of what it says, as trained ones are."""
    torch.manual_seed(seed)
    tokenizer = new_tokenizer()
    config = NetworkConfig(len(tokenizer), d=32, layers=2, heads=2, conv=4)
    weights = Network(config).state_dict()
    weights["head.weight"] *= SURE
    save(path, weights, config, tokenizer)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of a small random network, with their reference beside them."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_random(path, seed=0)
    write_reference(open_engine(path), reference_path(path))
    return path


@pytest.fixture(scope="module")
def cache(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export in both precisions."""
    made = tmp_path_factory.mktemp("cache")
    for precision in ("fp32", "int8"):
        export(weights, "onnxruntime", precision, made)
    return made


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_onnxruntime_reproduces_torch(weights: Path, cache: Path, precision: str) -> None:
    found = probabilities(open_engine(weights, "onnxruntime", precision, cache=cache))
    error = (found - probabilities(open_engine(weights))).abs().max()
    assert error <= {"fp32": 1e-4, "int8": TOLERANCE["int8"]}[precision]


def test_logits_agree_to_four_digits(weights: Path, cache: Path) -> None:
    torch_engine, onnx_engine = open_engine(weights), open_engine(weights, "onnxruntime", cache=cache)
    seen = Observation(0, np.random.default_rng(0).integers(0, 255, (96, 160, 3), dtype=np.uint8))
    for engine in (torch_engine, onnx_engine):
        assert engine.answer_length == 16
    logits = []
    for engine in (torch_engine, onnx_engine):
        percept = engine.encode(seen)
        cache_ = engine.prefill(percept.summary[None], percept, "what is ahead", 1)
        logits.append(engine.decode(torch.ones(16, dtype=torch.long), cache_))
    assert (logits[0] - logits[1]).abs().max() <= 1e-4


def test_filling_up_to_the_static_shape_changes_nothing(weights: Path) -> None:
    engine = open_engine(weights)
    percept = engine.encode(Observation(0))
    kv = engine.prefill(percept.summary.repeat(3, 1), percept, "what is ahead", 2)
    network = graphs_of(weights)
    shown = kv.bias == 0
    assert int(shown.sum()) == kv.logical_length
    inputs = features([Observation(0)])
    encoded = network.encoder(inputs)
    asked = network.request(torch.tensor([engine.tokenizer.request("what is ahead", 24)]), torch.tensor([2]))
    past = encoded.summary.repeat(3, 1)[None]
    exact = network.prefill(torch.cat([network.context(past, encoded.summary, encoded.tokens), asked], 1))
    ids = torch.ones(1, engine.answer_length, dtype=torch.long)
    assert torch.allclose(network.answer(ids, exact)[0], engine.decode(ids[0], kv), atol=1e-4)


def graphs_of(weights: Path) -> Network:
    from mm_edge.model.checkpoint import load

    return load(weights)[0]


def test_facts_are_cut_where_they_were_joined(weights: Path) -> None:
    network, inputs = graphs_of(weights), features([Observation(0)])
    *_, joined = graphs(network)["encode"].module(*vars(inputs).values())
    facts = network.encoder(inputs).facts
    assert all(torch.equal(part, facts[name][0]) for name, part in split_facts(joined[0]).items())


def test_an_export_is_found_again_and_not_made_twice(weights: Path, cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    told: list[str] = []
    folder = export(weights, "onnxruntime", "fp32", cache, told.append)
    assert folder == find(weights, "onnxruntime", "fp32", cache)
    assert told == []
    assert before == {path: path.stat().st_mtime_ns for path in cache.rglob("*")}


def test_the_export_of_other_weights_is_not_found(weights: Path, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(weights.read_bytes() + b"\0")
    with pytest.raises(EngineMissing, match="mm-edge export"):
        find(other, "onnxruntime", "fp32", cache)


def test_every_part_of_the_manifest_counts(weights: Path) -> None:
    made = manifest(weights, "onnxruntime", "fp32")
    changed = [{"precision": "int8"}, {"backend": "tensorrt"}, {"machine": "other GPU"}, {"format": 99}]
    assert len({made.key, *(replace(made, **change).key for change in changed)}) == 5


def test_auto_takes_what_was_exported_and_says_nothing_of_what_was_not(weights: Path, cache: Path) -> None:
    engine = choose(weights, 1, "auto", "fp32", cache)
    assert (engine.name, engine.refused) == ("onnxruntime/fp32", ())


def test_without_an_export_torch_runs(weights: Path, tmp_path: Path) -> None:
    assert choose(weights, 1, "auto", "fp32", tmp_path).name == "torch/fp32"
    asked_for = choose(weights, 1, "onnxruntime", "int8", tmp_path)
    assert asked_for.name == "torch/fp32"
    assert "nothing was exported" in asked_for.refused[0]


def test_an_engine_that_puts_out_something_else_is_refused_and_the_next_one_runs(
    weights: Path, cache: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    save_random(other, seed=1)
    wrong = tmp_path / manifest(weights, "onnxruntime", "fp32").key
    export(other, "onnxruntime", "fp32", tmp_path).rename(wrong)
    engine = choose(weights, 1, "auto", "fp32", tmp_path)
    assert engine.name == "torch/fp32"
    assert "off the reference" in engine.refused[0]


@pytest.mark.parametrize("damage", [b"", b"not a graph"])
def test_a_damaged_export_is_refused_and_the_next_one_runs(
    weights: Path, cache: Path, tmp_path: Path, damage: bytes
) -> None:
    folder = tmp_path / manifest(weights, "onnxruntime", "fp32").key
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({}))
    (folder / "encode.onnx").write_bytes(damage)
    engine = choose(weights, 1, "auto", "fp32", tmp_path)
    assert engine.name == "torch/fp32"
    assert engine.refused


def test_without_its_reference_no_engine_is_believed(weights: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(weights.read_bytes())
    with pytest.raises(EngineError, match="reference"):
        choose(alone, 1, "auto", "fp32", tmp_path)


def test_a_precision_that_an_engine_does_not_have_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="fp32, int8"):
        export(weights, "onnxruntime", "fp16", tmp_path)


@pytest.mark.parametrize("graph", ["encode", "prefill", "decode"])
def test_tensorrt_rtx_compiles_every_graph(cache: Path, weights: Path, graph: str) -> None:
    """Ahead of time, without a GPU: an operator that TensorRT cannot read fails here. Nothing is executed."""
    rtx = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt-rtx")
    from mm_edge.engine.tensorrt_runner import compiled

    onnx = find(weights, "onnxruntime", "fp32", cache) / f"{graph}.onnx"
    assert len(compiled(rtx, onnx, "fp32", compute_capability=rtx.ComputeCapability.SM86)) > 1000


def test_an_engine_that_throws_is_refused_and_the_next_one_runs(
    weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: object, graph: str, *inputs: torch.Tensor) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr("mm_edge.engine.onnx_runner.OnnxRunner.run", fails)
    engine = choose(weights, 1, "auto", "fp32", cache)
    assert engine.name == "torch/fp32"
    assert engine.refused == ("onnxruntime: out of memory",)


def test_int8_is_made_from_the_fp32_graphs_that_are_there(
    weights: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = find(weights, "onnxruntime", "fp32", cache)
    shutil.copytree(whole, tmp_path / whole.name)
    monkeypatch.setattr("mm_edge.engine.export.write_onnx", lambda *_: pytest.fail("it was exported again"))
    folder = export(weights, "onnxruntime", "int8", tmp_path)
    assert folder != whole
    for graph in whole.glob("*.onnx"):
        assert (folder / graph.name).read_bytes() != graph.read_bytes()


@pytest.mark.parametrize("damage", ["", "not a graph"])
def test_int8_is_not_made_from_a_damaged_graph(weights: Path, cache: Path, tmp_path: Path, damage: str) -> None:
    whole = find(weights, "onnxruntime", "fp32", cache)
    shutil.copytree(whole, tmp_path / whole.name)
    (tmp_path / whole.name / "decode.onnx").write_text(damage)
    export(weights, "onnxruntime", "int8", tmp_path)
    assert open_engine(weights, "onnxruntime", "int8", cache=tmp_path).name == "onnxruntime/int8"
