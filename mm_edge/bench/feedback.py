"""How much is said of tasks and when: nothing in between, everything, and as much as the task's record asks for.

The design of the study (Kirmayr et al., CHI 2026, arXiv 2602.15569) without its people: tasks of 3 and of 6 steps, told
at the end only, by planning and results, and adaptively. Times of the sentences are those of the voice. What takes real
time is measured in real time: acknowledgements while the model works, and stops. Whether people trust it more is not
measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
import torch

from mm_edge.bench._feedback_claims import unsupported
from mm_edge.bench._feedback_live import acknowledgements, barge_in
from mm_edge.bench._feedback_play import Adaptive, LastS, Telling, at_the_end, planning_and_results, voice
from mm_edge.bench._feedback_tasks import (
    CAR_BENCH,
    DELAYED,
    DOUBLED,
    KINDS,
    LATE_S,
    LONGEST_S,
    LOST,
    SHORTEST_S,
    Scene,
    car_bench,
    car_bench_path,
    generated,
    study,
)
from mm_edge.bench.harness import Plot, Result, percentile
from mm_edge.bench.speech import exported
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.policy import EVERYTHING, MILESTONES, RESULTS

RELIABLE = 20
"""Runs that work before the words are counted."""
COUNTED = 5
AFTER_FAILURE = 4
NONE, FULL, ADAPTIVE = "none", "planning and results", "adaptive"
NOISY = f"{ADAPTIVE}, messages disturbed"


@dataclass(frozen=True)
class Size:
    """repeats of the whole simulation; trials in real time."""

    repeats: int
    acknowledgements: int
    stops: int


WHOLE, QUICK = Size(10, 100, 60), Size(2, 20, 12)


@dataclass(frozen=True)
class Series:
    """One kind of task, run after run, and then a failure and what came after it."""

    before: list[Telling]
    failure: Telling
    after: list[Telling]

    @property
    def counted(self) -> list[Telling]:
        return self.before[RELIABLE:]

    @property
    def recovery(self) -> int:
        """The first task after the failure that is told in full, counted from 1; more than there are: none is."""
        full = [number for number, told in enumerate(self.after, 1) if told.level == EVERYTHING]
        return min(full, default=len(self.after) + 1)


def measure(seed: int, quick: bool) -> Result:
    torch.set_num_threads(1)
    size, (lasts_s, voice_name) = QUICK if quick else WHOLE, voice()
    rng = np.random.default_rng([seed, 50])
    series = [told for _ in range(size.repeats) for told in learnt(rng, lasts_s)]
    scenes = [told.scene for each in series for told in each.counted]
    told = {
        NONE: [at_the_end(scene, lasts_s) for scene in scenes],
        FULL: [planning_and_results(scene, lasts_s) for scene in scenes],
        f"{ADAPTIVE}, first 3 runs": [told for each in series for told in each.before[:3]],
        f"{ADAPTIVE}, after {RELIABLE} runs": [told for each in series for told in each.counted],
        f"{ADAPTIVE}, after a failure": [each.after[0] for each in series],
    }
    noisy = [replace(told.scene, noise=seed + number) for number, each in enumerate(series) for told in each.before[:3]]
    told |= {NOISY: [Adaptive(lasts_s).tell(scene) for scene in noisy]} | car(rng, lasts_s)
    adaptive = [t for each in series for t in (*each.before, each.failure, *each.after)]
    adaptive += [t for name, found in told.items() if name.startswith("CAR-bench, adaptive") for t in found]
    acks = acknowledgements(exported("small", "fp32"), seed, size.acknowledgements)
    stopped = barge_in(seed, size.stops)
    stops_ms = [*stopped.stop_ms, *stopped.voice_ms]
    headline = {
        "adaptive_words_ratio": ratio(told[f"{ADAPTIVE}, after {RELIABLE} runs"], told[FULL]),
        "max_silence_s": max(t.longest_silence_s for t in adaptive if t.level >= RESULTS),
        "first_content_p99_s": percentile([t.first_content_s for t in adaptive if t.level >= MILESTONES], 99),
        "recovery_tasks": float(max(each.recovery for each in series)),
        "unsupported_claims": float(claims([*adaptive, *told[NOISY], *told[FULL], *told[NONE]])),
        "ack_p99_ms": percentile(acks.ms, 99),
        "barge_in_p99_ms": percentile(stops_ms, 99),
        "voice_detection_p50_ms": percentile(stopped.detection_ms, 50),
        "n_tasks": float(len(adaptive)),
        "n_sentences": float(sum(len(t.spoken) for t in adaptive)),
        "n_acks": float(len(acks.ms)),
        "n_stops": float(len(stops_ms)),
    }
    notes = [
        f"seed {seed}; {len(series)} series of {RELIABLE + COUNTED} runs that work, one that fails and {AFTER_FAILURE} "
        f"after it, of {len(KINDS)} kinds with 3 and 6 steps of {SHORTEST_S:g} to {LONGEST_S:g} s; voice: {voice_name}",
        f"{FULL}: a sentence as each step begins and ends; words: per task; silence: the longest of any task; clause: "
        "99th percentile of one sentence; repeated: words of four letters and more that the task had before",
        f"max_silence_s: tasks at verbosity 2 and 3; first_content_p99_s: tasks at 1 to 3; limits: "
        f"{FeedbackConfig().quiet_s:g} s and {FeedbackConfig().first_content_s:g} s",
        f"disturbed: {LOST:.0%} of the messages lost, {DOUBLED:.0%} come twice, {DELAYED:.0%} up to {LATE_S:g} s late",
        "unsupported_claims: sentences that say what no message published by then supports, by rules of their own",
        f"ack: from a step's message to the first sound of an idle voice, while the model takes {acks.turns} turns; "
        f"barge-in: from a stop, or a voice that was detected ({len(stopped.voice_ms)}), to the last sample's end",
        *([] if car_bench_path() else [f"CAR-bench was left out: no transcripts (set {CAR_BENCH} to their path)"]),
    ]
    return Result(headline, [_row(name, found, lasts_s) for name, found in told.items()], notes, _plot(series, lasts_s))


def learnt(rng: np.random.Generator, lasts_s: LastS) -> list[Series]:
    """A narrator of its own for every series."""
    found = []
    for scenes in study(rng, RELIABLE + COUNTED):
        narrator, count = Adaptive(lasts_s), len(scenes[0].steps)
        kind = scenes[0].name
        more = [generated(rng, number, kind, count, fails=number == 0) for number in range(AFTER_FAILURE + 1)]
        before = [narrator.tell(scene) for scene in scenes]
        failure, *after = [narrator.tell(scene) for scene in more]
        found.append(Series(before, failure, after))
    return found


def car(rng: np.random.Generator, lasts_s: LastS) -> dict[str, list[Telling]]:
    """CAR-bench's tasks, each as the first of its kind; nothing without the transcripts."""
    path = car_bench_path()
    if path is None:
        return {}
    scenes = car_bench(path, rng)
    return {
        f"CAR-bench, {FULL}": [planning_and_results(scene, lasts_s) for scene in scenes],
        f"CAR-bench, {ADAPTIVE}, new": [Adaptive(lasts_s).tell(scene) for scene in scenes],
        f"CAR-bench, {ADAPTIVE}, in a row": _in_a_row(scenes, lasts_s),
    }


