"""How wording is learnt: masks, mistakes and corrections, word by word, out of noise; and nothing else with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import log
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mm_edge.model.checkpoint import save
from mm_edge.model.flow import clock
from mm_edge.model.network import Network, NetworkConfig
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer
from mm_edge.training import speech, trainer
from mm_edge.training.finds import Wording, wording
from mm_edge.training.losses import WEIGHTS
from mm_edge.training.recipe import Recipe
from mm_edge.training.speech import (
    FILLING,
    KEEPING,
    MISTAKEN,
    edit_loss,
    filling,
    mask_some,
    mistake_some,
    semigroup_loss,
    speech_losses,
    wording_losses,
)
from mm_edge.training.trainer import SPEAKING, Trainer, only_speech

PARTS = {"worded", "edited", "followed", "flowed", "mapped"}
V, CLOCK = 9, clock(9, 6)


@pytest.fixture(scope="module")
def config(tokenizer: Tokenizer) -> NetworkConfig:
    return NetworkConfig(len(tokenizer), len(tokenizer.marks), d=32, layers=2, heads=4, conv=4)


@pytest.fixture(scope="module")
def words(tokenizer: Tokenizer, config: NetworkConfig) -> Wording:
    return wording(3, 12, config, tokenizer)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_masks_and_their_weights() -> None:
    masked, weight = mask_some(torch.zeros(4000, 16), seeded())
    whole = masked.all(1).float().mean()
    assert 0.38 < whole < 0.47
    assert ((weight >= 1) & (weight <= 4)).all()
    assert (weight[masked.all(1)] < 4).any()


def test_only_what_follows_the_end_is_filling() -> None:
    assert filling(torch.tensor([[5, EOS, EOS, EOS]])).tolist() == [[False, False, True, True]]


def test_some_words_are_mistaken_for_others_that_are_said() -> None:
    answer = torch.arange(4000 * 16).view(4000, 16) + MASK + 1
    mistaken = mistake_some(answer, seeded())
    wrong = (mistaken != answer).float()
    assert float(wrong.mean()) == pytest.approx(MISTAKEN / 2, abs=0.01)
    assert wrong.mean(1).max() <= 3 * MISTAKEN
    assert not (mistaken == MASK).any()
    elsewhere = (mistaken == answer.roll(1, 0)).float().mean()
    assert float(elsewhere) == pytest.approx(MISTAKEN / 4, abs=0.01), (
        "half of them are what another sentence says there"
    )


def test_a_word_counts_by_what_the_draft_has_in_its_place() -> None:
    answer = torch.tensor([[5, 6, 7, EOS, EOS]])
    draft = torch.tensor([[5, 8, MASK, EOS, MASK]])
    logits = torch.zeros(1, 5, V)  # every word costs the same
    right, wrong, masked, end, after = KEEPING, 1.0, 3.0, KEEPING, FILLING * 3.0
    found = edit_loss(logits, draft, answer, torch.tensor([[3.0]]))
    assert float(found) == pytest.approx(log(V) * (right + wrong + masked + end + after) / 3)


def test_what_is_corrected_counts_as_it_is_now(monkeypatch: pytest.MonkeyPatch, words: Wording) -> None:
    """The second loss is of what the first pass filled in: right words are to stay, wrong ones to be corrected."""
    given: list[Tensor] = []
    judged: list[Tensor] = []

    class Says(torch.nn.Module):
        def answer(self, ids: Tensor, style: Tensor, claims: object) -> Tensor:
            given.append(ids)
            return 50.0 * torch.nn.functional.one_hot(words.answer, int(words.answer.max()) + 1).float()

    def noted(logits: Tensor, draft: Tensor, answer: Tensor, weight: Tensor) -> Tensor:
        judged.append(draft)
        return edit_loss(logits, draft, answer, weight)

    monkeypatch.setattr(speech, "edit_loss", noted)
    first, second = speech._draft_losses(Says(), words, None, seeded())  # type: ignore[arg-type]
    draft, better = given
    assert torch.equal(judged[0], draft)
    assert torch.equal(judged[1], better)
    assert torch.equal(better[draft != MASK], draft[draft != MASK])
    filled = (draft == MASK) & (better != MASK)
    assert torch.equal(better[filled], words.answer[filled])
    assert 0.7 < filled.sum() / (draft == MASK).sum() < 0.9
    assert float(first + second) == pytest.approx(0, abs=1e-6), "it is always right"


Flow = speech.Flow


def constant(logits: Tensor) -> Flow:
    """Whatever the noise and the time, the same words."""
    return lambda noisy, now, then: (logits, torch.zeros(noisy.shape))


def halves(now: float, then: float) -> tuple[Tensor, Tensor, Tensor]:
    begin, end = torch.full((2, 3), now), torch.full((2, 3), then)
    return begin, (begin + end) / 2, end


@pytest.mark.parametrize(("now", "then"), [(0.0, 1.0), (0.2, 0.6), (0.5, 0.5)])
def test_two_halves_that_say_the_same_as_the_whole_cost_nothing(now: float, then: float) -> None:
    loss = semigroup_loss(constant(torch.randn(2, 3, V)), torch.randn(2, 3, 6), halves(now, then), CLOCK)
    assert loss.shape == (2, 3)
    assert torch.allclose(loss, torch.zeros(2, 3), atol=1e-5)


def test_a_whole_way_that_says_something_else_than_its_halves_costs() -> None:
    sharp = torch.randn(2, 3, V)

    def flow(noisy: Tensor, now: Tensor, then: Tensor) -> tuple[Tensor, Tensor]:
        return sharp * (1 + (then - now)[..., None]), torch.zeros(noisy.shape)

    assert semigroup_loss(flow, torch.randn(2, 3, 6), halves(0.1, 0.9), CLOCK).gt(1e-4).all()


def test_the_second_half_begins_where_the_first_one_led() -> None:
    asked: list[tuple[Tensor, Tensor, Tensor]] = []
    mean = torch.randn(2, 3, 6)

    def flow(noisy: Tensor, now: Tensor, then: Tensor) -> tuple[Tensor, Tensor]:
        asked.append((noisy, now, then))
        return torch.zeros(2, 3, V), mean

    noisy, (now, middle, then) = torch.randn(2, 3, 6), halves(0.2, 0.8)
    semigroup_loss(flow, noisy, (now, middle, then), CLOCK)
    (first, *_), (second, *rest), (whole, *ends) = asked
    assert torch.equal(first, noisy)
    assert torch.equal(whole, noisy)
    assert torch.equal(torch.stack(rest), torch.stack([middle, then]))
    assert torch.equal(torch.stack(ends), torch.stack([now, then]))
    shares = (second - noisy) / (mean - noisy)
    assert shares.std() < 1e-3, "on the line to the mean"
    assert 0 < shares.mean() < 1


def test_halves_are_the_teacher_and_do_not_learn() -> None:
    learnt = [torch.randn(2, 3, V, requires_grad=True) for _ in range(3)]
    left: Iterator[Tensor] = iter(learnt)

    def flow(noisy: Tensor, now: Tensor, then: Tensor) -> tuple[Tensor, Tensor]:
        return next(left), torch.zeros(noisy.shape)

    semigroup_loss(flow, torch.randn(2, 3, 6), halves(0.1, 0.9), CLOCK).sum().backward()
    assert [logits.grad is not None for logits in learnt] == [False, False, True]


def test_all_ways_of_wording_are_learnt_at_once(config: NetworkConfig, words: Wording) -> None:
    network = Network(config)
    parts = speech_losses(network, words, seeded())
    assert parts.keys() == PARTS <= WEIGHTS.keys()
    for name, part in parts.items():
        assert torch.isfinite(part), name
        assert part >= 0 or name == "mapped"
    again = speech_losses(network, words, seeded())
    assert all(torch.equal(part, again[name]) for name, part in parts.items())


@pytest.mark.parametrize("part", sorted(PARTS))
def test_every_way_teaches_adapters_alone_where_the_rest_stays(
    config: NetworkConfig, words: Wording, part: str
) -> None:
    torch.manual_seed(0)
    network = Network(config).requires_grad_(False)
    for block in network.blocks:
        torch.nn.init.normal_(block.out.weight, std=0.1)  # type: ignore[union-attr]
        torch.nn.init.normal_(block.down.weight, std=0.1)  # type: ignore[union-attr]
    network.steps.requires_grad_(True)
    speech_losses(network, words, seeded())[part].backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[1] for name in gradients} == {"word"}
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    assert any(gradient.any() for gradient in gradients.values())


def test_masked_words_alone_are_the_same_kind_of_loss(config: NetworkConfig, words: Wording) -> None:
    parts = wording_losses(Network(config), words, seeded())
    assert parts.keys() == {"worded"}
    assert torch.isfinite(parts["worded"])


def test_what_speech_does_not_need_has_no_gradient(config: NetworkConfig, words: Wording, tokenizer: Tokenizer) -> None:
    network = Network(config)
    only_speech(network, None, tokenizer)
    torch.stack([*speech_losses(network, words, seeded()).values()]).sum().backward()
    learnt = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert learnt
    assert all(name.startswith((*SPEAKING, "words.", "unsaid")) for name in learnt)


# -- a run ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights to begin with, which lack one spoken word and one that is only heard."""
    marks = set(tokenizer.marks)
    spoken = [word for word in tokenizer.spoken if word != NEW_SPOKEN]
    fewer = Tokenizer(spoken, [word for word in tokenizer.heard if word != NEW_HEARD], tokenizer.sentences[:1])
    config = NetworkConfig(len(fewer), len(marks))
    path = tmp_path_factory.mktemp("known") / "w.safetensors"
    torch.manual_seed(1)
    save(path, Network(config).state_dict(), config, fewer)
    return path


