"""Sentences on the engine: alone or several at once, at once or word by word, they are the network's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mm_edge.engine.base import Context
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.engine.torch_runner import TorchRunner
from mm_edge.model.graphs import SENTENCES
from mm_edge.model.network import BEGIN, Network, NetworkConfig
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer

TOKENIZER = Tokenizer([*(f"word{n}" for n in range(20)), "@0", "=0"])
CONFIG = NetworkConfig(len(TOKENIZER), 2, d=32, layers=2, heads=4, conv=4, answer_length=6, log_length=64)
COUNTS = pytest.mark.parametrize("count", range(1, SENTENCES + 1))


def made() -> Network:
    """As if trained: nothing is zero any more."""
    torch.manual_seed(0)
    network = Network(CONFIG)
    for parameter in network.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network() -> Network:
    merged = made()
    merged.merge(TOKENIZER.first_spoken)
    return merged


@pytest.fixture(scope="module")
def engine() -> GraphEngine:
    return GraphEngine(CONFIG, TOKENIZER, TorchRunner(made(), TOKENIZER.first_spoken, torch.device("cpu")))


def claims(count: int) -> list[list[int]]:
    return torch.randint(40, 60, (count, 4), generator=torch.Generator().manual_seed(1)).tolist()


def answers(count: int) -> Tensor:
    return torch.randint(40, 60, (count, CONFIG.answer_length), generator=torch.Generator().manual_seed(2))


def word_by_word(engine: GraphEngine, ids: Tensor, contexts: list[Context]) -> Tensor:
    last, said, made = torch.full((len(ids),), BEGIN), None, []
    for place in range(ids.shape[1]):
        logits, said = engine.follow(last, contexts, said)
        made.append(logits)
        last = ids[:, place]
    return torch.stack(made, 1)


@COUNTS
def test_what_is_told_is_what_the_network_makes_of_it(network: Network, engine: GraphEngine, count: int) -> None:
    contexts = engine.tell(claims(count), 3)
    assert [context.style for context in contexts] == [3] * count
    expected = network.word(torch.tensor(claims(count)))
    assert torch.allclose(torch.stack([context.stated for context in contexts]), expected, atol=1e-5)


@COUNTS
def test_several_sentences_in_a_pass_are_each_as_alone(network: Network, engine: GraphEngine, count: int) -> None:
    contexts, ids = engine.tell(claims(count), 2), answers(count)
    together = engine.decode(ids, contexts)
    assert together.shape == (count, CONFIG.answer_length, len(TOKENIZER.sayable))
    for row in range(count):
        alone = engine.decode(ids[row : row + 1], contexts[row : row + 1])
        assert torch.allclose(together[row], alone[0], atol=1e-4)
    told = network.word(torch.tensor(claims(count)))
    assert torch.allclose(together, network.answer(ids, torch.full((count,), 2), told), atol=1e-4)


@COUNTS
def test_word_by_word_is_what_a_check_sees_at_once(engine: GraphEngine, count: int) -> None:
    contexts, ids = engine.tell(claims(count), 2), answers(count)
    followed = word_by_word(engine, ids, contexts)
    for row in range(count):
        assert torch.allclose(followed[row], engine.verify(ids[row], contexts[row]), atol=1e-4)


def test_a_step_of_the_flow_is_the_networks(network: Network, engine: GraphEngine) -> None:
    (context,), ids = engine.tell(claims(1), 2), answers(1)
    noisy = torch.randn(CONFIG.answer_length, engine.width, generator=torch.Generator().manual_seed(0))
    now, then = torch.tensor([0, 0, 0.2, 0.5, 1, 1]), torch.tensor([0.5, 1, 0.2, 1, 1, 1])
    logits, later = engine.flow(noisy, ids[0], now, then, context)
    told = network.word(torch.tensor(claims(1)))
    expected, mean = network.flow(noisy[None], ids, now[None], then[None], torch.tensor([2]), told)
    assert torch.allclose(logits, expected[0], atol=1e-4)
    assert torch.allclose(later[2], noisy[2], atol=1e-4), "it stays where it is"
    assert torch.allclose(later[[1, 3]], mean[0, [1, 3]], atol=1e-3), "all the way"
    halfway = (later[0] - noisy[0]) / (mean[0, 0] - noisy[0])
    assert torch.allclose(halfway, halfway.mean().expand(engine.width), atol=1e-2), "on the line between"


@pytest.mark.parametrize("count", [0, SENTENCES + 1])
def test_no_sentence_or_too_many_are_refused(engine: GraphEngine, count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} sentences"):
        engine.tell(claims(count), 1)
    with pytest.raises(ValueError, match=f"{count} sentences"):
        engine.decode(answers(count), [Context(torch.zeros(0), 1)] * count)


class Ending:
    """A runner that says of every word of a row that it is the end from the given place on, and notes what it ran."""

    name, device = "ending/fp32", torch.device("cpu")

    def __init__(self, ends: list[int]) -> None:
        self.ends, self.ran = ends, []

    def run(self, graph: str, *inputs: Tensor) -> tuple[Tensor, ...]:
        self.ran.append(graph)
        ids = inputs[0]
        logits = torch.zeros(*ids.shape, len(TOKENIZER.sayable))
        logits[..., 20] = 1.0
        for row, style in zip(logits, inputs[1].tolist(), strict=True):
            row[self.ends[style] :, EOS] = 2.0
        return (logits,)


@pytest.mark.parametrize(
    ("ends", "ran"),
    [
        ([4], ["decode_short"]),
        ([11], ["decode_short", "decode"]),
        ([15], ["decode_short", "decode"]),
        ([4, 6], ["decodes_short"]),
        ([4, 15], ["decodes_short", "decode"]),
        ([15, 4, 16], ["decodes_short", "decodes"]),
    ],
)
def test_a_sentence_that_does_not_end_in_the_short_block_is_made_in_the_long_one(
    ends: list[int], ran: list[str]
) -> None:
    runner = Ending(ends)
    engine = GraphEngine(replace(CONFIG, answer_length=20), TOKENIZER, runner)
    contexts = [Context(torch.zeros(4, 32), row) for row in range(len(ends))]
    logits = engine.decode(torch.full((len(ends), 20), MASK), contexts)
    assert runner.ran == ran
    assert logits.shape == (len(ends), 20, len(TOKENIZER.sayable))
    said = logits.softmax(-1).argmax(-1) == EOS
    assert said.long().argmax(1).tolist() == ends
    assert said.sum(1).tolist() == [20 - end for end in ends]


def test_words_behind_the_short_block_are_looked_at() -> None:
    engine = GraphEngine(replace(CONFIG, answer_length=20), TOKENIZER, Ending([4]))
    context = Context(torch.zeros(4, 32), 0)
    ids = torch.full((1, 20), MASK)
    ids[0, 14:] = EOS
    engine.decode(ids, [context])
    ids[0, 13] = 50
    engine.decode(ids, [context])
    assert engine.runner.ran == ["decode_short", "decode"]
