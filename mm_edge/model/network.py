"""The unified network: encoders, one transformer trunk, a head over words, and a policy.

A turn goes three steps through the same trunk, content before form (Puduppully et al. 2019). What a request asks is
understood: its topic, and by which word of the log the answer is found. What the answer states is found by that, in the
log of the drive and in the scene (recent history, percept, motion), which do not see each other, so that either can be
kept, replaced or compacted alone. Then it is worded: an answer block is bidirectional and sees what was found, which
stands before it, and nothing else (block diffusion: Arriola et al. 2025, section 3). What one step tells the next are
tokens, the mean of the words it may be, so that doubt is passed on. Words come by the same weights in three
ways: a block at once, one after the other, or out of noise. Knows nothing about tokens' meaning or sampling.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.adapter import Adapter
from mm_edge.model.attention import HIDDEN, later
from mm_edge.model.block import KV, Block, Past, Run, normalised
from mm_edge.model.distance import PERIODS, pairs, turn, waves
from mm_edge.model.encoders import PERCEPT_TOKENS, Encoder
from mm_edge.model.features import SIGNALS
from mm_edge.model.flow import TIMES, at, clock, coloured, ramps
from mm_edge.model.hints import Hints
from mm_edge.model.motion import Course, Motion
from mm_edge.model.policy import QUERIES, Policy

STYLES = 8
"""Wordings of a sentence, from 1 on."""
ASKED, STATED = 2, 3
"""Tokens of what a request asks: its topic, and the word of the log that the answer is found by. Tokens of what an
answer states besides its topic."""
CLAIMS = 1 + STATED
BEGIN = 2
"""Id of the token before the first one, where words come one after the other."""
RANKS = {"understand": 16, "word": 32}
"""Steps that add something of their own to the trunk's matrices, and the rank of that."""
WINDOW = 4
"""A word of a text also carries this many words before it."""
MATCHING, MATCHING_GAIN, COPYING_GAIN = 3, 4.0, 2.0
"""Heads of the first layer that begin as matching heads; how sharply, and how strongly they copy."""
SPREADING = 100
"""Steps by which codes are moved apart."""


