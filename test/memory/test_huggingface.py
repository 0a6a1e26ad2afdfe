"""Attention Matching for the caches of Hugging Face decoders, on tiny random ones."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from mm_edge.memory.matching import Matching

transformers = pytest.importorskip("transformers")
from mm_edge.memory import huggingface  # noqa: E402

WORDS, WINDOW = 48, 16
SIZES = {
    "vocab_size": 128,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.1,  # so that attention is far from even
    "pad_token_id": 0,
}
EXACT = Matching(select="pursuit", iterations=0, box=(-7.0, 7.0))
EVICTION = Matching(bias=False, values=False)
FAMILIES = {"qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM", "gemma3": "Gemma3ForCausalLM"}


def tiny(family: str, **more: Any) -> Any:
    torch.manual_seed(0)
    if family == "gemma3":
        more |= {"layer_types": ["sliding_attention", "full_attention", "full_attention"], "sliding_window": WINDOW}
        more |= {"query_pre_attn_scalar": 16}
    kind = getattr(transformers, FAMILIES[family])
    return kind(kind.config_class(**SIZES, **more)).eval()


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tiny(request.param)
    torch.set_num_threads(threads)


def words(count: int, seed: int = 1) -> Tensor:
    return torch.randint(1, 128, (1, count), generator=torch.Generator().manual_seed(seed))


def logits(model: Any, cache: Any, *parts: Tensor) -> Tensor:
    """Of later words [n, vocab], read part by part after a cache, which is left as it is."""
    cache = huggingface.twin(cache)
    with torch.no_grad():
        return torch.cat([model(part, past_key_values=cache).logits[0] for part in parts])


def repeated(cache: Any, distinct: int) -> Any:
    """With few different keys and values where layers see everything, each as often as chance would have it."""
    twin = huggingface.twin(cache)
    again = torch.randint(distinct, (WORDS,), generator=torch.Generator().manual_seed(2))
    again[:distinct] = torch.arange(distinct)
    for layer in twin.layers:
        if not layer.is_sliding:
            layer.keys, layer.values = layer.keys[:, :, again], layer.values[:, :, again]
    return twin


def heads(model: Any, cache: Any) -> int:
    return 2 * len(huggingface.compactable(model, cache))


def test_what_is_recorded_is_what_attention_multiplies_with_the_keys(model: Any) -> None:
    model.set_attn_implementation("eager")
    with torch.no_grad():
        seen = model(words(12), output_attentions=True).attentions

    cache, queries = huggingface.read(model, words(12))

    for layer, asked, weights in zip(cache.layers, queries, seen, strict=True):
        scores = asked.unflatten(1, (2, 12)) @ layer.keys[0, :, None].transpose(-1, -2)
        hidden = torch.ones(12, 12, dtype=torch.bool).triu(1)
        torch.testing.assert_close(scores.masked_fill(hidden, -math.inf).softmax(-1).flatten(0, 1), weights[0])


def test_nothing_changes_where_everything_is_kept(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, heads(model, cache) * WORDS, EXACT)

    torch.testing.assert_close(logits(model, compacted, words(5)), logits(model, cache, words(5)), atol=1e-5, rtol=1e-5)


def test_a_key_that_is_there_many_times_is_kept_once_with_the_logarithm_of_how_often(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    cache = repeated(cache, 6)
    compacted = huggingface.compact(model, cache, queries, [6] * heads(model, cache), EXACT)

    for before, after in zip(cache.layers, compacted.layers, strict=True):
        if before.is_sliding:
            continue
        key, often = before.keys[0, 0].unique(dim=0, return_counts=True)
        order = torch.cdist(after.keys[0, 0, :, :-1], key).argmin(1)
        torch.testing.assert_close(after.keys[0, 0, :, -1], often[order].float().log(), atol=1e-3, rtol=1e-3)


def test_whatever_is_read_after_an_exact_compaction_is_read_as_without_it(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    cache = repeated(cache, 6)
    compacted = huggingface.compact(model, cache, queries, [6] * heads(model, cache), EXACT)
    later = [words(1, 3), words(7, 4), words(1, 5), words(3, 6)]

    expected = logits(model, cache, *later)

    torch.testing.assert_close(logits(model, compacted, *later), expected, atol=2e-3, rtol=2e-3)


def test_the_next_word_has_the_place_it_would_have_had(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, heads(model, cache) * 8, EXACT)
    place = torch.tensor([[WORDS]])

    with torch.no_grad():
        said = model(words(1), past_key_values=huggingface.twin(compacted), position_ids=place).logits[0]

    assert [compacted.get_seq_length(layer) for layer in range(3)] == [WORDS] * 3
    torch.testing.assert_close(logits(model, compacted, words(1)), said)


def test_heads_of_a_layer_are_padded_with_what_nobody_sees(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    kept = [5, 9] * (heads(model, cache) // 2)
    compacted = huggingface.compact(model, cache, queries, kept, Matching())
    layer = compacted.layers[-1]
    before = logits(model, compacted, words(4))

    layer.keys[:, 0, 5:9, :-1], layer.values[:, 0, 5:9] = 7.0, 7.0

    assert layer.keys.shape == (1, 2, 9, 17)
    assert torch.equal(logits(model, compacted, words(4)), before)


def test_layers_that_see_a_window_are_left_alone() -> None:
    model = tiny("gemma3")
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, 4 * 8, Matching())

    assert huggingface.compactable(model, cache) == [1, 2]
    assert compacted.is_sliding == [True, False, False]
    assert torch.equal(compacted.layers[0].keys, cache.layers[0].keys)
    logits(model, compacted, words(4))
    assert cache.layers[0].get_seq_length() == WORDS


def test_a_window_in_a_cache_of_everything_is_refused() -> None:
    model = tiny("gemma3")
    huggingface.prepare(model)
    cache = model(words(WORDS), past_key_values=transformers.DynamicCache()).past_key_values

    with pytest.raises(ValueError, match="window"):
        huggingface.compactable(model, cache)


def test_a_quarter_of_the_slots_goes_further_with_matching_than_with_eviction(model: Any) -> None:
    cache, _ = huggingface.read(model, words(WORDS))
    _, queries = huggingface.read(model, words(WORDS), cache)
    keep = heads(model, cache) * WORDS // 4
    matched, evicted = (huggingface.compact(model, cache, queries, keep, how) for how in (Matching(), EVICTION))
    expected = logits(model, cache, words(24, 7)).log_softmax(-1)

    def loss(compacted: Any) -> float:
        found = logits(model, compacted, words(24, 7)).log_softmax(-1)
        return float((expected.exp() * (expected - found)).sum(-1).mean())

    assert loss(matched) < loss(evicted) / 2


def test_a_compacted_cache_generates_word_by_word_as_at_once(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, heads(model, cache) * WORDS // 4, Matching())
    prompt, said = words(2, 8), words(2, 8)

    for _ in range(5):
        said = torch.cat([said, logits(model, compacted, said)[-1:].argmax(-1)[None]], 1)
    generated = model.generate(
        torch.cat([words(WORDS), prompt], 1),
        past_key_values=huggingface.twin(compacted),
        attention_mask=torch.ones(1, WORDS + 2, dtype=torch.long),
        max_new_tokens=5,
        do_sample=False,
        eos_token_id=None,
    )

    assert generated[0, WORDS:].tolist() == said[0].tolist()


def test_biases_carry_over_when_compacted_again(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    cache = repeated(cache, 6)
    once = huggingface.compact(model, cache, queries, [6] * heads(model, cache), EXACT)
    halved = huggingface.twin(once)
    for layer in (halved.layers[index] for index in huggingface.compactable(model, halved)):
        layer.keys, layer.values, layer.slots = layer.keys.repeat(1, 1, 2, 1), layer.values.repeat(1, 1, 2, 1), 12
        layer.keys[..., -1] -= math.log(2)

    twice = huggingface.compact(model, halved, queries, [6] * heads(model, cache), EXACT)

    assert twice.layers[-1].slots == 6
    torch.testing.assert_close(logits(model, twice, words(5)), logits(model, cache, words(5)), atol=2e-3, rtol=2e-3)


def test_words_read_after_a_compaction_are_slots_of_the_next(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    once = huggingface.compact(model, cache, queries, [6, 9] * (heads(model, cache) // 2), Matching())
    longer, queries = huggingface.read(model, words(4, 3), once)
    twice = huggingface.compact(model, longer, queries, [10, 13] * (heads(model, cache) // 2), Matching())

    assert twice.get_seq_length() == WORDS + 4
    assert twice.layers[-1].slots == 13
    torch.testing.assert_close(logits(model, twice, words(5)), logits(model, longer, words(5)), atol=1e-5, rtol=1e-5)


def test_another_attention_refuses_what_it_would_misread(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, heads(model, cache) * 8, Matching())
    model.set_attn_implementation("sdpa")

    with pytest.raises(RuntimeError):
        logits(model, compacted, words(1))


def test_later_words_can_be_taken_back_but_not_those_that_were_compacted() -> None:
    model = tiny("llama")
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, heads(model, cache) * 8, Matching())
    longer, _ = huggingface.read(model, words(3), compacted)
    before = logits(model, compacted, words(2))

    longer.crop(WORDS)

    assert torch.equal(logits(model, longer, words(2)), before)
    with pytest.raises(ValueError, match="compacted"):
        longer.crop(WORDS - 1)


def test_half_precision_is_kept() -> None:
    model = tiny("qwen3").to(torch.bfloat16)
    cache, queries = huggingface.read(model, words(WORDS))
    compacted = huggingface.compact(model, cache, queries, [5, 9] * 3, Matching())

    assert {layer.keys.dtype for layer in compacted.layers} == {torch.bfloat16}
    assert logits(model, compacted, words(3)).isfinite().all()


def test_one_row_at_a_time(model: Any) -> None:
    two = words(WORDS).expand(2, -1)
    _, queries = huggingface.read(model, words(WORDS))
    cache = model(two, use_cache=True).past_key_values

    with pytest.raises(ValueError, match="one row"):
        huggingface.read(model, two)
    with pytest.raises(ValueError, match="one row"):
        huggingface.compact(model, cache, queries, 100, Matching())


def test_nothing_is_no_cache(model: Any) -> None:
    _, queries = huggingface.read(model, words(WORDS))

    for cache in (transformers.DynamicCache(), transformers.DynamicCache(config=model.config)):
        with pytest.raises(ValueError, match="empty"):
            huggingface.compact(model, cache, queries, 100, Matching())
    with pytest.raises(ValueError, match="one row"):
        huggingface.read(model, words(0))


def test_queries_and_budgets_are_of_every_head(model: Any) -> None:
    cache, queries = huggingface.read(model, words(WORDS))

    with pytest.raises(ValueError, match="queries"):
        huggingface.compact(model, cache, queries[:-1], 100, Matching())
    with pytest.raises(ValueError, match="budgets"):
        huggingface.compact(model, cache, queries, [4], Matching())


def test_a_cache_of_another_kind_is_refused() -> None:
    model = tiny("llama")
    cache = transformers.StaticCache(config=model.config, max_cache_len=WORDS)
    model(words(4), past_key_values=cache)

    with pytest.raises(ValueError, match="StaticLayer"):
        huggingface.compactable(model, cache)


def test_a_model_whose_attention_takes_no_bias_is_refused() -> None:
    config = transformers.Gemma2Config(**SIZES, attn_logit_softcapping=30.0)

    with pytest.raises(ValueError, match=r"squashes|cannot be set"):
        huggingface.prepare(transformers.Gemma2ForCausalLM(config))
    with pytest.raises(ValueError, match="cannot be set"):
        huggingface.prepare(torch.nn.Linear(2, 2))


def test_without_transformers_the_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, huggingface.__name__)

    with pytest.raises(ImportError, match="need transformers 5"):
        importlib.import_module(huggingface.__name__)
