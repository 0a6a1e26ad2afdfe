"""One turn on whatever runs the graphs: fills up to the static shapes, and hides the filling.

Knows nothing about sentences' meaning, deadlines or memory policies.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.engine.base import Context, Log, Memory, Percept, Runner, Said, Scene, Understood
from mm_edge.model.features import Features, features
from mm_edge.model.graphs import CHUNK, QUESTIONS, SENTENCES, by_length, split_facts
from mm_edge.model.hints import SURE, pieces
from mm_edge.model.network import BEGIN, CLAIMS, HIDDEN, STATED, WINDOW, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.model.policy import STEPS, path, sample
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, MASK, Tokenizer


class GraphEngine:
    """One observation, one request at a time. Not thread-safe: one worker owns it.

    `refused`: why each engine that was to be preferred is not this one; `sure`: how much likelier than any other the
    topic of a request has to be by its words alone for that it is not read.
    """

    def __init__(self, config: NetworkConfig, tokenizer: Tokenizer, runner: Runner) -> None:
        self.name = runner.name
        self.tokenizer = tokenizer
        self.history_slots = config.history_slots
        self.answer_length = config.answer_length
        self.log_length = config.log_length
        self.memory_length = config.memory_length
        self.memory_slots = config.heads * config.memory_length
        self.width = config.d
        self.refused: tuple[str, ...] = ()
        self.sure = SURE
        self._names = {*tokenizer.names}
        self._config = config
        self.runner = runner

    @property
    def precision(self) -> str:
        return self.name.rpartition("/")[2]

    def encode(self, observation: Observation) -> Percept:
        inputs = features([observation])
        tokens, summary, pooled, facts, course = self.runner.run("encode", *vars(inputs).values())
        logits = _sensed(facts[0].cpu(), inputs)
        return Percept(tokens[0], summary[0], pooled[0].cpu().numpy(), _surest(logits), course[0], logits)

    def read(self, words: Sequence[str], known: Log | None = None) -> Log:
        ids = tuple(self.tokenizer.log(words))
        if len(ids) > self.log_length:
            raise ValueError(f"a log of {len(ids)} words, at most {self.log_length}")
        log = known or self._no_log()
        same = next((i for i, pair in enumerate(zip(ids, log.ids, strict=False)) if pair[0] != pair[1]), len(log.ids))
        bias = log.bias.clone()
        for start in range(min(same, len(ids)) // CHUNK * CHUNK, len(ids), CHUNK):
            bias[start:] = HIDDEN
            window, place = self._window(log.before + ids, start), _number(log.start + start)
            k, v = self.runner.run("read", window, place, *_log(replace(log, bias=bias)))
            log.k[:, :, start : start + CHUNK], log.v[:, :, start : start + CHUNK] = k[:, 0], v[:, 0]
            bias[start : start + CHUNK] = 0.0
        bias[len(ids) :] = HIDDEN
        return replace(log, bias=bias, ids=ids)

    def remember(self, log: Log, words: int, memory: Memory) -> Log:
        if words % CHUNK or not 0 <= words <= len(log.ids):
            raise ValueError(f"{words} of {len(log.ids)} words cannot be left out: only chunks of {CHUNK}")
        full = [_widened(each, self.memory_slots) for each in memory]
        rest = self.log_length - words
        for part in (log.k, log.v):
            part[:, :, :rest] = part[:, :, words:].clone()
        bias = torch.full_like(log.bias, HIDDEN)
        bias[: len(log.ids) - words] = 0.0
        before = (log.before + log.ids[:words])[-WINDOW:]
        return Log(log.k, log.v, bias, log.ids[words:], before, log.start + words, full)

    def resume(self, memory: Memory, start: int, before: Sequence[int]) -> Log:
        empty = self._no_log()
        own = empty.memory[0]
        if len(memory) != len(empty.memory) or any(
            k.shape[2] != own[0].shape[2] or len(bias) != len(own[2]) for k, _, bias in memory
        ):
            raise ValueError("a memory of another network")
        full = [_widened(each, self.memory_slots) for each in memory]
        return replace(empty, memory=full, start=start, before=tuple(before))

    def ask(self, asked: Tensor, log: Log) -> Tensor:
        start, layers = _number(log.length), _log(log)
        parts = []
        for rows in asked.split(QUESTIONS):
            (queries,) = self.runner.run("ask", _filled(rows, QUESTIONS), start, *layers)
            parts.append(queries[:, :, : len(rows) * STATED])
        return torch.cat(parts, 2)

    def look(self, history: Tensor | None, percept: Percept) -> Scene:
        past = percept.summary.new_zeros(0, len(percept.summary)) if history is None else history
        missing = self.history_slots - len(past)
        if missing < 0:
            raise ValueError(f"a history of {len(past)} summaries, at most {self.history_slots}")
        bias = torch.zeros(self._config.scene_length, device=self.runner.device)
        bias[:missing] = HIDDEN
        seen = (F.pad(past, (0, 0, missing, 0)), percept.summary, percept.tokens, percept.course, bias)
        k, v, states, states_bias, course = self.runner.run("look", *(part[None] for part in seen))
        return Scene(k[:, 0], v[:, 0], bias, states, states_bias, course[0])

    def prefill(self, scene: Scene, text: str, style: int, log: Log | None = None) -> Context:
        return self.find(scene, self.understand(scene, text), style, log)

    def understand(self, scene: Scene, text: str) -> Understood:
        ids = self.tokenizer.request(text, self._config.request_length)
        hinting = pieces(text)
        skim = self._skimmed(hinting, {*ids} & self._names) if text else None
        meant, words, topics, odds = skim or self._read(ids, hinting, scene)
        asked = tuple(self.tokenizer.tokens[index] for index in words[0].tolist()) if text else ()
        likely = tuple(zip(topics[0].tolist(), odds[0].tolist(), strict=True))
        return Understood(meant, asked, likely, skim is not None)

    def _skimmed(self, hinting: Tensor, names: Collection[int]) -> tuple[Tensor, ...] | None:
        """As `_read`, of a request that its words alone leave no doubt about; None for any other."""
        if len(names) > 1:
            return None
        *understood, sure = self.runner.run("skim", hinting, torch.tensor([*names, EOS][:1]))
        return tuple(understood) if float(sure) >= self.sure else None

    def _read(self, ids: Sequence[int], hinting: Tensor, scene: Scene) -> tuple[Tensor, ...]:
        """What a request asks, its pieces `hinting` [1, MOST], as the graph `understand` gives it."""
        lengths = by_length("understand", self._config.request_length)
        graph, length = next((name, length) for name, length in lengths.items() if len(ids) <= length)
        filled = torch.tensor([[*ids, *[EOS] * (length - len(ids))]])
        bias = torch.zeros(1, length, device=self.runner.device)
        bias[:, len(ids) :] = HIDDEN
        return self.runner.run(graph, filled, hinting, bias, scene.bias[None], *scene.layers)

    def find(self, scene: Scene, understood: Understood, style: int, log: Log | None = None) -> Context:
        graph, told = "find_scene", []
        if log is not None:
            known = log.from_here
            graph, told = "find" if known.memory else "find_short", [known.bias[None], *known.layers]
        given = (understood.meant, scene.bias[None], *scene.layers, *told)
        stated, claims, odds = self.runner.run(graph, *given)
        found = (tuple(zip(*pair, strict=True)) for pair in zip(claims[0].tolist(), odds[0].tolist(), strict=True))
        return Context(stated[0], style, understood.asked, (understood.topics, *found))

    def tell(self, claims: Sequence[Sequence[int]], style: int) -> list[Context]:
        if not 0 < len(claims) <= SENTENCES:
            raise ValueError(f"{len(claims)} sentences at once, from 1 to {SENTENCES} are possible")
        rows = torch.tensor([list(each) for each in claims])
        (stated,) = self.runner.run("tell", _filled(rows, SENTENCES))
        return [
            Context(stated[row], style, claims=tuple(((index, 1.0),) for index in each))
            for row, each in enumerate(claims)
        ]

    def decode(self, ids: Tensor, contexts: Sequence[Context]) -> Tensor:
        _check(ids, contexts)
        found = np.full((len(ids), self.answer_length, len(self.tokenizer.sayable)), HIDDEN, np.float32)
        open_ = (ids.numpy() == MASK) | (ids.numpy() == EOS)
        missing = np.ones(len(ids), bool)
        for graph, length in by_length("decode", self.answer_length).items():
            rows = (missing & open_[:, length:].all(1)).nonzero()[0]
            if not len(rows):
                continue
            words, *known = self._asked(ids[rows], [contexts[row] for row in rows])
            name = graph if len(rows) == 1 else graph.replace("decode", "decodes")
            (logits,) = self.runner.run(name, words[:, :length].contiguous(), *known)
            found[rows, :length] = logits.cpu().numpy()[: len(rows)]
            found[rows, length:, EOS] = 0.0
            missing[rows] = (found[rows, : length - 1].argmax(-1) != EOS).all(1)
        return torch.from_numpy(found)

    def verify(self, ids: Tensor, context: Context) -> Tensor:
        before = F.pad(ids[:-1], (1, 0), value=BEGIN)
        (logits,) = self.runner.run("verify", *self._asked(before[None], [context]))
        return logits[0].cpu()

    def follow(self, ids: Tensor, contexts: Sequence[Context], said: Said | None) -> tuple[Tensor, Said]:
        rows, style, stated = self._asked(ids[:, None], contexts)
        plural = "" if len(rows) == 1 else "s"
        if said is None:
            logits, new_k, new_v = self.runner.run(f"begin{plural}", style, stated)
            known, first = self._nothing_said(len(rows)), 0
        else:
            place = torch.tensor([said.place])
            logits, new_k, new_v = self.runner.run(f"follow{plural}", rows, style, place, said.k, said.v, said.bias)
            known, first = said, CLAIMS + said.place
        slots = slice(first, first + new_k.shape[3])
        known.k[:, :, :, slots], known.v[:, :, :, slots], known.bias[:, slots] = new_k, new_v, 0.0
        return logits[: len(ids), 0].cpu(), replace(known, place=known.place + 1)

    def flow(self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        clean, style, stated = self._asked(clean[None], [context])
        logits, later = self.runner.run("flow", noisy[None], clean, now[None], then[None], style, stated)
        return logits[0].cpu(), later[0].cpu()

    def path(self, scene: Scene, speed_mps: float) -> Tensor:
        def velocity(actions: Tensor, sigma: Tensor) -> Tensor:
            given = (actions, sigma, scene.course[None], scene.states, scene.states_bias)
            return self.runner.run("steer", *given)[0]

        actions = sample(velocity, torch.zeros(1, STEPS, 2)).cpu()
        return path(actions, torch.tensor([speed_mps]))[0]

    def _asked(self, ids: Tensor, contexts: Sequence[Context]) -> tuple[Tensor, Tensor, Tensor]:
        """ids [n, ...] and contexts as the graphs take them, which are for one sentence or for SENTENCES: ids, styles
        and what is stated."""
        _check(ids, contexts)
        rows = 1 if len(ids) == 1 else SENTENCES
        style = torch.tensor([context.style for context in contexts])
        stated = torch.stack([context.stated for context in contexts])
        return _filled(ids, rows), _filled(style, rows), _filled(stated, rows)

    def _nothing_said(self, rows: int) -> Said:
        config, device = self._config, self.runner.device
        slots = CLAIMS + config.answer_length
        shape = (config.layers, rows, config.heads, slots, config.d // config.heads)
        k, v = (torch.zeros(shape, device=device) for _ in range(2))
        return Said(k, v, torch.full((rows, slots), HIDDEN, device=device), 0)

    def _window(self, ids: tuple[int, ...], start: int) -> Tensor:
        """[1, WINDOW + CHUNK] of ids, filled up."""
        return torch.tensor([[*ids, *[EOS] * CHUNK][start : start + WINDOW + CHUNK]])

    def _no_log(self) -> Log:
        config = self._config
        shape = (config.layers, config.heads, config.log_length, config.d // config.heads)
        device = self.runner.device
        k, v = (torch.zeros(shape, device=device) for _ in range(2))
        none = torch.zeros(1, 0, shape[-1], device=device)
        empty = _widened((none, none, torch.zeros(config.heads, 0, device=device)), self.memory_slots)
        bias = torch.full((config.log_length,), HIDDEN, device=device)
        return Log(k, v, bias, (), (EOS,) * WINDOW, 0, [empty] * config.layers)


def _check(ids: Tensor, contexts: Sequence[Context]) -> None:
    """Raises ValueError for none or too many sentences, or other contexts than these."""
    if len(ids) != len(contexts) or not 0 < len(ids) <= SENTENCES:
        raise ValueError(f"{len(ids)} sentences with {len(contexts)} contexts, at most {SENTENCES} at once")


def _filled(rows: Tensor, count: int) -> Tensor:
    """Filled up to `count` rows by repeating the first."""
    if len(rows) == count:
        return rows.contiguous()
    return torch.cat([rows, rows[:1].expand(count - len(rows), *rows.shape[1:])]).contiguous()


def _number(value: float) -> Tensor:
    return torch.tensor([float(value)])


def _log(log: Log) -> list[Tensor]:
    """A log as most graphs take it: its bias, then its layers."""
    return [log.bias[None], *log.layers]


def _widened(layer: tuple[Tensor, Tensor, Tensor], slots: int) -> tuple[Tensor, Tensor, Tensor]:
    """A layer of a memory, filled up to `slots`."""
    k, v, own = layer
    more = slots - own.shape[1]
    if more < 0:
        raise ValueError(f"a memory of {own.shape[1]} slots in a layer, at most {slots}")
    return F.pad(k, (0, 0, 0, more)), F.pad(v, (0, 0, 0, more)), F.pad(own, (0, more), value=HIDDEN)


def _sensed(logits: Tensor, inputs: Features) -> dict[str, NDArray[np.float32]]:
    """The logits of every scene fact whose sensor is there."""
    hidden = hidden_facts(bool(inputs.has_image[0]), bool(inputs.has_sound[0]))
    parts = split_facts(logits.float())
    return {name: parts[name].numpy() for name in SCENE_FACTS if name in parts and name not in hidden}


def _surest(logits: dict[str, NDArray[np.float32]]) -> dict[str, tuple[str, float]]:
    """The surest value of every fact, and its probability."""
    odds = {name: torch.from_numpy(each).softmax(-1).max(-1) for name, each in logits.items()}
    return {name: (SCENE_FACTS[name][int(best.indices)], float(best.values)) for name, best in odds.items()}
