"""How often the model's sentences state the right facts, on drives that it was not trained on.

Goes the way of a session (summaries every half second, one turn at a time) without its clocks and thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor

from mm_edge.engine.base import Context, Engine, Percept, Scene
from mm_edge.generation import DECODERS
from mm_edge.generation.draft import Draft
from mm_edge.memory.drive import DriveMemory
from mm_edge.memory.ledger import counted
from mm_edge.model.network import STYLES
from mm_edge.model.policy import STEPS, path
from mm_edge.training.batches import SPACING_S
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import parse
from mm_edge.world.journey import Journey
from mm_edge.world.questions import FAMILIES, Question, ask, right
from mm_edge.world.recall import HISTORY_FAMILIES, ask_history

DURATION_S = 14.0
PASSES = 24
DECODER_NAME = "quality"
DECODER = DECODERS[DECODER_NAME]
"""What shares of right answers are told of."""
MOMENTS, TURNS = 2, 6
"""Of a drive, and questions at each of them."""
TOGETHER = STYLES
"""Requests in people's own words that are asked on one drive, each answered in another style."""
ROUTED_WORDS = 256
"""Words of the log whose names a request in people's own words may hold."""


@dataclass(frozen=True)
class Posed:
    """A question at a moment of a drive, before it is understood. past: the summaries of what was seen before; percept:
    what is seen; request: its text with names marked; journey, memory: the log and what the assistant kept of it, None
    where there is none."""

    question: Question
    drive: Drive
    t_s: float
    past: Tensor
    percept: Percept
    request: str
    style: int
    journey: Journey | None = None
    memory: DriveMemory | None = None

    def forbidden(self, engine: Engine) -> list[int]:
        """Names that nobody mentioned, and what is said unasked only."""
        tokenizer = engine.tokenizer
        held = set(tokenizer.log(self.journey.words)) if self.journey else set()
        nobody = [index for index in tokenizer.names if index not in held]
        return [*nobody, *(tokenizer.unasked if self.request else ())]

    def understood(self, engine: Engine, scene: Scene, whole: bool = True) -> Context:
        """Read with what is seen, and with all of the log, or with its end."""
        log = self.memory.read() if self.memory else None
        log = log if log is None or whole else log.recent
        context = engine.prefill(scene, self.request, self.style, log)
        return context if self.memory is None else counted(engine, context, self.memory.ledger)


@dataclass(frozen=True)
class Asked:
    """A question on a drive of this seed, and what its answer is to be worded from. facts: of the scene, as `Percept`
    has them."""

    question: Question
    context: Context
    forbidden: Sequence[int]
    facts: dict[str, tuple[str, float]]
    seed: int


@dataclass(frozen=True)
class Outcome:
    """One turn."""

    question: Question
    sentence: str
    right: bool
    grammatical: bool
    confidence: float
    passes: int


Pair = tuple[Outcome, Outcome]
"""What at most PASSES passes give, and what the first one gave."""


def outcomes(engine: Engine, first_seed: int, drives: int) -> Iterator[Pair]:
    """Answers to `asked_now`."""
    return (evaluate(engine, asked) for asked in asked_now(engine, first_seed, drives))


def recalled(engine: Engine, first_seed: int, drives: int, words: int) -> Iterator[Pair]:
    """Answers to `asked_past`."""
    return (evaluate(engine, asked) for asked in asked_past(engine, first_seed, drives, words))


def asked_now(engine: Engine, first_seed: int, drives: int) -> Iterator[Asked]:
    """What `posed_now` asks, understood."""
    return (answerable(engine, posed) for posed in posed_now(engine, first_seed, drives))


def asked_past(engine: Engine, first_seed: int, drives: int, words: int) -> Iterator[Asked]:
    """What `posed_past` asks, understood."""
    return (answerable(engine, posed) for posed in posed_past(engine, first_seed, drives, words))


def posed_now(engine: Engine, first_seed: int, drives: int, words: int = 0) -> Iterator[Posed]:
    """Questions about the present at MOMENTS of each of `drives` drives from `first_seed` on, families in turn; with
    logs of `words` words behind them, 0: without."""
    families = cycle(FAMILIES)
    for seed in range(first_seed, first_seed + drives):
        rng = np.random.default_rng([seed, 11])
        drive, log = Drive(seed, DURATION_S), logged(engine, seed, words) if words else ()
        for t_s in rng.uniform(4.6, DURATION_S - 0.5, MOMENTS):
            there = seen(engine, drive, t_s)
            for family in islice(families, TURNS):
                question = ask(drive, t_s, rng, family)
                yield Posed(question, drive, t_s, *there, question.text, int(rng.integers(1, STYLES + 1)), *log)


