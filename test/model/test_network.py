"""The network's algebra, on random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mm_edge.model.block import Past
from mm_edge.model.checkpoint import CheckpointError, load, save
from mm_edge.model.distance import waves
from mm_edge.model.encoders import PERCEPT_TOKENS, SEEN_FACTS
from mm_edge.model.features import MEL_BANDS, MEL_FRAMES, SIGNALS, STATE_SIZE, features
from mm_edge.model.network import (
    ASKED,
    CLAIMS,
    HIDDEN,
    KV,
    STATED,
    WINDOW,
    Network,
    NetworkConfig,
    _all,
    spread,
)
from mm_edge.model.observation import Observation, VehicleState
from mm_edge.model.schema import BY_CAMERA
from mm_edge.model.tokenizer import MASK, Tokenizer

SMALL = NetworkConfig(vocabulary=60, marks=10, d=32, layers=2, heads=4, conv=4, history_slots=4)


@pytest.fixture
def network() -> Network:
    """Random, and no layer without effect as at the beginning of a training."""
    torch.manual_seed(0)
    network = Network(SMALL).eval().requires_grad_(False)
    for block in network.blocks:
        for last in (block.out, block.down):  # type: ignore[union-attr]
            nn.init.normal_(last.weight, std=0.1)
    for adapters in network.steps.values():
        for weight in (weight for adapter in adapters for weight in adapter.from_.parameters()):  # type: ignore[union-attr]
            nn.init.normal_(weight, std=0.1)
    nn.init.normal_(network.flow_time.weight, std=0.1)
    nn.init.normal_(network.in_turn, std=0.1)
    return network


def observation(**values: object) -> Observation:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return Observation(0, **({"image": picture, "audio": rng.normal(size=16_000).astype(np.float32)} | values))  # type: ignore[arg-type]


ZERO = torch.zeros(1)
START = torch.tensor([7.0])
STYLE = torch.ones(1, dtype=torch.long)


def turn(network: Network, slots: int = 4) -> Tensor:
    """A scene and, after it, words."""
    encoded = network.encoder(features([observation()]))
    history = torch.randn(1, slots, SMALL.d + SIGNALS)
    words = network.text(torch.tensor([[0] * WINDOW + [40, 41, 42]]))
    return torch.cat([network.scene(history, encoded.summary, encoded.tokens), words], 1)


def log(words: int = 12) -> Tensor:
    return torch.randint(3, 60, (1, WINDOW + words), generator=torch.Generator().manual_seed(1))


def past(cache: list[KV], hidden: int = 0) -> Past:
    """All of it but the first `hidden` slots."""
    bias = torch.zeros(1, cache[0][0].shape[2])
    bias[:, :hidden] = HIDDEN
    return Past(cache, bias)


def close(some: list[KV], others: list[KV]) -> bool:
    pairs = [pair for one, other in zip(some, others, strict=True) for pair in zip(one, other, strict=True)]
    return all(torch.allclose(one, other, atol=1e-5) for one, other in pairs)


def asked(topic: int = 7, about: int = 41) -> Tensor:
    return torch.tensor([[topic, about]])


def found(network: Network, *known: Past, start: Tensor = START) -> Tensor:
    return network.find(network.word(asked()), start, known)


def masked() -> Tensor:
    return torch.full((1, SMALL.answer_length), MASK)


def test_shapes(network: Network) -> None:
    encoded = network.encoder(features([observation(), observation(image=None)]))
    assert encoded.tokens.shape == (2, PERCEPT_TOKENS, SMALL.d)
    assert {name: tuple(logits.shape) for name, logits in encoded.facts.items()} == {
        name: (2, len(values)) for name, values in SEEN_FACTS.items()
    }
    assert found(network, past(network.read(turn(network), ZERO))).shape == (1, STATED, 60)
    claims = torch.randn(2, CLAIMS, SMALL.d)
    assert network.answer(masked().expand(2, -1), STYLE.expand(2), claims).shape == (2, SMALL.answer_length, 60)


def test_a_blind_course_is_that_without_camera_and_microphone(network: Network) -> None:
    blind = features([observation(image=None, audio=None)])
    assert torch.allclose(network.encoder.blind_course(blind.state), network.encoder(blind).course, atol=1e-6)


def test_reading_in_two_parts_is_reading_at_once(network: Network) -> None:
    whole = network.text(log())
    at_once = network.read(whole, ZERO)
    first = network.read(whole[:, :5], ZERO)
    second = network.read(whole[:, 5:], torch.tensor([5.0]), [past(first)])
    joined = [(torch.cat([a, c], 2), torch.cat([b, d], 2)) for (a, b), (c, d) in zip(first, second, strict=True)]
    assert close(at_once, joined)


def test_a_text_read_in_windows_is_the_text_read_at_once(network: Network) -> None:
    ids = log()
    assert torch.allclose(network.text(ids)[:, 5:], network.text(ids[:, 5:]), atol=1e-6)


def test_an_answer_is_that_of_claims_read_before_it(network: Network) -> None:
    """Claims see each other and nothing of the answer."""
    told, ids = torch.randn(1, CLAIMS, SMALL.d), masked()
    read = network._run(told + network.claim_place, torch.arange(CLAIMS), ZERO, [], _all(), "word").cache
    known = [Past(read, torch.zeros(1, CLAIMS))]
    answer = network.word(ids) + network.answer_place + network.answer_styles(STYLE)[:, None]
    states = network._run(answer, CLAIMS + torch.arange(ids.shape[1]), ZERO, known, _all(), "word").states
    assert torch.allclose(network.answer(ids, STYLE, told), network.say(states[-1]), atol=1e-5)


def test_finding_equals_one_full_pass(network: Network) -> None:
    words = network.text(log())
    n = words.shape[1]
    known = words + network.standing(waves(torch.arange(n)))
    queries = network.finding + network.word(torch.tensor([41])) + network.topic(network.word(torch.tensor([7])))
    mask = torch.full((n + STATED, n + STATED), HIDDEN).triu(1)
    mask[n:] = 0.0
    places = torch.cat([torch.arange(n), n + SMALL.turn_length + torch.arange(STATED)])
    ages = torch.cat([torch.arange(n), torch.full((STATED,), n)])
    states = network._run(torch.cat([known, queries[None]], 1), places, ages, [], mask).states
    cached = found(network, past(network.read(words, ZERO)), start=torch.tensor([float(n)]))
    assert torch.allclose(cached, network.say(states[-1][:, n:]), atol=1e-5)


def test_a_request_filled_up_asks_the_same(network: Network) -> None:
    known = [past(network.read(turn(network), ZERO))]
    ids, nothing = torch.tensor([[40, 41, 42]]), torch.zeros(1, 3)
    exact = network.understand(ids, START, known, nothing)
    filled = torch.cat([nothing, torch.full((1, 2), HIDDEN)], 1)
    understood = network.understand(torch.nn.functional.pad(ids, (0, 2)), START, known, filled)
    assert exact.shape == (1, ASKED, 60)
    assert torch.allclose(understood, exact, atol=1e-5)


def test_a_sure_claim_is_its_word(network: Network) -> None:
    logits = torch.full((1, CLAIMS, 60), -50.0)
    logits[..., 7] = 50.0
    assert torch.allclose(network.meant(logits), network.word(torch.full((1, CLAIMS), 7)), atol=1e-5)


def test_what_is_claimed_reaches_the_answer(network: Network) -> None:
    answers = [network.answer(masked(), STYLE, network.word(torch.full((1, CLAIMS), word))) for word in (7, 8)]
    assert not torch.allclose(*answers, atol=1e-3)


def follows(network: Network, ids: Tensor) -> Tensor:
    return network.follow(ids, STYLE, claims(network))[0]


def claims(network: Network) -> Tensor:
    return network.word(torch.tensor([[7, 41, 50, 0]]))


def sentence() -> Tensor:
    return torch.randint(3, 60, (1, SMALL.answer_length), generator=torch.Generator().manual_seed(2))


def test_words_said_one_by_one_are_those_said_at_once(network: Network) -> None:
    at_once = follows(network, sentence())
    logits, said = network.follow(sentence()[:, :1], STYLE, claims(network))
    for place, word in enumerate(sentence()[0]):
        if place:
            logits, new = network.go_on(word.view(1, 1), STYLE, torch.tensor([place]), past(said))
            said = [tuple(torch.cat(both, 2) for both in zip(*kv, strict=True)) for kv in zip(said, new, strict=True)]
        assert torch.allclose(logits[0, 0], at_once[0, place], atol=1e-4)


def test_a_word_sees_only_those_before_it(network: Network) -> None:
    ids = sentence()
    ids[0, 9] = 3 + (int(ids[0, 9]) - 2) % 57
    before, after = follows(network, sentence()), follows(network, ids)
    assert torch.equal(before[:, :9], after[:, :9])
    assert (before[:, 9:] - after[:, 9:]).abs().amax(-1).gt(1e-4).all()


def flows(network: Network, noisy: Tensor, ids: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    return network.flow(noisy, ids, now, torch.ones(now.shape), STYLE, claims(network))


def test_words_that_are_given_need_no_noise(network: Network) -> None:
    one, other = torch.randn(2, 1, SMALL.answer_length, SMALL.d)
    there = torch.ones(1, SMALL.answer_length)
    for first, second in zip(*(flows(network, noisy, sentence(), there) for noisy in (one, other)), strict=True):
        assert torch.equal(first, second)
    assert not torch.allclose(*(flows(network, noisy, sentence(), there * 0.5)[0] for noisy in (one, other)), atol=1e-3)


def test_words_that_are_not_given_are_not_looked_at(network: Network) -> None:
    noisy, half = torch.randn(1, SMALL.answer_length, SMALL.d), torch.full((1, SMALL.answer_length), 0.5)
    assert torch.equal(*(flows(network, noisy, ids, half)[0] for ids in (sentence(), masked())))


def test_where_a_flow_leads_is_told_as_noise_is(network: Network) -> None:
    logits, mean = flows(network, torch.randn(1, 20, SMALL.d), sentence(), torch.rand(1, 20))
    assert torch.allclose(mean @ network.noise()[0], network.meant(logits), atol=1e-3)


def test_how_far_a_flow_goes_counts(network: Network) -> None:
    noisy, half = torch.randn(1, 20, SMALL.d), torch.full((1, 20), 0.5)
    ends = [network.flow(noisy, sentence(), half, then, STYLE, claims(network))[0] for then in (half, half * 2)]
    assert not torch.allclose(*ends, atol=1e-3)


def test_a_fresh_network_copies_what_followed_the_latest_mention() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(vocabulary=90, marks=60, d=160, layers=1, conv=4)
    network, length = Network(config).eval().requires_grad_(False), 60
    ids = torch.randint(31, 90, (1, WINDOW + length))
    ids[0, WINDOW + torch.tensor([10, 30])] = 30
    known = past(network.read(network.text(ids), ZERO))
    x = network.word(torch.tensor([[30]]))
    state = network._run(x, torch.tensor([70.0]), torch.tensor([60.0]), [known], torch.zeros(1, 1, 1, 1))[0][-1][0, 0]
    size = config.code_length
    for behind in (1, 2, 3):
        copied = state[(WINDOW + behind) * size : (WINDOW + behind + 1) * size]
        likely = network.codes[:, :size] @ copied
        assert 30 + int(likely.argmax()) == int(ids[0, WINDOW + 30 + behind])


def test_codes_are_further_apart_than_random_ones() -> None:
    torch.manual_seed(0)
    codes = spread(264, 20)
    near = (codes @ codes.T / 20).fill_diagonal_(-1)
    assert near.max() < 0.5
    assert torch.allclose(codes.square().mean(1), torch.ones(264), atol=1e-4)


def test_the_context_does_not_see_what_follows(network: Network) -> None:
    whole = turn(network)
    changed = whole.clone()
    changed[:, -1] += 1.0
    for (k, _), (other, _) in zip(network.read(whole, ZERO), network.read(changed, ZERO), strict=True):
        assert torch.equal(k[:, :, :-1], other[:, :, :-1])


def test_only_distances_count_beside_where_a_word_is_told_to_stand(network: Network) -> None:
    network.standing.weight.zero_()
    early = found(network, past(network.read(network.text(log()), ZERO)), start=ZERO + 20)
    late = found(network, past(network.read(network.text(log()), ZERO + 100)), start=ZERO + 120)
    assert torch.allclose(early, late, atol=1e-4)


def test_a_hidden_slot_is_no_slot(network: Network) -> None:
    cache = network.read(turn(network), ZERO)
    shorter = [(k[:, :, 1:], v[:, :, 1:]) for k, v in cache]
    without = found(network, past(shorter))
    assert torch.allclose(found(network, past(cache, hidden=1)), without, atol=1e-5)


def test_one_past_in_two_parts_is_the_same_past(network: Network) -> None:
    cache = network.read(turn(network), ZERO)
    halves = [[(k[:, :, part], v[:, :, part]) for k, v in cache] for part in (slice(9), slice(9, None))]
    whole = found(network, past(cache))
    assert torch.allclose(whole, found(network, *(past(half) for half in halves)), atol=1e-5)


def test_one_past_serves_several_rows(network: Network) -> None:
    known = past(network.read(turn(network), ZERO))
    rows = torch.cat([asked(), asked(8, 50)])
    both = network.find(network.word(rows), START, [known])
    for row in range(2):
        assert torch.allclose(both[row], network.find(network.word(rows[row : row + 1]), START, [known])[0], atol=1e-5)


def test_a_lost_camera_says_nothing_about_the_scene(network: Network) -> None:
    blind = network.encoder(features([observation(image=None), observation(image=None, state=VehicleState(gear=4))]))
    seen = [index for index, name in enumerate(SEEN_FACTS) if name in BY_CAMERA]
    assert torch.equal(blind.tokens[0, seen], blind.tokens[1, seen])
    assert torch.isfinite(blind.tokens).all()


def test_too_long_a_history_is_refused(network: Network) -> None:
    with pytest.raises(ValueError, match="at most 4"):
        turn(network, slots=5)


@pytest.mark.parametrize(
    "seen",
    [
        Observation(0),
        observation(image=np.zeros((1, 1, 3), np.uint8)),
        observation(image=np.zeros((3, 2000, 3), np.uint8)),
        observation(audio=np.zeros(0, np.float32)),
        observation(state=VehicleState(speed_mps=1e30, gear=250)),
    ],
)
def test_anything_sensed_becomes_numbers(seen: Observation) -> None:
    made = features([seen])
    assert made.state.shape == (1, STATE_SIZE)
    assert made.sound.shape == (1, MEL_BANDS, MEL_FRAMES)
    assert all(torch.isfinite(tensor.float()).all() for tensor in (made.image, made.state, made.sound))


def test_weights_come_back(network: Network, tmp_path: Path) -> None:
    words = [f"word{n}" for n in range(60)]
    save(tmp_path / "w.safetensors", network.state_dict(), SMALL, Tokenizer(words))
    again, tokenizer = load(tmp_path / "w.safetensors")
    assert tokenizer.spoken == tuple(words)
    assert all(torch.allclose(t, again.state_dict()[name], atol=1e-2) for name, t in network.state_dict().items())
    save(tmp_path / "again.safetensors", again.state_dict(), SMALL, tokenizer)
    thrice, _ = load(tmp_path / "again.safetensors")
    assert all(torch.equal(t, thrice.state_dict()[name]) for name, t in again.state_dict().items())


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign", "renamed"])
def test_weights_that_cannot_be_used_are_named(network: Network, tmp_path: Path, damage: str) -> None:
    path, weights = tmp_path / "w.safetensors", network.state_dict()
    if damage == "renamed":
        weights["other"] = weights.pop("unsaid")
    if damage != "missing":
        save(path, weights, SMALL, Tokenizer(["a"]))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    if damage == "foreign":
        path.write_bytes(b"PK\x03\x04 a pickle")
    with pytest.raises(CheckpointError, match=r"w\.safetensors"):
        load(path)
