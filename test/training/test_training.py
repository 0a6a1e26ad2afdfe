"""Training in small: batches, losses, a run that resumes."""

from __future__ import annotations

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal

import pytest
import torch

from mm_edge.errors import UserError
from mm_edge.model.checkpoint import save
from mm_edge.model.encoders import SEEN_FACTS
from mm_edge.model.features import STATE_SIZE, Features
from mm_edge.model.network import WINDOW, Network, NetworkConfig
from mm_edge.model.policy import path
from mm_edge.model.tokenizer import EOS, Tokenizer
from mm_edge.training.batches import DRIVEN, IGNORE, PRESENT, Batch, BatchShape, batch, drive_on, joined, look
from mm_edge.training.finds import recall, wording
from mm_edge.training.gradients import Gradients, moved, tensors
from mm_edge.training.losses import apart, drive_losses, recall_losses, remembered, signal_losses
from mm_edge.training.muon import Muon
from mm_edge.training.recipe import TRAINING_SEEDS, Recipe
from mm_edge.training.run import run
from mm_edge.training.trainer import Trainer, keep_eyes, progress_factor, take_eyes
from mm_edge.world.grammar import TOPICS

SHAPE = BatchShape(moments=5, requests=4, finds=2, log=64)
SLOTS = NetworkConfig.history_slots
STATE = tuple(f"state.{layer}.{name}" for layer in (0, 2) for name in ("weight", "bias"))


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> NetworkConfig:
    return NetworkConfig(len(tokenizer), len(tokenizer.marks), d=32, layers=2, heads=4, conv=4)


def make(seeds: list[int], visit: int, shape: BatchShape, config: NetworkConfig, tokenizer: Tokenizer) -> Batch:
    return batch(lambda seed: look(seed, shape.moments, SLOTS, tokenizer), seeds, visit, shape, config, tokenizer)


@pytest.fixture(scope="module")
def data(tokenizer: Tokenizer, config: NetworkConfig) -> Batch:
    return make([17, 4], 3, SHAPE, config, tokenizer)