def posed_past(engine: Engine, first_seed: int, drives: int, words: int) -> Iterator[Posed]:
    """As `posed_now`, about the past: logs of `words` words."""
    families = cycle(HISTORY_FAMILIES)
    for seed in range(first_seed, first_seed + drives):
        rng = np.random.default_rng([seed, 13])
        (journey, memory), t_s = logged(engine, seed, words), rng.uniform(4.6, DURATION_S - 0.5)
        drive = Drive(seed, DURATION_S)
        there = seen(engine, drive, t_s)
        for family in islice(families, MOMENTS * TURNS):
            question = ask_history(journey, rng, family)
            request = journey.names.marked(question.text)
            yield Posed(question, drive, t_s, *there, request, int(rng.integers(1, STYLES + 1)), journey, memory)


def logged(engine: Engine, seed: int, words: int) -> tuple[Journey, DriveMemory]:
    """A log of so many words, and what the assistant keeps of it."""
    journey, memory = Journey(seed, words), DriveMemory(engine)
    for line in journey.lines:
        memory.write(line)
    return journey, memory


def routed(engine: Engine, first_seed: int, requests: Sequence[str]) -> list[str]:
    """The topics of the answers to requests in people's own words, TOGETHER of them on a drive. The log is not read:
    what a request asks is understood without it."""
    topics = []
    for scene, text, style in on_some_drive(engine, first_seed, requests):
        context = engine.prefill(scene, text, style)
        topics.append(next(DECODER(engine, context, 1, engine.tokenizer.unasked)).topic)
    return topics


def on_some_drive(engine: Engine, first_seed: int, requests: Sequence[str]) -> Iterator[tuple[Scene, str, int]]:
    """Requests, names marked, with the scene of a drive that TOGETHER of them share, and a style."""
    for first in range(0, len(requests), TOGETHER):
        seed, texts = first_seed + first // TOGETHER, requests[first : first + TOGETHER]
        journey = Journey(seed, ROUTED_WORDS)
        scene = engine.look(None, engine.encode(Drive(seed, DURATION_S).observation(DURATION_S / 2)))
        for style, text in enumerate(texts, 1):
            yield scene, journey.names.marked(text), style


def driven(engine: Engine, first_seed: int, drives: int) -> Iterator[tuple[float, float]]:
    """Mean distance in metres between the path and the true one, and between constant velocity and the true one, at one
    moment of each drive whose speed is known."""
    for seed in range(first_seed, first_seed + drives):
        drive = Drive(seed, DURATION_S)
        t_s = np.random.default_rng([seed, 17]).uniform(4.6, DURATION_S - 0.5)
        speed_mps = drive.state(t_s).speed_mps
        if np.isnan(speed_mps):
            continue
        past, percept = seen(engine, drive, t_s)
        true = torch.from_numpy(drive.path(t_s))
        straight = path(torch.zeros(1, STEPS, 2), torch.tensor([speed_mps]))[0]
        yield _apart(engine.path(engine.look(past, percept), speed_mps), true), _apart(straight, true)


def seen(engine: Engine, drive: Drive, t_s: float) -> tuple[Tensor, Percept]:
    """The summaries before `t_s`, from the drive's beginning on, and what is seen at it."""
    before_s = (t_s - age * SPACING_S for age in range(engine.history_slots, 0, -1))
    past = [engine.encode(drive.observation(each_s)).summary for each_s in before_s if each_s >= 0]
    return torch.stack(past), engine.encode(drive.observation(t_s))


def evaluate(engine: Engine, asked: Asked) -> Pair:
    """One turn."""
    first, *better = DECODER(engine, asked.context, PASSES, asked.forbidden)
    return tuple(outcome(asked, draft) for draft in (better[-1] if better else first, first))  # type: ignore[return-value]


def answerable(engine: Engine, posed: Posed) -> Asked:
    """A question, once it is understood."""
    return as_asked(engine, posed, posed.understood(engine, engine.look(posed.past, posed.percept)))


def as_asked(engine: Engine, posed: Posed, context: Context) -> Asked:
    """What was posed, as it was understood."""
    return Asked(posed.question, context, posed.forbidden(engine), posed.percept.facts, posed.drive.seed)


def _apart(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm(dim=-1).mean())


def outcome(asked: Asked, draft: Draft) -> Outcome:
    sentence = said(draft)
    is_right, grammatical = right(sentence, asked.question), parse(sentence) is not None
    return Outcome(asked.question, sentence, is_right, grammatical, draft.confidence, draft.passes)


def said(draft: Draft) -> str:
    """The draft as the grammar writes it."""
    return f"<{draft.topic}> {draft.text}".strip()