NEW_SPOKEN, NEW_HEARD = "record", "summarise"


@pytest.fixture(scope="module")
def trained(
    known: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> tuple[dict[str, Tensor], Trainer]:
    """The weights before a step of the speech, and the trainer after it."""
    small = {"steps": 2, "warmup": 0, "look_steps": 0, "drives": 1, "pool": 1, "requests": 2, "drive_log": 64}
    recipe = Recipe(
        out=tmp_path_factory.mktemp("out"), begin=known, learns="speech", processes=1, wordings=4, decay=0.0,
        log=64, **small,
    )  # fmt: skip
    made = Trainer(recipe, 0)
    before = {name: tensor.clone() for name, tensor in made.network.state_dict().items()}
    for given in islice(made._given(), 1):
        made.update(*given)
    return before, made


def changed(trained: tuple[dict[str, Tensor], Trainer]) -> set[str]:
    before, made = trained
    return {name for name, tensor in made.network.state_dict().items() if not torch.equal(tensor, before[name])}


def test_speech_learns_what_its_steps_have_for_themselves(trained: tuple[dict[str, Tensor], Trainer]) -> None:
    names = changed(trained)
    assert {name.split(".")[0] for name in names} >= {"steps", "in_turn", "flow_time", "asking", "claim_place"}
    assert {name for name in names if not name.startswith((*SPEAKING, "words.", "unsaid"))} == set()


@pytest.mark.parametrize("name", ["words.weight", "unsaid"])
def test_of_the_words_only_new_ones_learn(trained: tuple[dict[str, Tensor], Trainer], name: str) -> None:
    before, made = trained
    after, tokens = made.network.state_dict()[name], made.tokenizer.tokens
    rows = [row for row in range(len(after)) if not torch.equal(after[row], before[name][row])]
    assert {tokens[row] for row in rows} <= {NEW_SPOKEN, NEW_HEARD}
    assert NEW_SPOKEN in {tokens[row] for row in rows}


def test_a_recipe_of_speech_needs_no_logs_to_find_in(trained: tuple[dict[str, Tensor], Trainer]) -> None:
    _, made = trained
    drives, logs, words = next(iter(made._given()))
    assert drives.finds is None
    assert logs is None
    assert words is not None
    assert len(words.claims) == made.recipe.wordings


def test_trainer_names_what_speech_learns() -> None:
    parameters = {name for name, _ in Network(NetworkConfig(vocabulary=60, marks=10)).named_parameters()}
    assert all(any(name.startswith(part) for name in parameters) for part in trainer.SPEAKING)
