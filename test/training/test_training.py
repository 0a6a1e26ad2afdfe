"""Training in small: batches, losses, a run that resumes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mm_edge.model.encoders import SEEN_FACTS
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.batches import IGNORE, Batch, BatchShape, batch, recall
from mm_edge.training.losses import filling, losses, mask_some, remembered
from mm_edge.training.recipe import TRAINING_SEEDS, Recipe
from mm_edge.training.trainer import Trainer, new_tokenizer, progress_factor

SHAPE = BatchShape(drives=2, moments=5, turns=6, bare=3, log=64)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return new_tokenizer()


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> NetworkConfig:
    return NetworkConfig(len(tokenizer), len(tokenizer.marks), d=32, layers=2, heads=4, conv=4)


@pytest.fixture(scope="module")
def data(tokenizer: Tokenizer, config: NetworkConfig) -> Batch:
    return batch(17, SHAPE, config, tokenizer)


def test_a_batch_follows_from_its_seed(data: Batch, tokenizer: Tokenizer, config: NetworkConfig) -> None:
    again = batch(17, SHAPE, config, tokenizer)
    assert torch.equal(data.observations.image, again.observations.image)
    assert torch.equal(data.turns.answer, again.turns.answer)
    assert torch.equal(data.log, again.log)


def test_targets_are_within_their_facts(data: Batch) -> None:
    assert data.facts.keys() == SEEN_FACTS.keys()
    for name, target in data.facts.items():
        assert ((target == IGNORE) | ((target >= 0) & (target < len(SEEN_FACTS[name])))).all()


def test_nothing_of_another_drive_is_remembered(data: Batch, config: NetworkConfig) -> None:
    first_of_second = SHAPE.moments
    history, hidden = remembered(Network(config).eval(), Network(config).eval().encoder(data.observations), data)
    assert data.recalled[first_of_second] == 0
    assert hidden[first_of_second, : config.history_slots].all()
    assert (history[first_of_second] == 0).all()


def test_logs_alone_teach_the_trunk_alone(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config)
    losses(network, None, recall(5, 128, 64, tokenizer), torch.Generator()).total.backward()
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
    nothing = torch.full_like(data.motion, IGNORE)
    blind = replace(
        data,
        facts={name: nothing for name in data.facts},
        gap=torch.full_like(data.gap, torch.nan),
        motion=nothing,
    )
    found = losses(Network(config), blind, None, torch.Generator())
    found.total.backward()
    assert torch.isfinite(found.total)


def test_without_turns_only_what_looks_learns(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config)
    found = losses(network, batch(3, replace(SHAPE, turns=0), config, tokenizer), None, torch.Generator())
    found.total.backward()
    assert found.parts["answer"] != found.parts["answer"]
    assert network.before.weight.grad is None
    assert network.encoder.heads["light"].weight.grad is not None  # type: ignore[union-attr]


def recipe(out: Path, **fields: int) -> Recipe:
    small = {
        "drives": 1,
        "turns": 4,
        "bare": 2,
        "log": 64,
        "recall": 64,
        "look_steps": 1,
        "recall_steps": 1,
        "warmup": 2,
    }
    return Recipe(out=out, processes=1, bfloat16=False, **(small | fields))


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
    made = Recipe(steps=TRAINING_SEEDS)
    with pytest.raises(ValueError, match="need more than"):
        made.first_seed(TRAINING_SEEDS // 4, 0)