def total(parts: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([*parts.values()]).sum()


def test_a_batch_follows_from_its_seeds(data: Batch, tokenizer: Tokenizer, config: NetworkConfig) -> None:
    again = make([17, 4], 3, SHAPE, config, tokenizer)
    assert torch.equal(data.seen.senses.image, again.seen.senses.image)
    assert torch.equal(data.requests[0].ids, again.requests[0].ids)
    assert torch.equal(data.log, again.log)


def test_a_drive_comes_again_with_other_questions(data: Batch, tokenizer: Tokenizer, config: NetworkConfig) -> None:
    again = make([17, 4], 4, SHAPE, config, tokenizer)
    assert torch.equal(data.seen.senses.state, again.seen.senses.state)
    assert not torch.equal(data.seen.senses.image, again.seen.senses.image)  # it moved a little
    assert not torch.equal(data.log, again.log)


def test_every_moment_is_asked_for_all_that_its_scene_shows(data: Batch, tokenizer: Tokenizer) -> None:
    assert data.finds is not None
    each = len(PRESENT) + 2 + SHAPE.finds
    assert data.finds.of.tolist() == [moment for moment in range(2 * SHAPE.moments) for _ in range(each)]
    topics = [tokenizer.topic(ids) for ids in data.finds.asked[:each].tolist()]
    assert topics[: len(PRESENT)] == [*PRESENT]
    assert torch.equal(data.finds.stated[: len(PRESENT)], data.seen.stated[0])
    assert (data.finds.stated[len(PRESENT) : len(PRESENT) + 2] == EOS).all()


def test_requests_are_rows_of_a_moment_each(data: Batch) -> None:
    shorter, longer = data.requests
    assert shorter.ids.shape[1] <= longer.ids.shape[1]
    for requests in data.requests:
        assert requests.of.diff().ge(0).all()
        assert len(requests.of) == 2 * SHAPE.moments * SHAPE.requests // 2


def test_what_is_found_stands_in_the_log(tokenizer: Tokenizer) -> None:
    made = recall(6, 512, 128, tokenizer)
    names = set(tokenizer.names)
    for of, stated in zip(made.finds.of.tolist(), made.finds.stated.tolist(), strict=True):
        assert names & set(stated) <= set(made.log[of].tolist())


def test_logs_of_recall_have_no_filling(tokenizer: Tokenizer) -> None:
    made = recall(5, 256, 64, tokenizer)
    assert not (made.log[:, WINDOW:] == EOS).any()
    assert int(made.finds.of.max()) == 3


def test_targets_are_within_their_facts(data: Batch) -> None:
    assert data.seen.facts.keys() == SEEN_FACTS.keys()
    for name, target in data.seen.facts.items():
        assert ((target == IGNORE) | ((target >= 0) & (target < len(SEEN_FACTS[name])))).all()


def test_nothing_of_another_drive_is_remembered(data: Batch, config: NetworkConfig) -> None:
    first_of_second = SHAPE.moments
    network = Network(config).eval()
    history, hidden = remembered(network, network.encoder(data.seen.senses).summary, data.seen.recalled)
    assert data.seen.recalled[first_of_second] == 0
    assert hidden[first_of_second, : config.history_slots].all()
    assert (history[first_of_second] == 0).all()


def test_logs_alone_teach_the_trunk_alone(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config)
    recall_losses(network, recall(5, 128, 64, tokenizer))["recalled"].backward()
    assert network.before.weight.grad is not None
    assert all(parameter.grad is None for parameter in network.encoder.parameters())


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
    found = total(drive_losses(Network(config), blind, torch.Generator()))
    found.backward()
    assert torch.isfinite(found)


def test_where_nothing_is_asked_only_what_looks_learns(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config)
    blank = make([3], 0, replace(SHAPE, log=0), config, tokenizer)
    found = drive_losses(network, blank, torch.Generator())
    total(found).backward()
    assert "found" not in found
    assert network.before.weight.grad is None
    assert network.encoder.heads["light"].weight.grad is not None  # type: ignore[union-attr]


def test_of_sights_in_which_nothing_is_asked_the_path_alone_learns(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    network = Network(config).train()
    keep_eyes(network)
    blank = make([3], 0, replace(SHAPE, log=0), config, tokenizer)
    assert isinstance(blank.seen.senses, Features)
    sights = replace(blank, seen=replace(blank.seen, senses=network.encoder.sense(blank.seen.senses)))
    total(drive_losses(network, sights, torch.Generator())).backward()
    learns = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
    assert all(name.startswith("policy.") for name in learns)


def test_of_drives_of_which_signals_alone_are_known_the_guesses_learn(config: NetworkConfig) -> None:
    network = Network(config).train()
    driven = joined([drive_on(seed, config.history_slots) for seed in (3, 4)])
    assert driven.state.shape == (2 * DRIVEN, STATE_SIZE)
    assert driven.actions.shape == (2 * DRIVEN, 8, 2)
    total(signal_losses(network, driven)).backward()
    learns = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[0] for name in learns} == {"course", "encoder"}
    assert {name for name in learns if name.startswith("encoder.")} == {
        f"encoder.{name}" for name in ("course.weight", "course.bias", *STATE)
    }


def test_a_drive_without_pictures_is_the_one_with_them(tokenizer: Tokenizer) -> None:
    seen, driven = look(5, DRIVEN, SLOTS, tokenizer), drive_on(5, SLOTS)
    assert isinstance(seen.senses, Features)
    assert torch.allclose(seen.senses.state, driven.state)
    assert torch.equal(seen.actions.nan_to_num(), driven.actions.nan_to_num())


def test_metres_apart_are_those_of_two_paths() -> None:
    one, other, speed = torch.zeros(2, 8, 2), torch.zeros(2, 8, 2), torch.tensor([12.0, 0.0])
    one[0, :, 0], one[1, :, 0] = 0.2, -1.0
    metres = (path(one, speed) - path(other, speed)).norm(dim=-1).mean(1)
    assert torch.allclose(apart(one, other, speed), metres, atol=1e-2)
    assert metres[1] == 0, "what stands does not brake"


def recipe(out: Path, **fields: float) -> Recipe:
    small = {
        "drives": 1,
        "pool": 2,
        "requests": 2,
        "finds": 2,
        "log": 64,
        "recall": 64,
        "look_steps": 1,
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
    for given in islice(first._given(), 2):
        first.update(*given)
        first.step += 1
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


def test_a_run_ends_in_time(tmp_path: Path) -> None:
    short = Trainer(recipe(tmp_path, steps=50, minutes=1e-6), 0)
    short.run()
    assert short.step == 1
    assert (tmp_path / "weights.safetensors").exists()
    assert progress_factor(short.recipe, 20, passed=1.0) < 0.02
    with pytest.raises(ValueError, match="1 process"):
        Recipe(minutes=3, processes=2)


def test_training_never_leaves_its_seeds() -> None:
    with pytest.raises(ValueError, match="for training"):
        Recipe(first_drive=TRAINING_SEEDS - 10, pool=11)


def test_all_drives_of_the_pool_come_before_one_comes_again() -> None:
    made = Recipe(pool=12, first_drive=100, drives=3, processes=2)
    first = [seed for step in range(2) for process in range(2) for seed in made.seeds(step, process)]
    assert sorted(first) == [*range(100, 112)]


def test_every_worker_has_drives_of_its_own() -> None:
    made = Recipe(pool=12, drives=2, processes=1, workers=3)
    of_worker = [{seed for step in range(worker, 12, 3) for seed in made.seeds(step, 0)} for worker in range(3)]
    assert [len(seeds) for seeds in of_worker] == [4, 4, 4]
    assert set.union(*of_worker) == {*range(12)}


@pytest.mark.parametrize("learns", ["path", "speech"])
def test_workers_have_no_eyes(learns: Literal["path", "speech"]) -> None:
    with pytest.raises(ValueError, match="0 workers"):
        Recipe(learns=learns, workers=2)


def test_one_process_trains_on_a_gpu() -> None:
    with pytest.raises(ValueError, match="one process"):
        Recipe(device="cuda", processes=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_where_there_is_no_gpu_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no GPU"):
        run(Recipe(out=tmp_path, device="cuda", processes=1))


def test_batches_of_workers_are_those_of_the_process_itself(tmp_path: Path) -> None:
    alone, helped = (Trainer(recipe(tmp_path, steps=2, look_steps=0, workers=workers), 0) for workers in (0, 1))
    for own, made in zip(alone._given(), helped._given(), strict=True):
        for one, other in zip(tensors(own), tensors(moved(made, "cpu")), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_eyes_of_another_rung_see_the_same(data: Batch, config: NetworkConfig, tmp_path: Path) -> None:
    words = Tokenizer(["a", "@0"])
    first, wider = (Network(replace(config, vocabulary=len(words), marks=1, d=d)) for d in (32, 48))
    save(tmp_path / "w.safetensors", first.state_dict(), first.config, words)
    take_eyes(wider, tmp_path / "w.safetensors")
    seen = [network.eval().encoder(data.seen.senses).course for network in (first, wider)]
    assert torch.allclose(*seen, atol=0.05)  # matrices are kept in half precision
    with pytest.raises(UserError, match="another size"):
        take_eyes(Network(replace(wider.config, conv=8)), tmp_path / "w.safetensors")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_recorded_gradients_are_the_same(data: Batch, config: NetworkConfig) -> None:
    def quiet(parts: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: part for name, part in parts.items() if name != "action"}  # that one draws random numbers

    with torch.device("cuda"):
        network = Network(config)
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        add = Gradients(
            lambda given: total({k: v for k, v in drive_losses(network, given, None).items() if k != "action"})
        )
        found = []
        for _ in range(3):  # as it is, recorded, and replayed once more
            network.zero_grad(set_to_none=False)
            add(moved(data, "cuda"))
            found.append(network.before.weight.grad.clone())
    assert torch.allclose(found[0], found[1], atol=1e-5)
    assert torch.allclose(found[0], found[2], atol=1e-5)


def test_all_that_there_is_to_say_is_worded(tokenizer: Tokenizer, config: NetworkConfig) -> None:
    made = wording(5, 400, config, tokenizer)
    topics = {tokenizer.topic(ids) for ids in made.claims.tolist()}
    assert len(topics) > 0.9 * len(TOPICS)
    assert torch.equal(made.claims[:, 0], made.answer[:, 0])


def test_logs_grow_unless_they_are_long_from_the_beginning() -> None:
    growing, long = Recipe(steps=120, look_steps=0), Recipe(steps=120, look_steps=0, log_grows=False)
    assert [growing.log_length(step) for step in (0, 18, 117)] == [64, 144, 576]
    assert [long.log_length(step) for step in (0, 1, 2)] == [576, 864, 1152]
    assert [long.drive_log_length(step) for step in (5, 6)] == [1152, 192]


def test_eyes_that_are_kept_do_not_change(data: Batch, config: NetworkConfig) -> None:
    network = Network(config).train()
    keep_eyes(network)
    before = {name: tensor.clone() for name, tensor in network.encoder.camera.state_dict().items()}
    total(drive_losses(network, data, torch.Generator())).backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.encoder.camera.state_dict().items())
    assert all(parameter.grad is None for parameter in network.encoder.camera.parameters())
    assert network.encoder.image_tokens.weight.grad is not None


def test_a_sight_is_as_good_as_what_was_seen(data: Batch, config: NetworkConfig) -> None:
    encoder = Network(config).eval().encoder
    assert isinstance(data.seen.senses, Features)
    again, whole = encoder(encoder.sense(data.seen.senses)), encoder(data.seen.senses)
    assert torch.equal(again.tokens, whole.tokens)
    assert torch.equal(again.summary, whole.summary)


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
