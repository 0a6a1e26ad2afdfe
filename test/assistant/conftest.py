"""An engine that says what a test tells it to, and messages without ROS."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.engine.base import Context, Log, Memory, Percept, Said, Scene, Understood
from mm_edge.feedback.utterance import Utterance
from mm_edge.generation import DECODERS
from mm_edge.model.network import CLAIMS
from mm_edge.model.observation import Observation
from mm_edge.model.policy import STEPS
from mm_edge.model.tokenizer import Tokenizer
from mm_edge.trust.calibration import Calibration
from mm_edge.trust.constants import Belief, TrustConstants
from mm_edge.trust.novelty import Novelty, sight
from mm_edge.trust.options import Options
from mm_edge.world.grammar import sentences, vocabulary, write
from mm_edge.world.sentences_told import TOLD

S = 1_000_000_000
LENGTH = 16
GREY = np.full((4, 6, 3), 90, np.uint8)


class Parrot:
    """An engine that says `answers[text]`, as surely as `sure` says; `cost_s` passes on the clock with every pass.

    `facts`: what it sees in every picture; `logs`: the words of the log in every turn; `reads`: words read anew;
    `about`: what every request asks by; `claims`: what it finds for it. A context of it is a place in `sayings`.
    """

    name = "parrot"
    refused = ()
    history_slots = 4
    answer_length = LENGTH
    log_length = 192
    memory_length = memory_slots = 16
    width = 2

    def __init__(self, clock: ManualClock) -> None:
        self.tokenizer = Tokenizer(vocabulary(), ["unknown"], sentences())
        self.answers: dict[str, str] = {"": "<silent>"}
        self.sure = 0.99
        self.cost_s = 0.0
        self.encoded: list[Observation] = []
        self.histories: list[int] = []
        self.facts = {"light": ("red", 0.9)}
        self.logs: list[tuple[str, ...]] = []
        self.reads: list[int] = []
        self.ways: list[tuple[int, float]] = []
        self.way = torch.tensor([(5.0 * step, 0.0) for step in range(1, 9)])
        self.fails = False
        self._clock = clock
        self.sayings: list[str] = []
        self._text = ""
        self.about: tuple[str, ...] = ()
        self.claims = ""

    def encode(self, observation: Observation) -> Percept:
        if self.fails:
            raise RuntimeError("the engine stalled")
        self.encoded.append(observation)
        return Percept(torch.zeros(1, 2), torch.zeros(2), np.zeros(2, np.float32), self.facts, torch.zeros(STEPS, 2))

    def read(self, words: Sequence[str], known: Log | None = None) -> Log:
        ids = tuple(self.tokenizer.log(words))
        assert len(ids) <= self.log_length
        before = () if known is None else known.ids
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(ids, before, strict=False)))
        self.reads.append(len(ids) - same)
        log = known or self.resume([], 0, (0,) * 4)
        return replace(log, ids=ids)

    def remember(self, log: Log, words: int, memory: Memory) -> Log:
        return replace(log, ids=log.ids[words:], start=log.start + words, memory=memory)

    def resume(self, memory: Memory, start: int, before: Sequence[int]) -> Log:
        k, v = (torch.rand(1, 1, self.log_length, 2) for _ in range(2))
        return Log(k, v, torch.zeros(self.log_length), (), tuple(before), start, memory)

    def ask(self, asked: Tensor, log: Log) -> Tensor:
        return torch.rand(1, 1, 3 * len(asked), 2)

    def path(self, scene: Scene, speed_mps: float) -> Tensor:
        self.ways.append((len(scene.k), speed_mps))
        return self.way

    def look(self, history: Tensor | None, percept: Percept) -> Scene:
        """As long as what was seen before it."""
        return Scene(*[torch.zeros(0 if history is None else len(history))] * 6)

    def understand(self, scene: Scene, text: str) -> Understood:
        self._text = text
        return Understood(torch.zeros(0), self.about)

    def prefill(self, scene: Scene, text: str, style: int, log: Log | None = None) -> Context:
        return self.find(scene, self.understand(scene, text), style, log)

    def find(self, scene: Scene, understood: Understood, style: int, log: Log | None = None) -> Context:
        text, known = self._text, () if log is None else log.ids
        self.logs.append(tuple(self.tokenizer.tokens[index] for index in known))
        self.histories.append(len(scene.k))
        return self._context(self.answers.get(text, "<refuse> I do not know that."), style)

    def tell(self, claims: Sequence[Sequence[int]], style: int) -> list[Context]:
        return [self._context(self._told([self.tokenizer.tokens[index] for index in row]), style) for row in claims]

    def decode(self, ids: Tensor, contexts: Sequence[Context]) -> Tensor:
        assert ids.shape == (len(contexts), LENGTH)
        self._pass()
        return torch.stack([self._odds(context) for context in contexts])

    def verify(self, ids: Tensor, context: Context) -> Tensor:
        self._pass()
        return self._odds(context)

    def follow(self, ids: Tensor, contexts: Sequence[Context], said: Said | None) -> tuple[Tensor, Said]:
        self._pass()
        nothing = torch.zeros(0)
        place = 0 if said is None else said.place
        odds = torch.stack([self._odds(context)[place] for context in contexts])
        return odds, Said(nothing, nothing, nothing, place + 1)

    def flow(self, noisy: Tensor, clean: Tensor, now: Tensor, then: Tensor, context: Context) -> tuple[Tensor, Tensor]:
        self._pass()
        return self._odds(context), noisy

    def _context(self, sentence: str, style: int) -> Context:
        self.sayings.append(sentence)
        found = self.tokenizer.claims(self.claims, CLAIMS) if self.claims else []
        return Context(
            torch.tensor([len(self.sayings) - 1]),
            style,
            self.about,
            tuple(((index, 0.9),) for index in found),
        )

    def _told(self, claim: Sequence[str]) -> str:
        """The first sentence that states it."""
        topic, kind, *values = (word for word in claim if word != "<eos>")
        if topic == "<stops_since>":
            return write("stops_since", {"number": kind}, 1)
        (names,) = ([*template.facts] for template in TOLD if template.facts.get("event") == kind)
        return write(topic[1:-1], dict(zip(sorted(names), [kind, *values], strict=True)), 1)

    def _pass(self) -> None:
        self._clock.set(self._clock.now_ns() + round(self.cost_s * S))

    def _odds(self, context: Context) -> Tensor:
        said = self.tokenizer.sentence(self.sayings[int(context.stated)], LENGTH)
        others = len(self.tokenizer) - self.tokenizer.first_spoken
        odds = torch.full((LENGTH, len(self.tokenizer)), -torch.inf)
        odds[:, self.tokenizer.first_spoken :] = np.log((1 - self.sure) / others)
        odds[torch.arange(LENGTH), said] = np.log(self.sure)
        return odds[:, self.tokenizer.sayable]


class Spoken:
    """Keeps what is published; `until(count)` waits for as many final words."""

    def __init__(self) -> None:
        self.outputs: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, output: Any) -> None:
        with self._changed:
            self.outputs.append(output)
            self._changed.notify_all()

    def finals(self) -> list[Utterance]:
        return [o for o in self.outputs if isinstance(o, Utterance) and o.final]

    def until(self, count: int, timeout_s: float = 10.0) -> list[Utterance]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.finals()) >= count, timeout_s)
        return self.finals()


@pytest.fixture
def said() -> Spoken:
    return Spoken()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(100 * S)


@pytest.fixture
def parrot(clock: ManualClock) -> Parrot:
    return Parrot(clock)


@pytest.fixture
def constants() -> TrustConstants:
    """All raw confidences are taken at their word, and nothing is as familiar as GREY."""
    nothing = Percept(torch.zeros(1, 2), torch.zeros(2), np.zeros(2, np.float32), {}, torch.zeros(STEPS, 2))
    familiar = sight(GREY, nothing)
    vectors = familiar + np.random.default_rng(0).normal(size=(400, familiar.size))
    belief = Belief(tuple(DECODERS), {"now": Calibration(), "past": Calibration()}, accept=0.7, hedge=0.4)
    return TrustConstants("", "fp32", (belief,), Novelty.fit(vectors), Options({}))


@pytest.fixture
def config() -> AssistantConfig:
    return AssistantConfig(watch_rate_hz=30.0, alert_repeat_s=10.0)


def header(at_s: float, frame_id: str = "") -> SimpleNamespace:
    stamp_ns = round(at_s * S)
    return SimpleNamespace(stamp=SimpleNamespace(sec=stamp_ns // S, nanosec=stamp_ns % S), frame_id=frame_id)


@pytest.fixture
def make() -> Callable[..., Any]:
    """`make(topic, at_s, **fields)`: something with the attributes of the topic's message."""

    def made(topic: str, at_s: float, **fields: Any) -> SimpleNamespace:
        nan = float("nan")
        values: dict[str, dict[str, Any]] = {
            "image": {"height": 4, "width": 6, "encoding": "rgb8", "step": 18, "data": GREY.tobytes()},
            "image/compressed": {"format": "jpeg", "data": b""},
            "vehicle_state": dict.fromkeys(
                (
                    "acceleration_mps2", "yaw_rate_rps", "steering_angle_rad", "throttle", "brake",
                    "energy_percent", "range_m", "speed_limit_mps",
                ), nan,
            ) | {"speed_mps": 10.0, "gear": 4, "left_indicator": False, "right_indicator": False},
            "event": {"kind": "call", "name": "Anna", "numbers": np.array([12], np.float32)},
            "task_step": {
                "task_id": "t", "task": "pizza order", "index": 1, "count": 2, "name": "find", "status": 0,
                "result": "",
            },
            "request": {"id": "q", "text": "what is ahead", "deadline_ms": 500.0, "stakes": 1},
            "audio": {"sample_rate_hz": 16_000, "channels": 1, "samples": np.zeros(1600, np.int16)},
        }  # fmt: skip
        return SimpleNamespace(header=header(at_s, fields.pop("frame_id", "")), **(values[topic] | fields))

    return made
