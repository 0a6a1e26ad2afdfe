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
from mm_edge.engine.export import WEIGHTS, export, find, manifest, write_onnx
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.onnx_runner import OnnxRunner
from mm_edge.engine.reference import TOLERANCE, check, probabilities, reference_path, write_reference
from mm_edge.engine.torch_runner import TorchRunner
from mm_edge.model.block import Past
from mm_edge.model.checkpoint import load, save
from mm_edge.model.features import features
from mm_edge.model.graphs import CHUNK, GRAPHS, SENTENCES, graphs, split_facts
from mm_edge.model.network import BEGIN, KV, WINDOW, Network, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.training.trainer import new_tokenizer

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

pytestmark = pytest.mark.timeout(600)  # tracing takes a few seconds for each graph

SURE = 20.0
FIRST_SPOKEN = new_tokenizer().first_spoken


def save_random(path: Path, seed: int) -> None:
    """Weights of a small network that is sure of what it says, as trained ones are."""
    torch.manual_seed(seed)
    tokenizer = new_tokenizer()
    config = NetworkConfig(len(tokenizer), len(tokenizer.marks), d=32, layers=2, heads=4, conv=4, log_length=192)
    weights = Network(config).state_dict()
    weights["words.weight"] *= SURE
    for name, weight in weights.items():
        if ".from_." in name:
            torch.nn.init.normal_(weight, std=0.02)
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


def test_onnxruntime_reproduces_torch(weights: Path, cache: Path) -> None:
    found = probabilities(open_engine(weights, "onnxruntime", cache=cache))
    assert (found - probabilities(open_engine(weights))).abs().max() <= 1e-4


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_graphs_share_what_they_are_made_of(weights: Path, cache: Path, precision: str) -> None:
    folder = find(weights, "onnxruntime", precision, cache)
    matrix = load(weights)[0].encoder.flat.weight.detach().T.contiguous().numpy().tobytes()
    assert all((folder / f"{graph}.onnx").stat().st_size < 1e6 for graph in GRAPHS)
    if precision == "fp32":
        assert (folder / WEIGHTS).read_bytes().count(matrix) <= 1
    assert (folder / WEIGHTS).stat().st_size < 2 * weights.stat().st_size * (2 if precision == "fp32" else 1)


@pytest.mark.parametrize("graph", ["decode", "verify", "begin", "follow"])
def test_an_engine_that_words_wrongly_is_refused(weights: Path, graph: str) -> None:
    engine = open_engine(weights)
    run = engine.runner.run

    def wrong(name: str, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        logits, *rest = run(name, *inputs)
        return (logits.flip(-1) if name == graph else logits, *rest)

    engine.runner.run = wrong  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="off the reference"):
        check(engine, reference_path(weights), "fp32")


def test_int8_reproduces_torch_from_the_same_claims(weights: Path, cache: Path) -> None:
    """Random weights claim nothing surely, and what is not sure tips over: each step is given what torch made."""
    exact, folder = open_engine(weights), find(weights, "onnxruntime", "int8", cache)
    rough = GraphEngine(exact._config, exact.tokenizer, OnnxRunner(folder, "int8", 1))
    percept = exact.encode(Observation(0))
    context = exact.prefill(exact.look(None, percept), "what is ahead", 1, exact.read(WORDS))
    masked = torch.ones(exact.answer_length, dtype=torch.long)
    found, expected = (engine.decode(masked[None], [context]).softmax(-1) for engine in (rough, exact))
    assert (found - expected).abs().max() <= TOLERANCE["int8"]


def test_logits_agree_to_four_digits(weights: Path, cache: Path) -> None:
    torch_engine, onnx_engine = open_engine(weights), open_engine(weights, "onnxruntime", cache=cache)
    seen = Observation(0, np.random.default_rng(0).integers(0, 255, (96, 160, 3), dtype=np.uint8))
    for engine in (torch_engine, onnx_engine):
        assert engine.answer_length == 20
    logits = []
    for engine in (torch_engine, onnx_engine):
        percept = engine.encode(seen)
        cache_ = engine.prefill(engine.look(percept.summary[None], percept), "what is ahead", 1)
        logits.append(engine.decode(torch.ones(1, 20, dtype=torch.long), [cache_]))
    assert (logits[0] - logits[1]).abs().max() <= 1e-4


@pytest.mark.parametrize("count", [1, 2, SENTENCES])
def test_onnxruntime_words_as_torch_does(weights: Path, cache: Path, count: int) -> None:
    """Several sentences at once, word by word, checked, and out of noise."""
    made = []
    for engine in (open_engine(weights), open_engine(weights, "onnxruntime", cache=cache)):
        contexts = engine.tell([CLAIMED[row] for row in range(count)], 3)
        ids = torch.arange(20 * count).view(count, 20) + 50
        last, said = torch.full((count,), BEGIN), None
        followed = []
        for place in range(3):
            logits, said = engine.follow(last, contexts, said)
            followed.append(logits)
            last = ids[:, place]
        noisy = torch.randn(20, engine.width, generator=torch.Generator().manual_seed(0))
        flowed = engine.flow(noisy, ids[0], torch.linspace(0, 1, 20), torch.ones(20), contexts[0])
        made.append((engine.decode(ids, contexts), *followed, engine.verify(ids[0], contexts[0]), *flowed))
    for exact, found in zip(*made, strict=True):
        assert exact.shape == found.shape
        assert torch.allclose(exact, found, atol=1e-3)


CLAIMED = [[60, 61, 62, 0], [70, 71, 0, 0], [80, 81, 82, 83], [60, 0, 0, 0]]


