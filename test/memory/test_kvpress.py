"""What is kept of a cache, against NVIDIA's kvpress where both have the same method."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from mm_edge.memory import baselines
from mm_edge.memory.cache import Slots
from mm_edge.memory.matching import scores

transformers = pytest.importorskip("transformers")
from mm_edge.memory import huggingface  # noqa: E402


def imported() -> Any:
    """kvpress, which imports `datasets` in full for two presses that download, and that nothing here needs."""
    absent = "datasets" not in sys.modules
    sys.modules.setdefault("datasets", ModuleType("datasets")).__dict__.setdefault("load_dataset", None)
    try:
        return pytest.importorskip("kvpress")
    finally:
        if absent:
            del sys.modules["datasets"]


kvpress = imported()
WORDS, KEPT = 48, 12
RATIO = 1 - KEPT / WORDS


@pytest.fixture(params=["Qwen3", "Llama"])
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tiny(request.param)
    torch.set_num_threads(threads)


def tiny(family: str, kv_heads: int = 2) -> Any:
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=128,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        head_dim=16,
        initializer_range=0.15,
    )
    return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def words(count: int = WORDS) -> Tensor:
    return torch.randint(1, 128, (1, count), generator=torch.Generator().manual_seed(1))


def pressed(press: Any, model: Any) -> tuple[list[Tensor], list[Tensor]]:
    """Of every layer: how a press rates the slots [kv_heads, n], and the keys that it keeps [kv_heads, KEPT, d]."""
    given: list[Tensor] = []
    score = press.score

    def recorded(*args: Any, **kwargs: Any) -> Tensor:
        given.append(score(*args, **kwargs))
        return given[-1]

    press.score = recorded
    cache = transformers.DynamicCache(config=model.config)
    with torch.no_grad(), press(model):
        model(words(), past_key_values=cache)
    return [each[0] for each in given], [layer.keys[0] for layer in cache.layers]


def read(model: Any) -> list[tuple[Slots, Tensor]]:
    """Of every head of keys, layer by layer: its slots, and what every query head asked [groups, n, d]."""
    cache, queries = huggingface.read(model, words())
    heads = [head for layer in cache.layers for head in huggingface.slots_of(layer)]
    asked = [rows.unflatten(0, (-1, WORDS)) for layer in queries for rows in layer]
    return list(zip(heads, asked, strict=True))


def same_are_kept(rated: list[Tensor], slots: list[Slots], keys: list[Tensor]) -> bool:
    """Whether the highest rated slots of every head are those that a press kept."""
    ours = [set(score.topk(KEPT).indices.tolist()) for score in rated]
    theirs = [
        set(torch.cdist(kept, head.k).argmin(1).tolist()) for head, kept in zip(slots, torch.cat(keys), strict=True)
    ]
    return ours == theirs


def test_streaming_keeps_the_same_slots(model: Any) -> None:
    heads = [head for head, _ in read(model)]
    _, keys = pressed(kvpress.StreamingLLMPress(RATIO, n_sink=baselines.SINKS), model)

    assert same_are_kept([baselines.recent(WORDS)] * len(heads), heads, keys)


def test_observed_attention_is_the_same(model: Any) -> None:
    heads = read(model)
    model.set_attn_implementation("eager")
    given, keys = pressed(kvpress.ObservedAttentionPress(RATIO), model)

    rated = [torch.stack([baselines.observed(head, rows) for rows in asked]).mean(0) for head, asked in heads]

    torch.testing.assert_close(torch.stack(rated), torch.cat(given), atol=1e-5, rtol=1e-4)
    assert same_are_kept(rated, [head for head, _ in heads], keys)


@pytest.mark.parametrize("window", [1, 6])
def test_attention_of_a_window_is_that_of_snapkv(model: Any, window: int) -> None:
    heads = read(model)
    given, keys = pressed(kvpress.SnapKVPress(RATIO, window_size=window, kernel_size=1), model)
    before = WORDS - window

    rated = [
        torch.stack(
            [scores(head.at(slice(place + 1)), asked[:, place], "mean")[:before] for place in range(before, WORDS)]
        ).mean(0)
        for head, asked in heads
    ]

    torch.testing.assert_close(torch.stack(rated), torch.cat(given)[:, :before], atol=1e-5, rtol=1e-4)
    whole = [torch.cat([score, torch.ones(window)]) for score in rated]
    assert same_are_kept(whole, [head for head, _ in heads], keys)


@pytest.mark.parametrize("family", ["Qwen3", "Llama"])
def test_expected_attention_is_the_same_but_for_a_factor(family: str) -> None:
    model = tiny(family, kv_heads=4)
    heads = read(model)
    given, keys = pressed(kvpress.ExpectedAttentionPress(RATIO, n_future_positions=baselines.HORIZON), model)
    turn, ahead = rotations(model, 0, WORDS), rotations(model, WORDS, WORDS + baselines.HORIZON)

    rated = [baselines.expected(head, asked[0], turn, ahead) for head, asked in heads]

    for ours, theirs in zip(rated, torch.cat(given), strict=True):
        ours, theirs = (each[baselines.SINKS :] / each[baselines.SINKS :].sum() for each in (ours, theirs))
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert same_are_kept(rated, [head for head, _ in heads], keys)


def rotations(model: Any, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of places [n, pairs]."""
    cos, sin = model.model.rotary_emb(torch.zeros(1), torch.arange(first, last)[None])
    return cos[0, :, : cos.shape[-1] // 2], sin[0, :, : sin.shape[-1] // 2]


def test_the_highest_attention_of_a_repetition_is_that_of_kvzip(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = {"": 0, "\n": 1, "\n\nRepeat the previous context exactly.": 3}
    tokenizer = SimpleNamespace(chat_template=None, encode=lambda text, **_: words(8)[:, : lengths[text]])
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda _: tokenizer)
    given = []
    press = kvpress.KVzipPress(RATIO)
    monkeypatch.setattr(press, "compress_post", lambda _: given.extend(press.score_val[:, 0].clone()))
    cache = transformers.DynamicCache(config=model.config)
    with torch.no_grad(), press(model):
        model(words(), past_key_values=cache)

    asking = torch.cat([words(8)[:, :3], words(8)[:, :1], words()], 1)
    longer, queries = huggingface.read(model, asking, huggingface.read(model, words())[0])
    heads = [head for layer in longer.layers for head in huggingface.slots_of(layer)]
    asked = [rows.unflatten(0, (-1, asking.shape[1])) for layer in queries for rows in layer]
    rated = [
        torch.stack(
            [scores(head.at(slice(WORDS + place + 1)), rows[:, place], "max")[:WORDS] for place in range(rows.shape[1])]
        ).amax(0)
        for head, rows in zip(heads, asked, strict=True)
    ]

    torch.testing.assert_close(torch.stack(rated), torch.cat(given), atol=1e-5, rtol=1e-4)
