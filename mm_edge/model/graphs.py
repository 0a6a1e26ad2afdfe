"""The network cut into graphs of static shape: what an engine runs, and what is exported.

    encode      what the sensors show now            -> tokens, summary, pooled, facts, course
    read        the next CHUNK words of the log      -> their keys and values
    ask         QUESTIONS about the log              -> queries: what a compacted log has to serve
    skim        the words of a request               -> what is asked, and how surely
    understand  a request and the scene              -> what is asked
    find        what is asked, scene and log         -> what an answer states: its claims
    find_scene  what is asked and the scene          -> the same
    tell        what SENTENCES sentences state       -> the same for each of them
    decode      claims and an answer block           -> logits
    decodes     SENTENCES of them                    -> logits
    verify      an answer, each word by those before -> logits of what follows it
    begin       claims                               -> logits of the first word, keys and values of both
    begins      SENTENCES of them                    -> the same
    follow      the next word of an answer           -> logits, its keys and values
    follows     SENTENCES of them                    -> logits, their keys and values
    flow        an answer out of noise, from one time to another -> logits, where that leads
    look        history and percept: the scene       -> its keys and values, the trunk's states, and a better course
    steer       noisy actions, course and the states -> their velocity

Those in SHORT are there twice, once for what is no longer than that: most time goes by what is filled up. Batch size 1,
but for what is of several SENTENCES or QUESTIONS. A log has `log_length` slots for the words at its end, and before
them a memory whose slots are packed, `memory_length` for each head of a layer on average; a short one has none. A bias
hides those that are only filling, `start` is the place of a graph's first token. What is asked is asked from the place
0, where the scene stands. Knows nothing about who runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mm_edge.model.block import Past
from mm_edge.model.encoders import PERCEPT_TOKENS, SEEN_FACTS
from mm_edge.model.features import SIGNALS, Features, features
from mm_edge.model.flow import at, moved
from mm_edge.model.hints import pieces
from mm_edge.model.network import ASKED, BEGIN, CLAIMS, KV, WINDOW, Network, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.model.policy import QUERIES, STEPS
from mm_edge.model.tokenizer import MASK

GRAPHS = (
    "encode", "read", "ask", "skim", "understand_short", "understand", "find_scene", "find_short", "find", "tell",
    "decode_short", "decode", "decodes_short", "decodes", "verify", "begin", "begins", "follow", "follows", "flow",
    "look", "steer",
)  # fmt: skip
SHORT = {"understand": 12, "find": 128, "decode": 12, "decodes": 12}
"""Tokens of a request, a log or a sentence up to which it has a graph of its own, called "_short": most are no
longer. The network never saw a short block in training, but says the same in it, up to the end."""
CHUNK = 64
"""Words of the log that are read at once."""
QUESTIONS = 16
"""That are asked of the log at once."""
SENTENCES = 4
"""Of a longer answer, worded side by side."""
LOG_TENSORS = 5
"""Of each layer of a log with a memory."""
LIKELY = 2
"""How many of the likeliest words are told of what an answer states."""


@dataclass(frozen=True)
class Graph:
    """inputs: name -> an example of the only shape; outputs: the names of what `module` returns, in order."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]