@dataclass(frozen=True)
class NetworkConfig:
    """marks: how many of the vocabulary's last words are marks; topics: how many of its words are topics; d: width;
    policy: width of the action head; conv: channels of the camera's first convolution; the lengths are in tokens, that
    of the memory in slots of a head, on average over a layer."""

    vocabulary: int
    marks: int
    topics: int = 1
    d: int = 160
    layers: int = 4
    heads: int = 4
    policy: int = 64
    conv: int = 16
    history_slots: int = 8
    request_length: int = 24
    answer_length: int = 20
    log_length: int = 384
    memory_length: int = 128

    def __post_init__(self) -> None:
        words = WINDOW + 1 + MATCHING
        if words * self.code_length > self.d:
            raise ValueError(f"{self.heads} heads leave no room for the codes of {words} words in {self.d}")

    @property
    def code_length(self) -> int:
        """Numbers of a mark's code, and of the part of a head that is not rotated."""
        return self.d // self.heads // 2

    @property
    def turned(self) -> int:
        """Numbers of a head that are rotated; then come those that are not, and one for how recent a word is."""
        return 2 * pairs(self.d // self.heads)

    @property
    def scene_length(self) -> int:
        """Slots of the history, the percept and its motion."""
        return self.history_slots + PERCEPT_TOKENS + 1

    @property
    def turn_length(self) -> int:
        """Slots of the scene and the request."""
        return self.scene_length + self.request_length


RUNGS: dict[str, dict[str, int]] = {"small": {}, "large": {"d": 240, "layers": 8, "heads": 6}}
"""What differs from NetworkConfig's own values. A wider rung has more heads of the same width: it can then begin as a
smaller one (model/growth.py)."""


class Network(nn.Module):
    codes: Tensor
    """[marks, d], of root mean square 1 and nothing behind their first numbers."""
    clock: Tensor
    _noise: Tensor | None
    """What of a word is there at times from 0 to 1 (flow.py)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        d = config.d
        size = config.code_length
        self.encoder = Encoder(d, config.conv)
        self.words = nn.Embedding(config.vocabulary - config.marks, d)
        self.register_buffer("codes", F.pad(spread(config.marks, size) * (d / size) ** 0.5, (0, d - size)))
        self.before = nn.Linear(WINDOW * d, d, bias=False)
        self.standing = nn.Linear(2 * (PERIODS[1] - PERIODS[0]), d, bias=False)
        self.asking = nn.Parameter(torch.randn(ASKED, d) * 0.5)
        self.finding = nn.Parameter(torch.randn(STATED, d) * 0.5)
        self.topic = nn.Linear(d, d, bias=False)
        self.hints = Hints(config.vocabulary, config.topics)
        self.claim_place = nn.Parameter(torch.randn(CLAIMS, d) * 0.5)
        self.answer_styles = nn.Embedding(STYLES + 1, d)
        self.scene_place = nn.Parameter(torch.randn(config.scene_length, d) * 0.5)
        self.answer_place = nn.Parameter(torch.randn(config.answer_length, d) * 0.5)
        self.in_turn = nn.Parameter(torch.zeros(d))
        self.flow_time = nn.Linear(2 * TIMES, d)
        self.blocks = nn.ModuleList(Block(d, config.heads) for _ in range(config.layers))
        self.steps = nn.ModuleDict(
            {step: nn.ModuleList(Adapter(d, rank) for _ in range(config.layers)) for step, rank in RANKS.items()}
        )
        self.register_buffer("clock", clock(config.vocabulary, d))
        self.register_buffer("_noise", None, persistent=False)
        self.norm = nn.LayerNorm(d)
        self.unsaid = nn.Parameter(torch.zeros(config.vocabulary - config.marks))
        self.copying = nn.Linear(d, 1)
        self.reading = nn.Linear(d, 1 + MATCHING)
        self.sureness = nn.Parameter(torch.tensor(1.0))
        self.motion, self.course = Motion(d, config.history_slots), Course(config.history_slots)
        self.queries = nn.Parameter(torch.randn(QUERIES, d))
        self._first_spoken = 1
        self.policy = Policy(d, config.policy, config.policy // 32, config.layers)
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.standing.weight, std=0.02)
        nn.init.zeros_(self.flow_time.weight)
        begin_matching(self)

    def word(self, ids: Tensor) -> Tensor:
        """ids [...] -> [..., d], each of root mean square 1."""
        return F.embedding(ids, self._table())

    def meant(self, logits: Tensor) -> Tensor:
        """The mean of all words [..., d], weighted by their probability; logits: [..., V]."""
        return logits.softmax(-1) @ self._table()

    def _aloud(self, rows: Tensor) -> Tensor:
        """Of something that every word has [V, ...], what the words of sentences have."""
        return torch.cat([rows[:1], rows[self._first_spoken :]])

    def _table(self) -> Tensor:
        """Marks have codes that never learn: what a network learns about one it has learnt about all of them."""
        return torch.cat([normalised(self.words.weight), self.codes])

    def text(self, ids: Tensor) -> Tensor:
        """ids [B, WINDOW + T], EOS where nothing came before -> [B, T, d]."""
        words = self.word(ids)
        length = ids.shape[1] - WINDOW
        earlier = torch.cat([words[:, back : back + length] for back in range(WINDOW)], -1)
        return words[:, WINDOW:] + self.before(earlier)

    def scene(self, history: Tensor, summary: Tensor, percept: Tensor) -> Tensor:
        """What is known before anybody asks: history [B, m, d + SIGNALS], summary [B, d + SIGNALS], percept [B, n, d]
        -> [B, m + n + 1, d].

        The newest summary of the history is at its last place, whatever m is.
        """
        missing = self.config.history_slots - history.shape[1]
        if missing < 0:
            raise ValueError(f"a history of {history.shape[1]} summaries, at most {self.config.history_slots}")
        _, motion = self.motion(history, summary)
        return torch.cat([history[..., :-SIGNALS], percept, motion], 1) + self.scene_place[missing:]

    def read(
        self, x: Tensor, start: Tensor, past: Sequence[Past] = (), bias: Tensor | None = None, still: bool = False
    ) -> list[KV]:
        """Causal pass over x [B, T, d] at the places from `start` [1] on -> its own keys and values.

        bias: [B, T], added to the scores of x itself; hides what is only filling; still: x is a scene, all of it as
        recent as its beginning, not a log.
        """
        return self.read_whole(x, start, past, bias, still).cache

    def read_whole(
        self, x: Tensor, start: Tensor, past: Sequence[Past] = (), bias: Tensor | None = None, still: bool = False
    ) -> Run:
        """As `read`, with all that comes of it."""
        places = start + torch.arange(x.shape[1])
        if not still:
            x = x + self.standing(waves(places))
        return self._run(x, places, start if still else places, past, _causal(x.shape[1], bias))

    def look(self, x: Tensor, start: Tensor, bias: Tensor) -> tuple[list[KV], Tensor, Tensor]:
        """A scene [B, T, d] from `start` [1] on and, after it, the queries of the policy -> keys and values of the
        scene, the states of all of it [layers, B, T + QUERIES, d], and their bias."""
        whole = torch.cat([x, self.queries.expand(len(x), -1, -1)], 1)
        bias, length = F.pad(bias, (0, QUERIES)), x.shape[1]
        mask = _causal(whole.shape[1], bias)
        states, cache, _ = self._run(whole, start + torch.arange(whole.shape[1]), start, (), mask)
        return [(k[:, :, :length], v[:, :, :length]) for k, v in cache], torch.stack(states), bias

    def understand(
        self, ids: Tensor, start: Tensor, past: Sequence[Past], bias: Tensor, pieces: Tensor | None = None
    ) -> Tensor:
        """What a request asks -> logits [B, ASKED, V].

        ids: [B, t], t <= request_length; start: [1], the place of the scene, which is all that is in `past`; bias:
        [B, t], hides what is only filling; pieces: of its text, as Hints takes them.
        """
        asked = self.text(F.pad(ids, (WINDOW, 0)))
        x = torch.cat([asked, self.asking.expand(len(ids), -1, -1)], 1)
        after = self.config.request_length + torch.arange(ASKED)
        places = start + self.config.scene_length + torch.cat([torch.arange(ids.shape[1]), after])
        mask = _causal(x.shape[1], F.pad(bias, (0, ASKED)))
        states = self._run(x, places, start, past, mask, "understand").states
        asked = self.say(states[-1][:, -ASKED:])
        return asked if pieces is None else self.hints(asked, pieces)

    def find(self, asked: Tensor, start: Tensor, past: Sequence[Past]) -> Tensor:
        """What a right answer states -> logits [B, STATED, V].

        asked: [B, ASKED, d], as `word` or `meant` gives it; start: [1], the place of the scene; past: log and scene.
        """
        return self.say(self._find(asked, start, past).states[-1])

    def find_queries(self, asked: Tensor, start: Tensor, past: Sequence[Past]) -> list[Tensor]:
        """What `find` asks of the log: the queries of each layer [B, heads, STATED, d_head], scaled. What the last
        layer answers is left out."""
        return self._find(asked, start, past, answered=False).queries

    def _find(self, asked: Tensor, start: Tensor, past: Sequence[Past], answered: bool = True) -> Run:
        x = self.finding + (asked[:, 1] + self.topic(asked[:, 0]))[:, None]
        places = start + self.config.turn_length + torch.arange(STATED)
        return self._run(x, places, start, past, _all(), answered=answered)

    def answer(self, ids: Tensor, style: Tensor, claims: Tensor) -> Tensor:
        """All words of a sentence [B, L] in style [B], any of them masked or wrong -> what belongs there: logits [B, L,
        V]. claims: a topic and what is stated about it [B, CLAIMS, d], as `word` or `meant` gives them."""
        return self._worded(self.word(ids), style, claims, _all())[0]

    def follow(self, ids: Tensor, style: Tensor, claims: Tensor) -> tuple[Tensor, list[KV]]:
        """The first words [B, t] of a sentence, each seeing only those before it -> what follows each: logits [B, t,
        V], and keys and values of the claims and of these words. The word before the first is BEGIN."""
        return self._worded(self.word(ids) + self.in_turn, style, claims, later(ids.shape[1]))

    def go_on(self, ids: Tensor, style: Tensor, place: Tensor, said: Past) -> tuple[Tensor, list[KV]]:
        """As `follow`, of the word [B, 1] at `place` [1], with the keys and values of all that came before."""
        x = self.word(ids) + self.in_turn + self.answer_place[place.long()] + self.answer_styles(style)[:, None]
        states, cache, _ = self._run(x, CLAIMS + place, torch.zeros(1), [said], _all(), "word")
        return self.say(states[-1], aloud=True), cache

    def flow(
        self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, style: Tensor, claims: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The two-time denoiser of a flow map on the simplex (FMLM: section 4 of its third version): what a sentence is
        on the mean, as the way from `now` to `then` needs it.

        noisy: [B, L, d], (1 - c) noise + c word, in coordinates in which noise is of unit covariance (`noise`); clean:
        [B, L], ids of the tokens that are given already, which have now = 1; now and then: [B, L] from 0 to 1. Returns
        logits [B, L, V] and the mean of these words in the coordinates of `noisy`.
        """
        colour, white = self.noise()
        share = at(self.clock, now)[..., None]
        level = ((1 - share).square() * self.config.vocabulary + share.square()).rsqrt()
        x = torch.where((now >= 1)[..., None], self.word(clean), noisy @ colour * level)
        x = x + self.flow_time(torch.cat([ramps(now), ramps(then)], -1))
        logits, _ = self._worded(x, style, claims, _all())
        return logits, logits.softmax(-1) @ self._aloud(self._table()) @ white

    def noise(self) -> Tensor:
        """[2, d, d]: what turns white noise into noise over all words, as the trunk sees it, and back."""
        return coloured(self._table().detach()) if self._noise is None else self._noise

    def _worded(self, x: Tensor, style: Tensor, claims: Tensor, mask: Tensor) -> tuple[Tensor, list[KV]]:
        """x: [B, L, d], the words of a sentence from its beginning on; claims see each other, words see them all; mask:
        added to the scores among words -> logits [B, L, V], keys and values of claims and words."""
        length = x.shape[1]
        x = x + self.answer_place[:length] + self.answer_styles(style)[:, None]
        x = torch.cat([claims + self.claim_place, x], 1)
        apart = F.pad(mask.expand(1, 1, length, length), (CLAIMS, 0))
        hidden = torch.full((1, 1, CLAIMS, length), HIDDEN)
        mask = torch.cat([F.pad(hidden, (CLAIMS, 0)), apart], 2)
        states, cache, _ = self._run(x, torch.arange(CLAIMS + length), torch.zeros(1), (), mask, "word")
        return self.say(states[-1][:, CLAIMS:], aloud=True), cache

    def say(self, state: Tensor, aloud: bool = False) -> Tensor:
        """The trunk's last state [B, L, d] -> logits [B, L, V], or [B, L, S] of the words of sentences alone. A mark is
        read where a word's own code is, or where the matching heads write, by which is the likelier place (a pointer:
        Vinyals et al. 2015)."""
        said = self.norm(state)
        weight, unsaid = self.words.weight, self.unsaid
        words = F.linear(said, self._aloud(weight), self._aloud(unsaid)) if aloud else F.linear(said, weight, unsaid)
        size = self.config.code_length
        places = torch.stack([said[..., first : first + size] for first in (0, *_copies(size))], -2)
        code = (self.reading(said).softmax(-1)[..., None] * places).sum(-2)
        marks = F.linear(code, self.codes[:, :size] * self.sureness * self.config.d**-0.5) + self.copying(said)
        return torch.cat([words, marks], -1)

    def merge(self, first_spoken: int = 1) -> None:
        """Give every step matrices of its own, with what it adds, and score for sentences only what they may hold: the
        end, and the words from `first_spoken` on. Quicker to run; such a network is not for saving."""
        self._noise, self._first_spoken = self.noise(), first_spoken
        for step, adapters in [*self.steps.items()]:
            if isinstance(adapters[0], Adapter):  # type: ignore[index]
                own = copy.deepcopy(self.blocks)
                for block, adapter in zip(own, adapters, strict=True):  # type: ignore[call-overload]
                    adapter.merge(block)
                self.steps[step] = own

    def _run(
        self,
        x: Tensor,
        places: Tensor,
        age: Tensor,
        past: Sequence[Past],
        mask: Tensor | None,
        step: str | None = None,
        answered: bool = True,
    ) -> Run:
        """age and mask: as in Block; step: one of RANKS; answered: False for only the queries of the last layer."""
        by = turn(places, self.config.turned // 2)
        run = Run([], [], [])
        for index, block in enumerate(self.blocks):
            if not answered and index == len(self.blocks) - 1:
                run.queries.append(cast(Block, block).queries(x, by))
                break
            known = [segment.layer(index) for segment in past]
            own = None if step is None else self.steps[step][index]  # type: ignore[index]
            if isinstance(own, Block):
                block, own = own, None
            x, q, kv = block(x, by, age, known, mask, own)
            run.states.append(x)
            run.cache.append(kv)
            run.queries.append(q)
        return run


@torch.no_grad()
def begin_matching(network: Network) -> None:
    """Let the first layer's first heads begin as what training finds last: a word attends to what followed the same
    word before, and copies it (induction heads: Olsson et al. 2022), head h what stood h + 1 places behind it.

    Codes fill the first numbers of a word; those of the words before it begin side by side behind them, then those that
    the heads copy. Without the copies the heads are of no use at first, and training undoes them. A topic is told
    beside the word that an answer is found by, not on top of it.
    """
    d, first = network.config.d, cast(Block, network.blocks[0])
    width, size = d // first.heads, network.config.code_length
    earlier = nn.init.zeros_(network.before.weight).view(d, WINDOW, d)
    queries, keys, values = first.qkv.weight.view(3, first.heads, width, d)
    same = torch.eye(size)
    for back in range(1, WINDOW + 1):
        earlier[back * size : (back + 1) * size, WINDOW - back, :size] = same
    for head, written in zip(range(first.heads), _copies(size), strict=False):
        queries[head], keys[head] = 0.0, 0.0
        queries[head, width - 1 - size : width - 1, :size] = same  # of the numbers that are not rotated
        keys[head, width - 1 - size : width - 1, (head + 1) * size : (head + 2) * size] = same
        values[head] = 0.0
        values[head, :size, :size] = same
        first.out.weight[written : written + size, head * width : head * width + size] = COPYING_GAIN * same
        first.gain[head], first.recency[head] = MATCHING_GAIN, 1.0
    network.topic.weight[:size], network.finding[:, :size] = 0.0, 0.0


def spread(count: int, size: int) -> Tensor:
    """Codes [count, size] of root mean square 1 that are further apart than random ones."""
    codes = normalised(torch.randn(count, size))
    for _ in range(SPREADING):
        near = (8 * (codes @ codes.T) / size).exp().fill_diagonal_(0)
        codes = normalised(codes - 0.5 * (near / near.sum(1, keepdim=True)) @ codes)
    return codes


def _copies(size: int) -> list[int]:
    """The first numbers of where each matching head writes."""
    return [(WINDOW + 1 + head) * size for head in range(MATCHING)]


def _causal(length: int, bias: Tensor | None) -> Tensor | None:
    """What is added to the scores of a text among itself; bias: [B, length], of its filling."""
    if bias is None:
        return None
    return (later(length) + bias[:, None, None]).clamp(min=HIDDEN)


def _all() -> Tensor:
    """The mask of tokens that all see each other."""
    return torch.zeros(1, 1, 1, 1)
