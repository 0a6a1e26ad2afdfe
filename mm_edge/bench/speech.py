"""How many passes a sentence takes, and how often it is right, by every way to make one.

All of them word the same claims: understood and found once, by the same trunk, and kept. Every decoder then answers
every request in turn on one thread, so that times and shares compare. A sentence counts as right when parsing it gives
exactly the facts of the drive. What is right in it was decided when it was found; so every share is also told relative
to greedy autoregressive decoding. Longer answers tell up to four events of a log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
import torch

from mm_edge.bench.harness import Plot, Result, percentile, wilson
from mm_edge.engine import open_engine, weights_path
from mm_edge.engine.base import Context, Engine
from mm_edge.engine.export import default_cache, export
from mm_edge.engine.graph_engine import GraphEngine
from mm_edge.generation import DECODERS
from mm_edge.generation.autoregressive import Autoregressive, in_turn
from mm_edge.generation.diffusion import FAST, QUALITY, SPEEDY, DraftAndEdit, side_by_side
from mm_edge.generation.draft import Decoder, Draft
from mm_edge.generation.flow import FlowMap, Refinement
from mm_edge.generation.voting import Voting
from mm_edge.memory.digest import claim
from mm_edge.model.events import EVENTS
from mm_edge.model.network import CLAIMS, STYLES
from mm_edge.training.evaluate import (
    DURATION_S,
    Asked,
    answerable,
    asked_now,
    asked_past,
    outcome,
    posed_now,
    said,
    seen,
)
from mm_edge.world.drive import Drive
from mm_edge.world.grammar import Facts, draw, facts_of, parse, write
from mm_edge.world.journey import Journey

PASSES = 200
"""More than any decoder takes."""
WAYS: dict[str, Decoder] = {
    "autoregressive": DECODERS["autoregressive"],
    "speculative, trigrams": DECODERS["speculative"],
    "diffusion, one pass": DraftAndEdit(FAST),
    "confidence-parallel": DECODERS["fast"],
    "draft and edit, speedy": DECODERS["speedy"],
    "draft and edit, quality": DECODERS["quality"],
    "draft and verify": DECODERS["verified"],
    "voting": DECODERS["voting"],
    "majority of 5": Voting(stops=False, remasks=False),
    "flow map, 1 step": FlowMap(1),
    "flow map, 4 steps": FlowMap(4),
    "flow map, refined": Refinement(4),
}
LOG_WORDS = 512


@dataclass(frozen=True)
class Size:
    """drives with requests about the present, 12 of each; logs, 12 requests of each; longer answers; fact sets of which
    all wordings are listed; requests whose time is taken on the large rung."""

    drives: int
    logs: int
    long: int
    wordings: int
    timed: int


FULL, QUICK = Size(60, 30, 100, 100, 100), Size(11, 6, 16, 24, 20)


@dataclass
class Tally:
    """What one decoder made of all requests."""

    right: list[bool] = field(default_factory=list)
    grammatical: list[bool] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    ids: list[tuple[int, ...]] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def add(self, draft: Draft, is_right: bool, ms: float) -> None:
        self.right.append(is_right)
        self.grammatical.append(draft.is_sentence)
        self.passes.append(draft.passes)
        self.tokens.append(draft.length)
        self.ids.append(draft.ids[: draft.length])
        self.ms.append(ms)

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.right))

    @property
    def mean_passes(self) -> float:
        return float(np.mean(self.passes))


def measure(seed: int, quick: bool) -> Result:
    torch.set_num_threads(1)
    size = QUICK if quick else FULL
    engine = exported("small", "fp32")
    tallies = answered(engine, seed, size)
    wordings = {name: distinct(engine, way, size.wordings) for name, way in WAYS.items() if name in VARIED}
    free = {name: freely(engine, way, size.wordings) for name, way in FREE.items()}
    fast, lines = on_large(seed, size)
    table = [_row(name, tally, tallies["autoregressive"], wordings) for name, tally in tallies.items()]
    table += [{"decoder": f"untold: {name}"} | row for name, row in free.items()] + lines
    n = len(tallies["autoregressive"].right)
    notes = [
        f"small rung, {engine.name}, {n} requests from seed {seed}: {size.drives} drives, {size.logs} logs of "
        f"{LOG_WORDS} words",
        "time: of the words alone, median, relative to autoregressive; right: intervals of 95 % by Wilson",
        f"wordings: different right sentences for the same facts, by 8 styles; untold: no style, {STYLES} tries",
        f"turn, long: large rung, {LARGE}, with understanding and finding; {size.timed} requests about the present, "
        f"{size.long} answers of five sentences that sum up a log; neither is found in the log; words: without both",
    ]
    plot = Plot("passes", "share of right sentences", [(n_, t.mean_passes, t.accuracy) for n_, t in tallies.items()])
    return Result(_headline(tallies, wordings) | fast | {"n": float(n)}, table, notes, plot)


def answered(engine: Engine, seed: int, size: Size) -> dict[str, Tally]:
    """Every way's answers to the same requests."""
    tallies = {name: Tally() for name in WAYS}
    for number, asked in enumerate(_requests(engine, seed, size)):
        for name, way in WAYS.items():
            most = 1 if name == "diffusion, one pass" else PASSES
            began_s = time.perf_counter()
            *_, draft = way(engine, asked.context, most, asked.forbidden, number)
            ms = (time.perf_counter() - began_s) * 1e3
            tallies[name].add(draft, outcome(asked, draft).right, ms)
    return tallies