class Encode(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.encoder = network.encoder

    def forward(
        self, image: Tensor, state: Tensor, sound: Tensor, has_image: Tensor, has_sound: Tensor
    ) -> tuple[Tensor, ...]:
        """-> tokens [1, n, d], summary [1, d + SIGNALS], pooled [1, p], facts [1, all values of SEEN_FACTS in a row]:
        logits, course [1, STEPS, 2]."""
        seen = self.encoder(Features(image, state, sound, has_image, has_sound))
        return seen.tokens, seen.summary, seen.pooled, torch.cat([*seen.facts.values()], 1), seen.course


class Part(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network


class Read(Part):
    def forward(self, ids: Tensor, start: Tensor, log_bias: Tensor, *log: Tensor) -> tuple[Tensor, ...]:
        """ids: [1, WINDOW + CHUNK]; log: as `_log` takes it -> k, v [layers, 1, heads, CHUNK, d_head]."""
        return _stacked(self.network.read(self.network.text(ids), start, _log(log, log_bias, start)))


class Ask(Part):
    def forward(self, asked: Tensor, start: Tensor, log_bias: Tensor, *log: Tensor) -> Tensor:
        """asked: ids [QUESTIONS, ASKED]; log: as `_log` takes it -> queries [layers, heads, QUESTIONS * STATED,
        d_head], scaled."""
        queries = self.network.find_queries(self.network.word(asked), start, _log(log, log_bias, start))
        return torch.stack([each.transpose(0, 1).flatten(1, 2) for each in queries])


class Skim(Part):
    def forward(self, hinting: Tensor, name: Tensor) -> tuple[Tensor, ...]:
        """As `Hints.skim` -> what Understand gives, and how much likelier the topic is than any other [1], 0 where
        it is not known what the answer is found by."""
        score, topics, about = self.network.hints.skim(hinting, name)
        words = torch.stack([topics[:, 0], about], 1)
        sure = (score[:, 0] - score[:, -1]) * (about != MASK)
        return self.network.word(words), words, topics, score.softmax(-1), sure


class Understand(Part):
    def forward(
        self, request: Tensor, hinting: Tensor, bias: Tensor, scene_bias: Tensor, *scene: Tensor
    ) -> tuple[Tensor, ...]:
        """request: ids [1, t]; hinting: its pieces [1, MOST]; bias: [1, t]; scene: keys and values of each layer in
        turn, as `look` gives them; scene_bias: [1, scene_length] -> what is asked [1, ASKED, d], its likeliest words
        [1, ASKED], and the likeliest topics, ids and probabilities [1, LIKELY]."""
        network = self.network
        seen = _parts(scene, scene_bias, network.config.layers)
        logits = network.understand(request, torch.zeros(1), seen, bias, hinting)
        odds, topics = logits[:, 0].softmax(-1).topk(LIKELY)
        return network.meant(logits), logits.argmax(-1), topics, odds


class Find(Part):
    def forward(self, asked: Tensor, scene_bias: Tensor, *known: Tensor) -> tuple[Tensor, ...]:
        """asked: as `understand` gives it; known: the scene as there, then, if there is one, the log's bias and the log
        as `_parts` takes it, seen from its end, where the place 0 is; a short one has no memory -> the claims [1,
        CLAIMS, d], and what is likeliest beside the topic, ids and probabilities [1, STATED, LIKELY]."""
        network, layers = self.network, self.network.config.layers
        past, log = _parts(known[: 2 * layers], scene_bias, layers), known[2 * layers :]
        if log:
            past = [*_parts(log[1:], log[0], layers), *past]
        found = network.find(asked, torch.zeros(1), past)
        odds, claims = found.softmax(-1).topk(LIKELY)
        return torch.cat([asked[:, :1], network.meant(found)], 1), claims, odds


class Tell(Part):
    def forward(self, claims: Tensor) -> Tensor:
        """claims: ids [SENTENCES, CLAIMS] -> [SENTENCES, CLAIMS, d]."""
        return self.network.word(claims)


class Decode(Part):
    def forward(self, ids: Tensor, style: Tensor, claims: Tensor) -> Tensor:
        """ids [B, L], claims [B, CLAIMS, d] as `find` gives them -> logits [B, L, S]."""
        return self.network.answer(ids, style, claims)


class Verify(Part):
    def forward(self, ids: Tensor, style: Tensor, claims: Tensor) -> Tensor:
        """ids [1, L]: BEGIN and the answer but for its last word; claims: as for Decode -> logits [1, L, S]."""
        return self.network.follow(ids, style, claims)[0]


class Begin(Part):
    def forward(self, style: Tensor, claims: Tensor) -> tuple[Tensor, ...]:
        """claims: as for Decode -> logits [B, 1, S], k, v [layers, B, heads, CLAIMS + 1, d_head]."""
        logits, cache = self.network.follow(torch.full((len(claims), 1), BEGIN), style, claims)
        return logits, *_stacked(cache)


class Follow(Part):
    def forward(
        self, ids: Tensor, style: Tensor, place: Tensor, said_k: Tensor, said_v: Tensor, said_bias: Tensor
    ) -> tuple[Tensor, ...]:
        """ids [B, 1], the word before `place` [1]; said_k and said_v [layers, B, heads, CLAIMS + L, d_head], of the
        claims and of the words before that one; said_bias [B, CLAIMS + L] -> logits [B, 1, S], k, v [layers, B, heads,
        1, d_head]."""
        logits, cache = self.network.go_on(ids, style, place, _past(said_k, said_v, said_bias))
        return logits, *_stacked(cache)


class Flow(Part):
    def forward(
        self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, style: Tensor, claims: Tensor
    ) -> tuple[Tensor, ...]:
        """As `Network.flow` -> logits [1, L, S], and the noisy answer at the time `then` [1, L, d]."""
        logits, mean = self.network.flow(noisy, clean, now, then, style, claims)
        return logits, moved(noisy, mean, *(at(self.network.clock, time) for time in (now, then)))


class Look(Part):
    def forward(
        self, history: Tensor, summary: Tensor, percept: Tensor, course: Tensor, bias: Tensor
    ) -> tuple[Tensor, ...]:
        """course: as `encode` gives it; bias: [1, scene_length] -> k, v [layers, 1, heads, scene_length, d_head], read
        at the place 0; states [layers, 1, n, d] and their bias [1, n]; course, as the past bears it out."""
        scene = self.network.scene(history, summary, percept)
        cache, *states = self.network.look(scene, torch.zeros(1), bias)
        return *_stacked(cache), *states, self.network.course(history, summary, course)


class Steer(nn.Module):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.policy = network.policy

    def forward(self, actions: Tensor, sigma: Tensor, course: Tensor, states: Tensor, bias: Tensor) -> Tensor:
        """actions: [1, STEPS, 2] at noise level sigma [1]; course: as `look` gives it -> velocity [1, STEPS, 2]."""
        return self.policy(actions, sigma, course, states, bias)


def _log(log: Sequence[Tensor], bias: Tensor, now: Tensor) -> list[Past]:
    """As `_parts`, seen from the place `now`."""
    return [part.seen(now) for part in _parts(log, bias, len(log) // LOG_TENSORS)]


def _parts(known: Sequence[Tensor], bias: Tensor, layers: int) -> list[Past]:
    """A scene, or the memory of a log, if it has one, and its end.

    known: of each layer in turn, as one tensor would have to be copied to be cut: keys and values [1, heads, n,
    d_head], then those of the memory [1, 1, heads * memory_length, d_head] and its bias [1, heads, heads *
    memory_length]; bias: [1, n].
    """
    every = len(known) // layers
    each = [known[first : first + every] for first in range(0, len(known), every)]
    end = Past([(k, v) for k, v, *_ in each], bias)
    if every < LOG_TENSORS:
        return [end]
    return [Past([(k, v) for _, _, k, v, _ in each], [own for *_, own in each]), end]


def _past(k: Tensor, v: Tensor, bias: Tensor) -> Past:
    return Past([*zip(k.unbind(0), v.unbind(0), strict=True)], bias)


def _stacked(cache: Sequence[KV]) -> tuple[Tensor, Tensor]:
    return torch.stack([k for k, _ in cache]), torch.stack([v for _, v in cache])


def graphs(network: Network, first_spoken: int) -> dict[str, Graph]:
    """Those of GRAPHS, by name. The network is merged: it is not for training or saving any more. first_spoken: the
    smallest id of a word of a sentence; S words are: the end, and those from there on."""
    network.merge(first_spoken)
    cut = {graph.name: graph for graph in (*_seeing(network), *_finding(network), *_wording(network))}
    return {name: cut[name] for name in GRAPHS}


def by_length(name: str, length: int) -> dict[str, int]:
    """The names of a graph in SHORT that takes `length` tokens, and how many each of them takes, the shorter first."""
    return {f"{name}_short": min(SHORT[name], length), name: length}


def _seeing(network: Network) -> tuple[Graph, ...]:
    """From the sensors to the scene and the path, and what is read of a log."""
    config = network.config
    blind = vars(features([Observation(0)]))
    log = {"log_bias": torch.zeros(1, config.log_length)} | _layered(config, "log", config.log_length, memory=True)
    start = {"start": torch.zeros(1)}
    seen = {
        "history": torch.zeros(1, config.history_slots, config.d + SIGNALS),
        "summary": torch.zeros(1, config.d + SIGNALS),
        "percept": torch.zeros(1, PERCEPT_TOKENS, config.d),
        "course": torch.zeros(1, STEPS, 2),
        "bias": torch.zeros(1, config.scene_length),
    }
    questions = {"asked": torch.zeros(QUESTIONS, ASKED, dtype=torch.long)}
    chunk = {"ids": torch.zeros(1, WINDOW + CHUNK, dtype=torch.long)}
    slots_seen = config.scene_length + QUERIES
    steered = {
        "actions": torch.zeros(1, STEPS, 2),
        "sigma": torch.ones(1),
        "course": torch.zeros(1, STEPS, 2),
        "states": torch.zeros(config.layers, 1, slots_seen, config.d),
        "bias": torch.zeros(1, slots_seen),
    }
    return (
        Graph("encode", Encode(network), blind, ("tokens", "summary", "pooled", "facts", "course")),
        Graph("read", Read(network), chunk | start | log, ("k", "v")),
        Graph("ask", Ask(network), questions | start | log, ("queries",)),
        Graph("look", Look(network), seen, ("k", "v", "states", "states_bias", "later")),
        Graph("steer", Steer(network), steered, ("velocity",)),
    )


def _finding(network: Network) -> tuple[Graph, ...]:
    """From a request to what an answer states."""
    config = network.config
    scene = {"scene_bias": torch.zeros(1, config.scene_length)} | _layered(config, "scene", config.scene_length)
    asked = {"asked": torch.zeros(1, ASKED, config.d)}
    understood, found = ("meant", "words", "topics", "odds"), ("stated", "claims", "odds")
    skimmed = {"hinting": pieces(""), "name": torch.zeros(1, dtype=torch.long)}

    def request(length: int) -> dict[str, Tensor]:
        ids = torch.zeros(1, length, dtype=torch.long)
        return {"request": ids, "hinting": pieces(""), "bias": torch.zeros(1, length)} | scene

    def log(length: int, memory: bool) -> dict[str, Tensor]:
        return {"log_bias": torch.zeros(1, length)} | _layered(config, "log", length, memory)

    return (
        Graph("skim", Skim(network), skimmed, (*understood, "sure")),
        *(
            Graph(name, Understand(network), request(length), understood)
            for name, length in by_length("understand", config.request_length).items()
        ),
        Graph("find_scene", Find(network), asked | scene, found),
        *(
            Graph(name, Find(network), asked | scene | log(length, name == "find"), found)
            for name, length in by_length("find", config.log_length).items()
        ),
    )


def _layered(config: NetworkConfig, name: str, length: int, memory: bool = False) -> dict[str, Tensor]:
    """What `_parts` takes, of `length` slots."""
    width, packed = config.d // config.heads, config.heads * config.memory_length
    layers: dict[str, Tensor] = {}
    for index in range(config.layers):
        layers |= {f"{name}_{kind}{index}": torch.zeros(1, config.heads, length, width) for kind in "kv"}
        if memory:
            layers |= {f"memory_{kind}{index}": torch.zeros(1, 1, packed, width) for kind in "kv"}
            layers |= {f"memory_bias{index}": torch.zeros(1, config.heads, packed)}
    return layers


def _wording(network: Network) -> tuple[Graph, ...]:
    """From what an answer states to its words."""
    config = network.config
    length = config.answer_length

    def answer(words: int, rows: int = 1) -> dict[str, Tensor]:
        return {"ids": torch.zeros(rows, words, dtype=torch.long), "style": torch.ones(rows, dtype=torch.long)}

    def claims(rows: int = 1) -> dict[str, Tensor]:
        return {"claims": torch.zeros(rows, CLAIMS, config.d)}

    def following(rows: int) -> dict[str, Tensor]:
        slots = CLAIMS + length
        shape = (config.layers, rows, config.heads, slots, config.d // config.heads)
        said = {"said_k": torch.zeros(shape), "said_v": torch.zeros(shape)}  # one tensor would be one input
        known = said | {"said_bias": torch.zeros(rows, slots)}
        return answer(1, rows) | {"place": torch.zeros(1, dtype=torch.long)} | known

    def blocks(name: str, rows: int) -> tuple[Graph, ...]:
        return tuple(
            Graph(each, Decode(network), answer(words, rows) | claims(rows), ("logits",))
            for each, words in by_length(name, length).items()
        )

    def in_turn(plural: str, rows: int) -> tuple[Graph, ...]:
        style = {"style": torch.ones(rows, dtype=torch.long)}
        return (
            Graph(f"begin{plural}", Begin(network), style | claims(rows), ("logits", "k", "v")),
            Graph(f"follow{plural}", Follow(network), following(rows), ("logits", "new_k", "new_v")),
        )

    noisy = {
        "noisy": torch.zeros(1, length, config.d),
        "clean": torch.zeros(1, length, dtype=torch.long),
        "now": torch.zeros(1, length),
        "then": torch.ones(1, length),
        "style": torch.ones(1, dtype=torch.long),
    }
    told = {"claims": torch.zeros(SENTENCES, CLAIMS, dtype=torch.long)}
    return (
        Graph("tell", Tell(network), told, ("stated",)),
        *blocks("decode", 1),
        *blocks("decodes", SENTENCES),
        Graph("verify", Verify(network), answer(length) | claims(), ("logits",)),
        *in_turn("", 1),
        *in_turn("s", SENTENCES),
        Graph("flow", Flow(network), noisy | claims(), ("logits", "later")),
    )


def split_facts(logits: Tensor) -> dict[str, Tensor]:
    """The row of `encode`'s facts [values], cut by fact."""
    parts = logits.split([len(values) for values in SEEN_FACTS.values()])
    return dict(zip(SEEN_FACTS, parts, strict=True))
