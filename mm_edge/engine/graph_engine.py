"""One turn on whatever runs the graphs: fills up to the static shapes, and hides the filling.

Knows nothing about sentences' meaning, deadlines or memory policies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.engine.base import Context, Log, Percept, Runner, Said
from mm_edge.model.features import Features, features
from mm_edge.model.graphs import CHUNK, SENTENCES, split_facts
from mm_edge.model.network import BEGIN, HIDDEN, WINDOW, NetworkConfig
from mm_edge.model.observation import Observation
from mm_edge.model.policy import STEPS, path, sample
from mm_edge.model.schema import SCENE_FACTS, hidden_facts
from mm_edge.model.tokenizer import EOS, Tokenizer


class GraphEngine:
    """One observation, one request at a time. Not thread-safe: one worker owns it.

    `refused`: why each engine that was to be preferred is not this one.
    """

    def __init__(self, config: NetworkConfig, tokenizer: Tokenizer, runner: Runner) -> None:
        self.name = runner.name
        self.tokenizer = tokenizer
        self.history_slots = config.history_slots
        self.answer_length = config.answer_length
        self.log_length = config.log_length
        self.width = config.d
        self.refused: tuple[str, ...] = ()
        self._config = config
        self.runner = runner

    def encode(self, observation: Observation) -> Percept:
        inputs = features([observation])
        tokens, summary, pooled, facts, course = self.runner.run("encode", *vars(inputs).values())
        return Percept(tokens[0], summary[0], pooled[0].cpu().numpy(), _scene(facts[0].cpu(), inputs), course[0])

    def read(self, words: Sequence[str], known: Log | None = None) -> Log:
        ids = tuple(self.tokenizer.log(words))
        if len(ids) > self.log_length:
            raise ValueError(f"a log of {len(ids)} words, at most {self.log_length}")
        log = self._no_log() if known is None else known
        same = next((i for i, pair in enumerate(zip(ids, log.ids, strict=False)) if pair[0] != pair[1]), len(log.ids))
        bias = log.bias.clone()
        for start in range(min(same, len(ids)) // CHUNK * CHUNK, len(ids), CHUNK):
            bias[start:] = HIDDEN
            k, v = self.runner.run("read", self._window(ids, start), _number(start), *_layers(log.k, log.v, bias))
            log.k[:, :, start : start + CHUNK], log.v[:, :, start : start + CHUNK] = k[:, 0], v[:, 0]
            bias[start : start + CHUNK] = 0.0
        bias[len(ids) :] = HIDDEN
        return Log(log.k, log.v, bias, ids)

    def prefill(
        self, history: Tensor | None, percept: Percept, text: str, style: int, log: Log | None = None
    ) -> Context:
        seen, missing = self._seen(history, percept)
        ids = self.tokenizer.request(text, self._config.request_length)
        filling = self._config.request_length - len(ids)
        known = log or self._no_log()
        bias = torch.zeros(self._config.turn_length, device=self.runner.device)
        bias[:missing] = HIDDEN
        bias[len(bias) - filling :] = HIDDEN
        k, v = self.runner.run(
            "prefill",
            *seen,
            torch.tensor([ids + [EOS] * filling]),
            _number(len(known.ids)),
            bias[None],
            *_layers(known.k, known.v, known.bias),
        )
        return Context(k[:, 0], v[:, 0], style)

    def tell(self, claims: Sequence[Sequence[int]], style: int) -> list[Context]:
        if not 0 < len(claims) <= SENTENCES:
            raise ValueError(f"{len(claims)} sentences at once, from 1 to {SENTENCES} are possible")
        rows = torch.tensor([list(each) for each in claims])
        k, v = self.runner.run("tell", _filled(rows, SENTENCES))
        return [Context(k[:, row], v[:, row], style) for row in range(len(claims))]

    def decode(self, ids: Tensor, contexts: Sequence[Context]) -> Tensor:
        (logits,) = self.runner.run("decode" if len(ids) == 1 else "decodes", *self._asked(ids, contexts))
        return logits[: len(ids)].cpu()

    def verify(self, ids: Tensor, context: Context) -> Tensor:
        before = F.pad(ids[:-1], (1, 0), value=BEGIN)
        (logits,) = self.runner.run("verify", *self._asked(before[None], [context]))
        return logits[0].cpu()

    def follow(self, ids: Tensor, contexts: Sequence[Context], said: Said | None) -> tuple[Tensor, Said]:
        rows, style, k, v = self._asked(ids[:, None], contexts)
        known = said or self._nothing_said(len(rows))
        place = torch.tensor([known.place])
        graph = "follow" if len(rows) == 1 else "follows"
        logits, new_k, new_v = self.runner.run(graph, rows, style, place, k, v, known.k, known.v, known.bias)
        known.k[:, :, :, known.place], known.v[:, :, :, known.place] = new_k[:, :, :, 0], new_v[:, :, :, 0]
        known.bias[:, known.place] = 0.0
        return logits[: len(ids), 0].cpu(), Said(known.k, known.v, known.bias, known.place + 1)

    def flow(self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        clean, style, k, v = self._asked(clean[None], [context])
        logits, later = self.runner.run("flow", noisy[None], clean, now[None], then[None], style, k, v)
        return logits[0].cpu(), later[0].cpu()

    def path(self, history: Tensor | None, percept: Percept, speed_mps: float) -> Tensor:
        seen, missing = self._seen(history, percept)
        bias = torch.zeros(1, self._config.scene_length)
        bias[:, :missing] = HIDDEN
        states, states_bias = self.runner.run("look", *seen, bias)

        def velocity(actions: Tensor, sigma: Tensor) -> Tensor:
            return self.runner.run("steer", actions, sigma, percept.course[None], states, states_bias)[0]

        actions = sample(velocity, torch.zeros(1, STEPS, 2)).cpu()
        return path(actions, torch.tensor([speed_mps]))[0]

    def _asked(self, ids: Tensor, contexts: Sequence[Context]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """ids [n, ...] and contexts as the graphs take them, which are for one sentence or for SENTENCES."""
        if len(ids) != len(contexts) or not 0 < len(ids) <= SENTENCES:
            raise ValueError(f"{len(ids)} sentences with {len(contexts)} contexts, at most {SENTENCES} at once")
        rows = 1 if len(ids) == 1 else SENTENCES
        k, v = (
            _filled(torch.stack(each), rows).transpose(0, 1)
            for each in zip(*((c.k, c.v) for c in contexts), strict=True)
        )
        style = torch.tensor([context.style for context in contexts])
        return _filled(ids, rows), _filled(style, rows), k, v

    def _nothing_said(self, rows: int) -> Said:
        config, device = self._config, self.runner.device
        shape = (config.layers, rows, config.heads, config.answer_length, config.d // config.heads)
        k, v = (torch.zeros(shape, device=device) for _ in range(2))
        return Said(k, v, torch.full((rows, config.answer_length), HIDDEN, device=device), 0)

    def _seen(self, history: Tensor | None, percept: Percept) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        """The scene as the graphs take it, and how many slots of its history are only filling."""
        past = percept.summary.new_zeros(0, len(percept.summary)) if history is None else history
        missing = self.history_slots - len(past)
        if missing < 0:
            raise ValueError(f"a history of {len(past)} summaries, at most {self.history_slots}")
        return (F.pad(past, (0, 0, missing, 0))[None], percept.summary[None], percept.tokens[None]), missing

    def _window(self, ids: tuple[int, ...], start: int) -> Tensor:
        """[1, WINDOW + CHUNK] from the words before `start` on, filled up on both sides."""
        row = [EOS] * WINDOW + list(ids) + [EOS] * CHUNK
        return torch.tensor([row[start : start + WINDOW + CHUNK]])

    def _no_log(self) -> Log:
        config = self._config
        shape = (config.layers, config.heads, config.log_length, config.d // config.heads)
        device = self.runner.device
        k, v = (torch.zeros(shape, device=device) for _ in range(2))
        return Log(k, v, torch.full((config.log_length,), HIDDEN, device=device), ())


def _filled(rows: Tensor, count: int) -> Tensor:
    """Filled up to `count` rows by repeating the first."""
    return torch.cat([rows, rows[:1].expand(count - len(rows), *rows.shape[1:])]).contiguous()


def _number(value: float) -> Tensor:
    return torch.tensor([float(value)])


def _layers(k: Tensor, v: Tensor, bias: Tensor) -> list[Tensor]:
    """A log as the graphs take it: its bias, then keys and values of each layer in turn, in a batch of one."""
    return [bias[None], *(part[None] for layer in zip(k, v, strict=True) for part in layer)]


def _scene(logits: Tensor, inputs: Features) -> dict[str, tuple[str, float]]:
    """The surest value of every scene fact whose sensor is there."""
    hidden = hidden_facts(bool(inputs.has_image[0]), bool(inputs.has_sound[0]))
    best = {
        name: part.softmax(-1).max(-1)
        for name, part in split_facts(logits).items()
        if name in SCENE_FACTS and name not in hidden
    }
    return {name: (SCENE_FACTS[name][int(p.indices)], float(p.values)) for name, p in best.items()}