def distinct(engine: Engine, way: Decoder, sets: int) -> float:
    """Different right sentences for the same facts, by every style, on the mean."""
    rng = np.random.default_rng(5)
    found = []
    for topic, facts in (draw(rng) for _ in range(sets)):
        if topic == "silent":
            continue
        wanted = {write(topic, facts, style) for style in range(1, STYLES + 1)}
        claims = _claims(engine, topic, facts)
        sentences = {_last(way(engine, engine.tell([claims], style)[0], PASSES)) for style in range(1, STYLES + 1)}
        found.append(len({sentence.lower() for sentence in sentences} & {sentence.lower() for sentence in wanted}))
    return float(np.mean(found))


def freely(engine: Engine, way: Decoder, sets: int) -> dict[str, object]:
    """Without a style: how often a sentence is right, and how many different right ones there are in STYLES tries."""
    rng = np.random.default_rng(7)
    shares, varied, passes = [], [], []
    for topic, facts in (draw(rng) for _ in range(sets // 2)):
        context = engine.tell([_claims(engine, topic, facts)], 0)[0]
        drafts = [[*way(engine, context, PASSES, (), seed)][-1] for seed in range(STYLES)]
        rights = [said(draft) for draft in drafts if parse(said(draft)) == facts_of(topic, facts)]
        shares.append(len(rights) / STYLES)
        varied.append(len(set(rights)))
        passes += [draft.passes for draft in drafts]
    return {"passes": float(np.mean(passes)), "right": float(np.mean(shares)), "wordings": float(np.mean(varied))}


LARGE = "int8"
VARIED = ("autoregressive", "draft and edit, speedy", "draft and edit, quality", "flow map, 1 step")
FREE: dict[str, Decoder] = {
    "in turn, sampled": Autoregressive(1.0),
    "draft and edit, quality": DraftAndEdit(QUALITY),
    "voting, one sample": Voting(samples=1, temperature=1.0),
    "flow map, 1 step": FlowMap(1),
    "flow map, 4 steps": FlowMap(4),
    "flow map, refined": Refinement(8),
}


def exported(rung: str, precision: str) -> GraphEngine:
    """On ONNX Runtime and one thread; from a cache of its own, so that nodes do not come to use it."""
    weights, cache = weights_path(rung), default_cache() / "bench"
    export(weights, "onnxruntime", precision, cache)
    return open_engine(weights, "onnxruntime", precision, 1, cache)


def on_large(seed: int, size: Size) -> tuple[dict[str, float], list[dict[str, object]]]:
    """Wall clock of whole turns on the large rung in int8, and of longer answers; both sides in turns."""
    engine = exported("large", LARGE)
    (short, wording), long = _timed_turns(engine, seed, size.timed), _timed_long(engine, seed, size.long)
    lines: list[dict[str, object]] = []
    for what, found in (("turn", short), ("words", wording), ("long", long)):
        base = float(np.median(found["autoregressive"][0]))
        for name, (ms, rights, passes) in found.items():
            lines.append({
                "decoder": f"{what}: {name}",
                "passes": float(np.mean(passes)),
                "time": float(np.median(ms)) / base,
                "right": float(np.mean(rights)),
            })  # fmt: skip
    headline = {
        "speedy_speedup_over_ar": _faster(short, "speedy"),
        "speedy_words_speedup_over_ar": _faster(wording, "speedy"),
        "speedy_speedup_over_ar_long": _faster(long, "speedy, side by side"),
        "speedy_speedup_over_ar_side_by_side_long": _faster(long, "speedy, side by side", "in turn, side by side"),
        "long_accuracy": float(np.mean(long["speedy, side by side"][1])),
        "long_accuracy_ar": float(np.mean(long["autoregressive"][1])),
    }
    return headline, lines


Timed = dict[str, tuple[list[float], list[bool], list[int]]]
"""Milliseconds, whether right, and passes of every answer, by decoder."""


def _timed_turns(engine: Engine, seed: int, count: int) -> tuple[Timed, Timed]:
    """Of whole turns, and of their words alone."""
    ways = {"autoregressive": DECODERS["autoregressive"], "speedy": DECODERS["speedy"], "quality": DECODERS["quality"]}
    found: Timed = {name: ([], [], []) for name in ways}
    wording: Timed = {name: ([], [], []) for name in ways}
    drives = -(-count // 12)
    for number, posed in enumerate(islice(posed_now(engine, seed, drives), count)):
        asked, scene = answerable(engine, posed), engine.look(posed.past, posed.percept)
        for name, way in _in_turns(ways, number):
            began_s = time.perf_counter()
            engine.prefill(scene, posed.request, posed.style)
            found_s = time.perf_counter()
            *_, draft = way(engine, asked.context, PASSES, asked.forbidden)
            rights = [outcome(asked, draft).right]
            _note(found[name], began_s, rights, draft.passes)
            _note(wording[name], found_s, rights, draft.passes)
    return found, wording


W = TypeVar("W")
Make = Callable[[Sequence[Context]], Iterator[list[Draft]]]


def _timed_long(engine: Engine, seed: int, count: int) -> Timed:
    """An introduction and up to four sentences, from understanding on."""

    def one_by_one(make: Make) -> Callable[[Sequence[Context]], list[Draft]]:
        return lambda contexts: [[*make([context])][-1][0] for context in contexts]

    def together(make: Make) -> Callable[[Sequence[Context]], list[Draft]]:
        return lambda contexts: [*make(contexts)][-1]

    def in_words(contexts: Sequence[Context]) -> Iterator[list[Draft]]:
        return in_turn(engine, contexts, PASSES)

    def speedy(contexts: Sequence[Context]) -> Iterator[list[Draft]]:
        return side_by_side(engine, contexts, SPEEDY, PASSES)

    ways = {
        "autoregressive": one_by_one(in_words),
        "in turn, side by side": together(in_words),
        "speedy": one_by_one(speedy),
        "speedy, side by side": together(speedy),
    }
    found: Timed = {name: ([], [], []) for name in ways}
    for number in range(count):
        rng = np.random.default_rng([seed + number, 59])
        journey = Journey(seed + number, 256)
        chosen = [journey.lines[place] for place in sorted(rng.choice(len(journey.lines), 4, replace=False).tolist())]
        claims = [claim(line) for line in chosen]
        again, style = _prefill_of(engine, seed + number), int(rng.integers(1, STYLES + 1))
        for name, way in _in_turns(ways, number):
            began_s = time.perf_counter()
            again()
            first = engine.tell([_ids(engine, "<summary>")], style)
            drafts = way(first) + way(engine.tell([_ids(engine, text) for text in claims], style))
            facts = [facts_told(line) for line in chosen]
            rights = [parse(said(draft)) == told for draft, told in zip(drafts[1:], facts, strict=True)]
            _note(found[name], began_s, rights, max(draft.passes for draft in drafts))
    return found


def _in_turns(ways: Mapping[str, W], number: int) -> list[tuple[str, W]]:
    """Another way first each time: who comes later finds more of the network in the processor's caches."""
    order, first = [*ways.items()], number % len(ways)
    return order[first:] + order[:first]


def facts_told(line: Sequence[str]) -> Facts:
    """What a sentence must state that tells of a line of a log."""
    kind, *arguments = line[: 1 + len(EVENTS[line[0]])]
    names = {"service": ("since", "until"), "route": ("name", "km", "min")}.get(kind, EVENTS[kind])
    facts = {"event": kind} | dict(zip(names, arguments, strict=True))
    facts.pop("km", None)
    return facts_of("told", facts)


def _prefill_of(engine: Engine, seed: int) -> Callable[[], Context]:
    """Understanding and finding once more, as part of a turn."""
    past, percept = seen(engine, Drive(seed, DURATION_S), 6.0)
    scene = engine.look(past, percept)
    return lambda: engine.prefill(scene, "sum up the drive", 1)


def _note(found: tuple[list[float], list[bool], list[int]], began_s: float, rights: list[bool], passes: int) -> None:
    found[0].append((time.perf_counter() - began_s) * 1e3)
    found[1].extend(rights)
    found[2].append(passes)


def _faster(found: Timed, name: str, base: str = "autoregressive") -> float:
    return float(np.median(found[base][0]) / np.median(found[name][0]))


def _requests(engine: Engine, seed: int, size: Size) -> Iterator[Asked]:
    yield from asked_now(engine, seed, size.drives)
    yield from asked_past(engine, seed, size.logs, LOG_WORDS)


def _claims(engine: Engine, topic: str, facts: dict[str, str]) -> list[int]:
    return _ids(engine, f"<{topic}> " + " ".join(value for _, value in sorted(facts.items())))


def _ids(engine: Engine, text: str) -> list[int]:
    return engine.tokenizer.claims(text, CLAIMS)


def _last(drafts: Iterator[Draft]) -> str:
    return said([*drafts][-1])


def _row(name: str, tally: Tally, base: Tally, wordings: dict[str, float]) -> dict[str, object]:
    low, high = wilson(sum(tally.right), len(tally.right))
    return {
        "decoder": name,
        "passes": tally.mean_passes,
        "passes 99 %": percentile(tally.passes, 99),
        "time": float(np.median(tally.ms) / np.median(base.ms)),
        "right": tally.accuracy,
        "low": low,
        "high": high,
        "grammatical": float(np.mean(tally.grammatical)),
        "wordings": wordings.get(name, ""),
    }


def _headline(tallies: dict[str, Tally], wordings: dict[str, float]) -> dict[str, float]:
    greedy = tallies["autoregressive"]
    speedy, quality = tallies["draft and edit, speedy"], tallies["draft and edit, quality"]
    verified, voting, majority = (tallies[name] for name in ("draft and verify", "voting", "majority of 5"))
    one_step, refined = tallies["flow map, 1 step"], tallies["flow map, refined"]
    same = [a == b for a, b in zip(verified.ids, greedy.ids, strict=True)]
    return {
        "ar_fact_accuracy": greedy.accuracy,
        "quality_accuracy_ratio": quality.accuracy / greedy.accuracy,
        "quality_passes": quality.mean_passes,
        "speedy_accuracy_ratio": speedy.accuracy / greedy.accuracy,
        "speedy_passes": speedy.mean_passes,
        "tokens_per_pass_speedy": sum(speedy.tokens) / sum(speedy.passes),
        "verified_equal_share": float(np.mean(same)),
        "verified_passes": verified.mean_passes,
        "flow_1_accuracy_ratio": one_step.accuracy / greedy.accuracy,
        "flow_4_accuracy_ratio": refined.accuracy / greedy.accuracy,
        "flow_4_passes": refined.mean_passes,
        "voting_passes_over_majority": voting.mean_passes / majority.mean_passes,
        "voting_gain_points": 100 * (voting.accuracy - tallies["confidence-parallel"].accuracy),
        "majority_gain_points": 100 * (majority.accuracy - tallies["confidence-parallel"].accuracy),
        "distinct_wordings": wordings["draft and edit, speedy"],
    }
