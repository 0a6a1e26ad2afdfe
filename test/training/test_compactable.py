"""Logs that are compacted while they are read, with gradients: the same as the memory does, and what learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mm_edge.memory.cache import Cache, Packed, Slots, joined
from mm_edge.memory.compaction import METHODS, Method
from mm_edge.memory.drive import compacted as compacted_live
from mm_edge.memory.matching import Matching
from mm_edge.memory.references import GENERAL, by_questions
from mm_edge.model.network import STATED, WINDOW, Network, NetworkConfig
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.training.compactable import cut_losses, matched, padded, remembered
from mm_edge.training.cuts import KINDS, RATIOS, CutLogs, cut_logs
from mm_edge.training.losses import read_log, recall_losses
from mm_edge.training.recipe import Recipe
from mm_edge.training.trainer import Trainer

WORDS, LOG = 320, 160


@pytest.fixture(scope="module")
def network(tokenizer: Tokenizer) -> Network:
    torch.manual_seed(0)
    made = Network(NetworkConfig(len(tokenizer), len(tokenizer.marks), d=32, layers=2, heads=4, conv=4))
    for block in made.blocks:  # at first a layer adds nothing
        for last in (block.out, block.down):  # type: ignore[union-attr]
            torch.nn.init.normal_(last.weight, std=0.2)  # type: ignore[union-attr, arg-type]
    return made


def drawn(tokenizer: Tokenizer, cuts: Sequence[int], slots: int = 6, gap: int = 0) -> CutLogs:
    """Two logs, cut as wanted and asked the same at every cut."""
    made = next(logs for logs in (cut_logs(seed, WORDS, LOG, tokenizer) for seed in range(99)) if len(logs.cuts) == 1)
    return replace(made, cuts=tuple(cuts), slots=slots, banks=made.banks * len(cuts), gap=gap)


def row(layers: Sequence[tuple[Tensor, Tensor]], index: int, length: int) -> Cache:
    return Cache.of([(k[index, None], v[index, None]) for k, v in layers], length)


@torch.no_grad()
def as_the_memory_does(network: Network, logs: CutLogs, index: int) -> tuple[list[Cache], int]:
    """One of the logs, alone, with what runs on a drive: what is left of it, and what is raw."""
    ids, words = logs.recall.log[index, None], logs.recall.log.shape[1] - WINDOW
    memory: list[Cache] = []
    read = place = 0
    for end in dict.fromkeys((*logs.cuts, words)):
        start = torch.tensor([float(place)])
        x = network.text(ids[:, read : end + WINDOW])
        raw = row(network.read(x, start, [each.seen(place).past() for each in memory]), 0, end - read)
        place += end - read
        if end not in logs.cuts:
            return [*memory, raw], place
        whole = joined(*memory, raw) if memory else raw
        asked = logs.banks[0][index]
        queries = torch.stack(by_questions(network, asked)(replace(whole, length=place).seen(place)))
        done = compacted_live(whole, place, queries.split(STATED, 2), logs.slots * whole.heads, METHODS["matching"])
        assert not done.failure
        memory, place, read = [done.cache], place + logs.gap, end
    return memory, place


@pytest.mark.parametrize(
    ("cuts", "slots", "gap"), [((), 6, 0), ((153,), 6, 0), ((100,), 12, 3000), ((80, 130), 9, 700)]
)
def test_it_is_what_the_memory_of_a_drive_does(
    network: Network, tokenizer: Tokenizer, cuts: Sequence[int], slots: int, gap: int
) -> None:
    logs = drawn(tokenizer, cuts, slots, gap)
    past, place = remembered(network, logs)
    asked = network.word(logs.recall.finds.asked)
    found = network.find(asked, torch.tensor([float(place)]), past)

    for index in range(2):
        left, there = as_the_memory_does(network, logs, index)
        assert there == place
        for mine, theirs in zip(past, left, strict=True):
            for layer, packed in enumerate(theirs.seen(place).layers):
                for head, wanted in enumerate(packed.heads()):
                    there_is = mine.layer(layer)[1][index, 0 if isinstance(mine.bias, Tensor) else head, 0] > -1e6
                    (k, v), length = mine.layers[layer], len(wanted)
                    assert int(there_is.sum()) == length
                    torch.testing.assert_close(k[index, head, :length], wanted.k, atol=2e-4, rtol=1e-3)
                    torch.testing.assert_close(v[index, head, :length], wanted.v, atol=2e-3, rtol=1e-2)
        own = logs.recall.finds.of == index
        with torch.no_grad():
            told = network.find(asked[own], torch.tensor([float(place)]), [each.seen(place).past() for each in left])
        torch.testing.assert_close(found[own], told, atol=5e-3, rtol=1e-2)


def test_a_slot_that_stands_for_copies_learns_with_each_of_them() -> None:
    """Two keys, each of them once with the bias of two and once alone: what is kept of each is the first, with the bias
    of three and the mean of their values."""
    torch.manual_seed(1)
    keys = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).repeat_interleave(2, 0)
    values = torch.randn(4, 2, requires_grad=True)
    cache = Cache((Packed.of([Slots(keys, values, torch.tensor([log(2), 0.0] * 2))]),), 6)
    how = Method(Matching(relative=True, iterations=0, nearness=1e-7))

    kept = matched(cache, [torch.randn(1, 20, 2)], 2, how).layers[0].slots

    shares = torch.tensor([2 / 3, 1 / 3])
    assert torch.allclose(kept.bias, torch.full((2,), log(3)), atol=1e-4)
    assert torch.allclose(kept.v, shares @ values.view(2, 2, 2), atol=1e-4)
    kept.v[0, 0].backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert torch.allclose(values.grad[:, 0], torch.tensor([2, 1, 0, 0]) / 3, atol=1e-3)
    assert torch.allclose(values.grad[:, 1], torch.zeros(4))


def test_keys_that_stay_have_gradients_of_their_own() -> None:
    torch.manual_seed(2)
    keys, values = torch.randn(8, 4, requires_grad=True), torch.randn(8, 4)
    cache = Cache((Packed.of([Slots(keys, values, torch.zeros(8))]),), 8)
    kept = matched(cache, [torch.randn(1, 30, 4)], 3).layers[0].slots
    kept.k.sum().backward()  # type: ignore[no-untyped-call]
    assert keys.grad is not None
    assert sorted(keys.grad.sum(1).tolist()) == [0.0] * 5 + [4.0] * 3


def test_what_has_room_stays_as_it_is() -> None:
    heads = [Slots(torch.randn(n, 4), torch.randn(n, 4), torch.zeros(n)) for n in (3, 5)]
    cache = Cache((Packed.of(heads),), 5)
    assert torch.equal(matched(cache, [torch.randn(2, 6, 4)], 8).layers[0].slots.v, cache.layers[0].slots.v)


def test_rows_of_heads_of_any_length_attend_as_each_alone() -> None:
    torch.manual_seed(3)
    lengths = ((3, 1), (2, 4))
    caches = [
        Cache((Packed.of([Slots(torch.randn(n, 4), torch.randn(n, 4), torch.randn(n)) for n in row]),), 9)
        for row in lengths
    ]
    (k, v), bias = padded(caches).layer(0)
    queries = torch.randn(2, 2, 5, 4)

    together = (queries @ k.transpose(-1, -2) + bias).softmax(-1) @ v

    for index, cache in enumerate(caches):
        for head, slots in enumerate(cache.layers[0].heads()):
            alone = (queries[index, head] @ slots.k.T + slots.bias).softmax(-1) @ slots.v
            assert torch.allclose(together[index, head], alone, atol=1e-6)


def test_without_a_cut_it_is_what_logs_alone_tell(network: Network, tokenizer: Tokenizer) -> None:
    logs = drawn(tokenizer, ())
    whole = read_log(network, logs.recall.log, torch.zeros(2, logs.recall.log.shape[1] - WINDOW))
    (past,), place = remembered(network, logs)
    assert place == logs.recall.log.shape[1] - WINDOW
    torch.testing.assert_close(past.layers[1][0], whole.layers[1][0])
    torch.testing.assert_close(cut_losses(network, logs), recall_losses(network, logs.recall))


def test_everything_that_was_read_learns(network: Network, tokenizer: Tokenizer) -> None:
    network.zero_grad()
    cut_losses(network, drawn(tokenizer, (90, 140), gap=5000))["recalled"].backward()
    for name, parameter in network.named_parameters():
        if name.startswith(("blocks.", "before.", "standing.", "finding")):
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name


def test_cut_logs_follow_from_their_seed(tokenizer: Tokenizer) -> None:
    one, again, other = (cut_logs(seed, WORDS, LOG, tokenizer) for seed in (7, 7, 8))
    assert torch.equal(one.recall.log, again.recall.log)
    assert (one.cuts, one.slots, one.gap) == (again.cuts, again.slots, again.gap)
    assert not torch.equal(one.recall.log, other.recall.log)


def test_cuts_are_within_the_log_and_leave_fewer_slots(tokenizer: Tokenizer) -> None:
    kinds = set()
    for seed in range(40):
        logs = cut_logs(seed, WORDS, LOG, tokenizer)
        kinds.add(len(logs.cuts))
        assert [*logs.cuts] == sorted(logs.cuts)
        assert all(cut <= logs.recall.log.shape[1] - WINDOW for cut in logs.cuts)
        assert 1 <= logs.slots <= LOG / RATIOS[0] + 1
        assert all(len(bank) == len(logs.recall.log) for bank in logs.banks)
    assert kinds == {len(kind) for kind in KINDS}


def test_names_come_to_mind_once_they_are_read_and_not_all_of_them(tokenizer: Tokenizer) -> None:
    general = tokenizer.claims(f"<{GENERAL}>", 1)[0]
    left_out = 0
    for seed in range(12):
        logs = cut_logs(seed, WORDS, LOG, tokenizer)
        for cut, banks in zip(logs.cuts, logs.banks, strict=True):
            for ids, bank in zip(logs.recall.log, banks, strict=True):
                read = {*ids[WINDOW : WINDOW + cut].tolist()} & {*tokenizer.names}
                in_general = {about for topic, about in bank.tolist() if topic == general and about in tokenizer.names}
                by_topic = {about for topic, about in bank.tolist() if topic != general}
                assert in_general == read
                left_out += len(read - by_topic)
    assert left_out


def test_only_the_layers_of_the_trunk_learn(tmp_path: Path) -> None:
    recipe = Recipe(
        out=tmp_path, learns="compactable", processes=1, drives=1, pool=2, requests=2, finds=2, wordings=4, log=80,
        log_grows=False, recall=80, look_steps=0, steps=3, warmup=1, decay=0.0, save_every=1,
    )  # fmt: skip
    trainer = Trainer(recipe, 0)
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    parts = [trainer.update(*given) for given in islice(trainer._given(), 3)]

    changed = {name for name, tensor in trainer.network.state_dict().items() if not torch.equal(tensor, before[name])}

    assert changed
    assert all(name.startswith("blocks.") for name in changed)
    assert torch.stack(parts).isfinite().all()
    assert ((torch.stack(parts) > 0).sum(1) > 1).tolist() == [True, False, True]  # drives, logs alone, sentences


def test_what_compactions_leave_is_not_for_graphs() -> None:
    with pytest.raises(ValueError, match="cpu"):
        Recipe(learns="compactable", device="cuda", processes=1)