def _in_a_row(scenes: Sequence[Scene], lasts_s: LastS) -> list[Telling]:
    narrator = Adaptive(lasts_s)
    return [narrator.tell(scene) for scene in scenes]


def ratio(these: Sequence[Telling], those: Sequence[Telling]) -> float:
    """Of words, for the same tasks."""
    return sum(told.words for told in these) / sum(told.words for told in those)


def claims(tellings: Sequence[Telling]) -> int:
    """How many sentences nothing published by then supports."""
    return sum(
        bool(unsupported(spoken.text, spoken.published_s, told.scene.messages()))
        for told in tellings
        for spoken in told.spoken
    )


def _row(name: str, tellings: Sequence[Telling], lasts_s: LastS) -> dict[str, object]:
    silences_s = [told.longest_silence_s for told in tellings]
    clauses_s = [lasts_s(spoken.text) for told in tellings for spoken in told.spoken if not spoken.chime]

    def mean(value: Callable[[Telling], float]) -> float:
        return float(np.mean([value(told) for told in tellings])) if tellings else nan

    return {
        "policy": name,
        "n": len(tellings),
        "verbosity": mean(lambda told: told.level) if tellings[0].level >= 0 else nan,
        "words": mean(lambda told: told.words),
        "sentences": mean(lambda told: len(told.spoken)),
        "silence s": max(silences_s),
        "p50 s": percentile(silences_s, 50),
        "content s": mean(lambda told: told.first_content_s),
        "clause s": percentile(clauses_s, 99),
        "repeated": mean(lambda told: told.redundancy),
        "unsupp.": claims(tellings),
    }


def _plot(series: Sequence[Series], lasts_s: LastS) -> Plot:
    """Words of each run in a row, as a share of planning and results."""
    points = []
    for count in (3, 6):
        rows = [each for each in series if len(each.failure.scene.steps) == count]
        runs = [[*each.before, each.failure, *each.after] for each in rows]
        for number, these in enumerate(zip(*runs, strict=True), 1):
            those = [planning_and_results(told.scene, lasts_s) for told in these]
            points.append((f"{count} steps", float(number), ratio(these, those)))
    return Plot(f"run of its kind; number {RELIABLE + COUNTED + 1} fails", "words / planning and results", points)
