"""Training in small: batches, losses, a run that resumes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mm_edge.model.encoders import SEEN_FACTS
from mm_edge.model.network import WINDOW, Network, NetworkConfig
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.batches import IGNORE, Batch, BatchShape, batch, look, recall, wording
from mm_edge.training.losses import filling, losses, mask_some, remembered
from mm_edge.training.muon import Muon
from mm_edge.training.recipe import TRAINING_SEEDS, Recipe
from mm_edge.training.trainer import Trainer, keep_eyes, new_tokenizer, progress_factor
from mm_edge.world.grammar import TOPICS

SHAPE = BatchShape(moments=5, worded=4, asked=5, log=64)
SLOTS = NetworkConfig.history_slots


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return new_tokenizer()


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> NetworkConfig:
    return NetworkConfig(len(tokenizer), len(tokenizer.marks), d=32, layers=2, heads=4, conv=4)


def make(seeds: list[int], visit: int, shape: BatchShape, config: NetworkConfig, tokenizer: Tokenizer) -> Batch:
    return batch(lambda seed: look(seed, shape.moments, SLOTS), seeds, visit, shape, config, tokenizer)


@pytest.fixture(scope="module")
def data(tokenizer: Tokenizer, config: NetworkConfig) -> Batch:
    return make([17, 4], 3, SHAPE, config, tokenizer)


def test_a_batch_follows_from_its_seeds(data: Batch, tokenizer: Tokenizer, config: NetworkConfig) -> None:
    again = make([17, 4], 3, SHAPE, config, tokenizer)
    assert torch.equal(data.seen.observations.image, again.seen.observations.image)
    assert torch.equal(data.turns[0].answer, again.turns[0].answer)
    assert torch.equal(data.log, again.log)


def test_a_drive_comes_again_with_other_questions(data: Batch, tokenizer: Tokenizer, config: NetworkConfig) -> None:
    again = make([17, 4], 4, SHAPE, config, tokenizer)
    assert torch.equal(data.seen.observations.state, again.seen.observations.state)
    assert not torch.equal(data.seen.observations.image, again.seen.observations.image)  # it moved a little
    assert not torch.equal(data.log, again.log)


def test_answers_state_what_is_claimed(data: Batch, tokenizer: Tokenizer) -> None:
    marks = set(tokenizer.marks)
    worded = [turns for turns in data.turns if turns.answer.shape[1]]
    assert sum(len(turns.of) for turns in worded) == 2 * SHAPE.worded
    assert sum(len(turns.of) for turns in data.turns) == 2 * (SHAPE.worded + SHAPE.asked)
    for turns in worded:
        assert torch.equal(turns.claims[:, 0], turns.answer[:, 0])
        for claims, answer in zip(turns.claims.tolist(), turns.answer.tolist(), strict=True):
            assert marks & set(claims) == marks & set(answer)


def test_turns_are_rows_of_a_drive_each(data: Batch) -> None:
    for turns in data.turns:
        assert turns.of.div(SHAPE.moments, rounding_mode="floor").diff().ge(0).all()
        assert len(turns.of) % 2 == 0


def test_logs_of_recall_have_no_filling(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    made = recall(5, 256, 64, config, tokenizer)
    assert not (made.log[:, WINDOW:] == EOS).any()
    assert {int(group.of.max()) for group in made.turns} == {3}


def test_targets_are_within_their_facts(data: Batch) -> None:
    assert data.seen.facts.keys() == SEEN_FACTS.keys()
    for name, target in data.seen.facts.items():
        assert ((target == IGNORE) | ((target >= 0) & (target < len(SEEN_FACTS[name])))).all()


def test_nothing_of_another_drive_is_remembered(data: Batch, config: NetworkConfig) -> None:
    first_of_second = SHAPE.moments
    network = Network(config).eval()
    history, hidden = remembered(network, network.encoder(data.seen.observations), data.seen)
    assert data.seen.recalled[first_of_second] == 0
    assert hidden[first_of_second, : config.history_slots].all()
    assert (history[first_of_second] == 0).all()


def test_logs_alone_teach_the_trunk_alone(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config)
    losses(network, None, recall(5, 128, 64, config, tokenizer), None, torch.Generator()).total.backward()
    assert network.before.weight.grad is not None
    assert all(parameter.grad is None for parameter in network.encoder.parameters())


def test_masks_and_their_weights() -> None:
    masked, weight = mask_some(torch.zeros(4000, 16), torch.Generator().manual_seed(0))
    whole = masked.all(1).float().mean()
    assert 0.38 < whole < 0.47
    assert ((weight >= 1) & (weight <= 4)).all()
    assert (weight[masked.all(1)] < 4).any()


def test_only_what_follows_the_end_is_filling() -> None:
    assert filling(torch.tensor([[5, EOS, EOS, EOS]])).tolist() == [[False, False, True, True]]


def test_a_batch_that_knows_nothing_gives_no_nan(data: Batch, config: NetworkConfig) -> None:
    nothing = torch.full_like(data.seen.motion, IGNORE)
    unseen = replace(
        data.seen,
        facts={name: nothing for name in data.seen.facts},
        gap=torch.full_like(data.seen.gap, torch.nan),
        motion=nothing,
        actions=torch.full_like(data.seen.actions, torch.nan),
    )
    blind = replace(data, seen=unseen)
    found = losses(Network(config), blind, None, None, torch.Generator())
    found.total.backward()
    assert torch.isfinite(found.total)


def test_without_turns_only_what_looks_learns(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config)
    blank = make([3], 0, replace(SHAPE, log=0), config, tokenizer)
    found = losses(network, blank, None, None, torch.Generator())
    found.total.backward()
    assert found.parts["answer"] != found.parts["answer"]
    assert network.before.weight.grad is None
    assert network.encoder.heads["light"].weight.grad is not None  # type: ignore[union-attr]


def recipe(out: Path, **fields: int) -> Recipe:
    small = {
        "drives": 1,
        "pool": 2,
        "worded": 2,
        "asked": 2,
        "log": 64,
        "recall": 64,
        "look_steps": 1,
        "recall_steps": 1,
        "warmup": 2,
    }
    return Recipe(out=out, processes=1, **(small | fields))


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = Trainer(recipe(tmp_path / "whole", steps=4), 0)
    cut = recipe(tmp_path / "cut", steps=4, save_every=2)
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    whole.run()
    first = Trainer(cut, 0)
    first.recipe = cut.model_copy(update={"steps": 2})
    first.network.train()
    for step in range(2):
        first._update(step)
        first.step = step + 1
    first._save()
    second = Trainer(cut, 0)
    assert second.step == 2
    second.run()
    for name, tensor in whole.network.state_dict().items():
        assert torch.allclose(tensor.float(), second.network.state_dict()[name].float(), atol=1e-5), name
    with (tmp_path / "whole" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]


def test_the_rate_rises_and_falls() -> None:
    made = Recipe(steps=100, warmup=10)
    factors = [progress_factor(made, step) for step in range(100)]
    assert factors[0] == 0.1
    assert max(factors) == factors[10] == 1.0
    assert factors[-1] < 0.02


def test_training_never_leaves_its_seeds() -> None:
    with pytest.raises(ValueError, match="for training"):
        Recipe(first_drive=TRAINING_SEEDS - 10, pool=11)


def test_all_drives_of_the_pool_come_before_one_comes_again() -> None:
    made = Recipe(pool=12, first_drive=100, drives=3, processes=2)
    first = [seed for step in range(2) for process in range(2) for seed in made.seeds(step, process)]
    assert sorted(first) == [*range(100, 112)]


def test_all_that_there_is_to_say_is_worded(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    made = wording(5, 400, config, tokenizer)
    topics = {tokenizer.topic(ids) for ids in made.claims.tolist()}
    assert len(topics) > 0.9 * len(TOPICS)
    assert torch.equal(made.claims[:, 0], made.answer[:, 0])


def test_logs_grow_unless_they_are_long_from_the_beginning() -> None:
    growing, long = Recipe(steps=120, look_steps=0), Recipe(steps=120, look_steps=0, log_grows=False)
    assert [growing.log_length(step) for step in (0, 117)] == [64, 640]
    assert [long.log_length(step) for step in (0, 1, 2)] == [640, 960, 1280]
    assert [long.drive_log_length(step) for step in (5, 6)] == [1280, 192]


def test_eyes_that_are_kept_do_not_change(data: Batch, config: NetworkConfig) -> None:
    network = Network(config).train()
    keep_eyes(network)
    before = {name: tensor.clone() for name, tensor in network.encoder.camera.state_dict().items()}
    losses(network, data, None, None, torch.Generator()).total.backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.encoder.camera.state_dict().items())
    assert all(parameter.grad is None for parameter in network.encoder.camera.parameters())
    assert network.encoder.image_tokens.weight.grad is not None


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_muon_takes_the_steps_of_torch(shape: tuple[int, int]) -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch.optim.Muon needs torch 2.9")
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
    optimizers = (Muon([ours], lr=0.1, weight_decay=0.1), torch.optim.Muon([theirs], lr=0.1, weight_decay=0.1))
    for _ in range(4):
        ours.grad = theirs.grad = torch.randn(shape)
        for optimizer in optimizers:
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=0.02)