WORDS = ["=14", "=5", "call", "@3", "=4"] * 15


@pytest.mark.parametrize("lines", [15, 30])
@pytest.mark.parametrize("text", ["what is ahead", "what is ahead, and what is the speed limit, and what is the light"])
def test_filling_up_to_the_static_shape_changes_nothing(weights: Path, text: str, lines: int) -> None:
    """Requests and logs have short graphs and long ones."""
    engine, words = open_engine(weights), WORDS[:5] * lines
    percept = engine.encode(Observation(0))
    cached = engine.prefill(engine.look(percept.summary.repeat(3, 1), percept), text, 2, engine.read(words))
    network = graphs_of(weights)
    encoded = network.encoder(features([Observation(0)]))
    start = torch.tensor([float(len(words))])
    ids = torch.tensor([[0] * WINDOW + engine.tokenizer.log(words)])
    log = read_by_chunks(network, ids)
    filled = network.config.history_slots - 3
    scene = network.scene(encoded.summary.repeat(3, 1)[None], encoded.summary, encoded.tokens)
    request = torch.tensor([engine.tokenizer.request(text, 24)])
    cache = network._run(scene, start + filled + torch.arange(scene.shape[1]), start, (), None).cache
    now = shown(cache)
    asked = network.meant(network.understand(request, start, [now], torch.zeros(request.shape)))
    found = network.meant(network.find(asked, start, [log.seen(start), now]))
    stated = torch.cat([asked[:, :1], found], 1)
    assert torch.allclose(cached.stated, stated[0], atol=1e-4)
    ids = torch.arange(engine.answer_length)[None] + 50
    exact = network.answer(ids, torch.tensor([2]), stated)[..., engine.tokenizer.sayable]
    assert torch.allclose(exact, engine.decode(ids, [cached]), atol=1e-4)


def read_by_chunks(network: Network, ids: torch.Tensor) -> Past:
    """The log as it is read: each chunk sees those before it from where it begins."""
    layers: list[KV] = []
    for first in range(0, ids.shape[1] - WINDOW, CHUNK):
        known = [shown(layers).seen(torch.tensor([float(first)]))] if layers else []
        chunk = ids[:, first : first + WINDOW + CHUNK]
        new = network.read(network.text(chunk), torch.tensor([float(first)]), known)
        layers = (
            [(torch.cat([k, more], 2), torch.cat([v, own], 2)) for (k, v), (more, own) in zip(layers, new, strict=True)]
            if layers
            else new
        )
    return shown(layers)


def shown(cache: list[KV]) -> Past:
    return Past(cache, torch.zeros(1, cache[0][0].shape[2]))


def test_a_log_that_grows_is_the_log_read_at_once(weights: Path) -> None:
    engine = open_engine(weights)
    log = engine.read(WORDS[:10])
    for end in (12, 70, len(WORDS)):
        log = engine.read(WORDS[:end], log)
    at_once = engine.read(WORDS)
    assert log.ids == at_once.ids
    assert torch.equal(log.bias, at_once.bias)
    assert torch.allclose(log.k[:, :, : len(WORDS)], at_once.k[:, :, : len(WORDS)], atol=1e-5)


def test_a_log_that_lost_its_beginning_is_read_anew(weights: Path) -> None:
    engine = open_engine(weights)
    log = engine.read(WORDS[3:30], engine.read(WORDS))
    fresh = engine.read(WORDS[3:30])
    assert torch.equal(log.bias, fresh.bias)
    assert torch.allclose(log.v[:, :, :27], fresh.v[:, :, :27], atol=1e-5)


def test_too_long_a_log_is_refused(weights: Path) -> None:
    engine = open_engine(weights)
    with pytest.raises(ValueError, match="at most 192"):
        engine.read(["tunnel"] * 193)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_makes_nothing_on_another_device(weights: Path, name: str) -> None:
    """As a GPU needs it; "meta" is a device that computes nothing and takes no tensor of another one."""
    meta = torch.device("meta")
    runner = TorchRunner(graphs_of(weights), FIRST_SPOKEN, meta)
    graph = graphs(graphs_of(weights), FIRST_SPOKEN)[name]
    outputs = runner.run(name, *(tensor.to(meta) for tensor in graph.inputs.values()))
    assert len(outputs) == len(graph.outputs)
    assert {output.device for output in outputs} == {meta}


def graphs_of(weights: Path) -> Network:
    from mm_edge.model.checkpoint import load

    return load(weights)[0]


def test_facts_are_cut_where_they_were_joined(weights: Path) -> None:
    network, inputs = graphs_of(weights), features([Observation(0)])
    *_, joined, _ = graphs(network, FIRST_SPOKEN)["encode"].module(*vars(inputs).values())
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
    right, cut = find(weights, "onnxruntime", "fp32", cache), graphs(load(other)[0], FIRST_SPOKEN)
    wrong = shutil.copytree(right, tmp_path / right.name)
    for name in ("decode_short", "decode"):
        write_onnx(cut[name], wrong / f"{name}.onnx")
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


@pytest.mark.parametrize("graph", GRAPHS)
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
def test_a_damaged_graph_is_written_anew(weights: Path, cache: Path, tmp_path: Path, damage: str) -> None:
    whole = find(weights, "onnxruntime", "fp32", cache)
    shutil.copytree(whole, tmp_path / whole.name)
    (tmp_path / whole.name / "decode.onnx").write_text(damage)
    folder = export(weights, "onnxruntime", "int8", tmp_path)
    assert (folder / "decode.onnx").stat().st_size > 10_000
