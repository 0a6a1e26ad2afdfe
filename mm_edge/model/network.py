"""The unified network: encoders, one transformer trunk, a head over words, and a policy.

A turn goes three steps through the same trunk, content before form (Puduppully et al. 2019). What a request asks is
understood: its topic, and by which word of the log the answer is found. What the answer states is found by that, in the
log of the drive and in the scene (recent history, percept, motion), which do not see each other, so that either can be
kept, replaced or compacted alone. Then it is worded: an answer block is bidirectional and sees what was found, and
nothing else, through cached keys and values (block diffusion: Arriola et al. 2025, section 3). What one step tells the
next are tokens, the mean of the words it may be, so that doubt is passed on. Knows nothing about tokens' meaning,
sampling or time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mm_edge.model.attention import HIDDEN, attend, later
from mm_edge.model.encoders import PERCEPT_TOKENS, Encoder
from mm_edge.model.policy import QUERIES, Policy
from mm_edge.model.schema import SCENE_FACTS

STYLES = 8
"""Wordings of a sentence, from 1 on."""
ASKED, STATED = 2, 3
"""Tokens of what a request asks: its topic, and the word of the log that the answer is found by. Tokens of what an
answer states besides its topic."""
CLAIMS = 1 + STATED
WINDOW = 4
"""A word of a text also carries this many words before it."""
MATCHING, MATCHING_GAIN, COPYING_GAIN = 3, 4.0, 2.0
"""Heads of the first layer that begin as matching heads; how sharply, and how strongly they copy."""
SPREADING = 100
"""Steps by which codes are moved apart."""
NEWER = 64
"""Words of a log over which a head of recency 1 gains 1 in its score."""
ROPE_BASE = 20_000.0
PERIODS = 3, 12
"""Powers of two, the last one left out: the periods in words by which a word of a log is told where it stands, so that
one layer can tell the next where to look."""


@dataclass(frozen=True)
class NetworkConfig:
    """marks: how many of the vocabulary's last words are marks; d: width; policy: width of the action head; conv:
    channels of the camera's first convolution; the lengths are in tokens."""

    vocabulary: int
    marks: int
    d: int = 160
    layers: int = 4
    heads: int = 4
    policy: int = 64
    conv: int = 16
    history_slots: int = 8
    request_length: int = 24
    answer_length: int = 20
    log_length: int = 1536

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
        return (self.d // self.heads - 1 - self.code_length) // 2 * 2

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

KV = tuple[Tensor, Tensor]
"""Keys (rotated to their place) and values of one layer, each [B, heads, n, d_head]."""


@dataclass(frozen=True)
class Past:
    """Tokens that were read before. layers: one KV each; bias: [B, n], added to the scores.

    B divides the rows of what attends to it: each serves that many consecutive ones.
    """

    layers: Sequence[KV]
    bias: Tensor


class Block(nn.Module):
    """Pre-norm attention with normalised queries and keys (Henry et al. 2020), rotated places (Su et al. 2021) on a
    part of each head, and a slope per head that favours what is recent (ALiBi: Press et al. 2022, here learnt, and in
    the last number of queries and keys), since most questions are about the latest of several events; then a
    squared-ReLU perceptron (So et al. 2021, Primer)."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)
        self.gain = nn.Parameter(torch.full((heads, 1, 1), 2.0))
        self.recency = nn.Parameter(torch.linspace(0, 4, heads)[:, None, None])
        for last in (self.out, self.down):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, x: Tensor, turn: KV, age: Tensor, past: Sequence[tuple[KV, Tensor]], mask: Tensor | None
    ) -> tuple[Tensor, KV]:
        """x: [B, T, d]; turn: cosine and sine of its places, [T, turned / 2]; age: how recent it is in words, [T] or
        [1]; past: keys, values and bias of what came before; mask: added to the scores among x, broadcast to [B, heads,
        T, T], None: x is causal. Returns x and its own keys and values."""
        q, k, v = self.qkv(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q = rotated(normalised(q[..., :-1]), turn) * (self.gain * q.shape[-1] ** -0.5).to(q.dtype)
        k = rotated(normalised(k[..., :-1]), turn)
        q = torch.cat([q, self.recency.to(q.dtype).expand(*q.shape[:-1], 1)], -1)
        k = torch.cat([k, (age / NEWER).to(k.dtype)[:, None].expand(*k.shape[:-1], 1)], -1)
        attended = attend(q, [*((key, value, bias) for (key, value), bias in past), (k, v, mask)])
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(F.relu(self.up(self.norm_mlp(x))).square()), (k, v)


def normalised(x: Tensor) -> Tensor:
    """To a root mean square of 1 along the last axis."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)


def rotated(x: Tensor, turn: KV) -> Tensor:
    """The first numbers of the last axis, turned pair by pair; turn: cosine and sine [T, pairs]."""
    cos, sin = (part.to(x.dtype) for part in turn)
    pairs = cos.shape[-1]
    a, b, rest = x.split([pairs, pairs, x.shape[-1] - 2 * pairs], -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


class Motion(nn.Module):
    """What the lead vehicle does, from the newest summaries: the one scene fact that a single observation hides."""

    def __init__(self, d: int, slots: int) -> None:
        super().__init__()
        values = len(SCENE_FACTS["lead_motion"])
        self.slots = slots
        self.narrow = nn.Linear(d, 24)
        self.hidden = nn.Linear(24 * (slots + 1), 128)
        self.head = nn.Linear(128, values)
        self.values = nn.Parameter(torch.randn(values, d))

    def forward(self, history: Tensor, summary: Tensor) -> tuple[Tensor, Tensor]:
        """history [B, m, d], m <= slots, summary [B, d] -> logits [B, values], token [B, 1, d]."""
        missing = self.slots - history.shape[1]
        recent = torch.cat([F.pad(history, (0, 0, missing, 0)), summary[:, None]], 1)
        logits = self.head(F.gelu(self.hidden(self.narrow(recent).flatten(1))))
        return logits, (logits.softmax(-1) @ self.values)[:, None]


class Network(nn.Module):
    codes: Tensor
    """[marks, d], of root mean square 1 and nothing behind their first numbers."""

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
        self.claim_place = nn.Parameter(torch.randn(CLAIMS, d) * 0.5)
        self.answer_styles = nn.Embedding(STYLES + 1, d)
        self.scene_place = nn.Parameter(torch.randn(config.scene_length, d) * 0.5)
        self.answer_place = nn.Parameter(torch.randn(config.answer_length, d) * 0.5)
        self.blocks = nn.ModuleList(Block(d, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.unsaid = nn.Parameter(torch.zeros(config.vocabulary - config.marks))
        self.copying = nn.Linear(d, 1)
        self.reading = nn.Linear(d, 1 + MATCHING)
        self.sureness = nn.Parameter(torch.tensor(1.0))
        self.motion = Motion(d, config.history_slots)
        self.queries = nn.Parameter(torch.randn(QUERIES, d))
        self.policy = Policy(d, config.policy, config.policy // 32, config.layers)
        nn.init.normal_(self.words.weight, std=0.02)
        nn.init.normal_(self.standing.weight, std=0.02)
        begin_matching(self)

    def word(self, ids: Tensor) -> Tensor:
        """ids [...] -> [..., d], each of root mean square 1."""
        return F.embedding(ids, self._table())

    def meant(self, logits: Tensor) -> Tensor:
        """The mean of all words [..., d], weighted by their probability; logits: [..., V]."""
        return logits.softmax(-1) @ self._table()

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
        """What is known before anybody asks: history [B, m, d], summary [B, d], percept [B, n, d] -> [B, m + n + 1, d].

        The newest summary of the history is at its last place, whatever m is.
        """
        missing = self.config.history_slots - history.shape[1]
        if missing < 0:
            raise ValueError(f"a history of {history.shape[1]} summaries, at most {self.config.history_slots}")
        _, motion = self.motion(history, summary)
        return torch.cat([history, percept, motion], 1) + self.scene_place[missing:]

    def read(
        self, x: Tensor, start: Tensor, past: Sequence[Past] = (), bias: Tensor | None = None, still: bool = False
    ) -> list[KV]:
        """Causal pass over x [B, T, d] at the places from `start` [1] on -> its own keys and values.

        bias: [B, T], added to the scores of x itself; hides what is only filling; still: x is a scene, all of it as
        recent as its beginning, not a log.
        """
        places = start + torch.arange(x.shape[1])
        if not still:
            x = x + self.standing(_waves(places))
        return self._run(x, places, start if still else places, past, _causal(x.shape[1], bias))[1]

    def look(self, x: Tensor, start: Tensor, bias: Tensor) -> tuple[list[KV], Tensor, Tensor]:
        """A scene [B, T, d] from `start` [1] on and, after it, the queries of the policy -> keys and values of the
        scene, the states of all of it [layers, B, T + QUERIES, d], and their bias."""
        whole = torch.cat([x, self.queries.expand(len(x), -1, -1)], 1)
        bias, length = F.pad(bias, (0, QUERIES)), x.shape[1]
        mask = _causal(whole.shape[1], bias)
        states, cache = self._run(whole, start + torch.arange(whole.shape[1]), start, (), mask)
        return [(k[:, :, :length], v[:, :, :length]) for k, v in cache], torch.stack(states), bias

    def understand(self, ids: Tensor, start: Tensor, past: Sequence[Past], bias: Tensor) -> Tensor:
        """What a request asks -> logits [B, ASKED, V].

        ids: [B, t], t <= request_length; start: [1], the place of the scene, which is all that is in `past`; bias:
        [B, t], hides what is only filling.
        """
        asked = self.text(F.pad(ids, (WINDOW, 0)))
        x = torch.cat([asked, self.asking.expand(len(ids), -1, -1)], 1)
        after = self.config.request_length + torch.arange(ASKED)
        places = start + self.config.scene_length + torch.cat([torch.arange(ids.shape[1]), after])
        states, _ = self._run(x, places, start, past, _causal(x.shape[1], F.pad(bias, (0, ASKED))))
        return self.say(states[-1][:, -ASKED:])

    def find(self, asked: Tensor, start: Tensor, past: Sequence[Past]) -> Tensor:
        """What a right answer states -> logits [B, STATED, V].

        asked: [B, ASKED, d], as `word` or `meant` gives it; start: [1], the place of the scene; past: log and scene.
        """
        x = self.finding + (asked[:, 1] + self.topic(asked[:, 0]))[:, None]
        places = start + self.config.turn_length + torch.arange(STATED)
        return self.say(self._run(x, places, start, past, _all())[0][-1])

    def state(self, claims: Tensor) -> Past:
        """A topic and what is stated about it [B, CLAIMS, d], as `word` or `meant` gives them, as the context of an
        answer."""
        _, cache = self._run(claims + self.claim_place, torch.arange(CLAIMS), torch.zeros(1), (), _all())
        return Past(cache, torch.zeros(len(claims), CLAIMS))

    def answer(self, ids: Tensor, style: Tensor, claims: Past) -> Tensor:
        """ids [B, L] in style [B] -> logits [B, L, V]."""
        x = self.word(ids) + self.answer_place[: ids.shape[1]] + self.answer_styles(style)[:, None]
        places = CLAIMS + torch.arange(ids.shape[1])
        states, _ = self._run(x, places, torch.zeros(1), [claims], _all())
        return self.say(states[-1])

    def say(self, state: Tensor) -> Tensor:
        """The trunk's last state [B, L, d] -> logits [B, L, V]. A mark is read where a word's own code is, or where the
        matching heads write, by which is the likelier place (a pointer: Vinyals et al. 2015)."""
        said = self.norm(state)
        words = F.linear(said, self.words.weight, self.unsaid)
        size = self.config.code_length
        places = torch.stack([said[..., first : first + size] for first in (0, *_copies(size))], -2)
        code = (self.reading(said).softmax(-1)[..., None] * places).sum(-2)
        marks = F.linear(code, self.codes[:, :size] * self.sureness * self.config.d**-0.5) + self.copying(said)
        return torch.cat([words, marks], -1)

    def _run(
        self, x: Tensor, places: Tensor, age: Tensor, past: Sequence[Past], mask: Tensor | None
    ) -> tuple[list[Tensor], list[KV]]:
        """The state after every layer, and every layer's keys and values; age and mask: as in Block."""
        turn = self._turn(places)
        states, cache = [], []
        for index, block in enumerate(self.blocks):
            known = [(segment.layers[index], segment.bias[:, None, None]) for segment in past]
            x, kv = block(x, turn, age, known, mask)
            states.append(x)
            cache.append(kv)
        return states, cache

    def _turn(self, places: Tensor) -> KV:
        """Cosine and sine of places [T]: [T, turned / 2]."""
        pairs = self.config.turned // 2
        speeds = ROPE_BASE ** -(torch.arange(pairs) / pairs)
        angles = places[:, None] * speeds
        return angles.cos(), angles.sin()


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


def _waves(places: Tensor) -> Tensor:
    """Places [T] as sines and cosines of PERIODS, [T, 2 * periods]."""
    angles = places[:, None] * (2 * math.pi / 2.0 ** torch.arange(*PERIODS))
    return torch.cat([angles.sin(), angles.cos()], -1)


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
