"""Tasks told by three policies to a voice, on a clock of their own: when what was said, and how long it took.

none: one message at the end, with every result. planning and results: a sentence as each step begins and as it ends,
as in the study (Kirmayr et al., CHI 2026). adaptive: the narrator, as in the node, which hears from the voice when a
sentence ends. Sentences last as long as the voice takes for them. Knows nothing about which figures are made of it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.narrator import Narrator
from mm_edge.bench._feedback_tasks import Scene
from mm_edge.errors import UserError
from mm_edge.feedback.config import FeedbackConfig, SpeakerConfig
from mm_edge.feedback.earcon import TONE_S
from mm_edge.feedback.earcon import TOPIC as EARCON
from mm_edge.feedback.policy import Moment
from mm_edge.feedback.queue import State
from mm_edge.feedback.remarks import Speech
from mm_edge.feedback.tasks import STARTED, SUCCEEDED
from mm_edge.feedback.utterance import Utterance
from mm_edge.feedback.voice import open_voice
from mm_edge.feedback.wording import capital

S = 1_000_000_000
START_S = 1000.0
BETWEEN_S = 20.0
"""From the end of one task to the start of the next."""
VOICE_STARTS_S = 0.05
"""From a sentence's publication to its first sound, when the voice is free."""

LastS = Callable[[str], float]
"""How long a sentence takes to speak."""


@dataclass(frozen=True)
class Spoken:
    """published_s, began_s, ended_s: since the task began; words: none in a chime."""

    text: str
    published_s: float
    began_s: float
    ended_s: float
    chime: bool = False

    @property
    def words(self) -> int:
        return 0 if self.chime else len(self.text.split())


@dataclass
class Telling:
    """A task and what was said of it. level: of verbosity, when it began; -1 where there is none."""

    scene: Scene
    level: int = -1
    spoken: list[Spoken] = field(default_factory=list)

    @property
    def words(self) -> int:
        return sum(each.words for each in self.spoken)

    @property
    def first_sound_s(self) -> float:
        return self.spoken[0].began_s

    @property
    def first_content_s(self) -> float:
        """Of the first sentence that is more than a chime."""
        return next(each.began_s for each in self.spoken if not each.chime)

    @property
    def longest_silence_s(self) -> float:
        """While the task ran."""
        free_s, longest_s = 0.0, 0.0
        for each in self.spoken:
            longest_s = max(longest_s, min(each.began_s, self.scene.ended_s) - free_s)
            free_s = max(free_s, each.ended_s)
        return max(longest_s, self.scene.ended_s - free_s)

    @property
    def redundancy(self) -> float:
        """The share of words of four letters and more that had been said of this task before."""
        known: set[str] = set()
        repeated = total = 0
        for each in self.spoken:
            words = [word.strip(".,:;?").lower() for word in each.text.split()] if each.words else []
            long = [word for word in words if len(word) >= 4]
            repeated += sum(word in known for word in long)
            total += len(long)
            known.update(long)
        return repeated / total if total else 0.0


def voice() -> tuple[LastS, str]:
    """How long sentences take, and whose voice that is: espeak-ng's, or the model of the narrator without it."""
    try:
        spoken_by = open_voice(SpeakerConfig())
    except UserError:
        config = FeedbackConfig()
        return Speech(config.words_per_minute, config.clause_s).lasts_s, "a model of speech"

    @cache
    def lasts_s(text: str) -> float:
        samples = 0

        def take(piece: Any) -> bool:
            nonlocal samples
            samples += piece.size
            return True

        spoken_by.speak(text, take)
        return samples / spoken_by.sample_rate_hz

    return lasts_s, spoken_by.name


class Voice:
    """One sentence after the other; `spoken` since `start_s`."""

    def __init__(self, lasts_s: LastS) -> None:
        self._lasts_s = lasts_s
        self._free_s = 0.0

    def say(self, text: str, at_s: float, chime: bool = False) -> Spoken:
        began_s = max(self._free_s, at_s + VOICE_STARTS_S)
        self._free_s = began_s + (2 * TONE_S if chime else self._lasts_s(text))
        return Spoken(text, at_s, began_s, self._free_s, chime)


def at_the_end(scene: Scene, lasts_s: LastS) -> Telling:
    """Policy "none"."""
    results = " ".join(f"{capital(step.name)}: {step.result or 'done'}." for step in scene.steps if step.works)
    failures = " ".join(f"{capital(step.name)} failed." for step in scene.steps if not step.works)
    return Telling(scene, spoken=[Voice(lasts_s).say(f"{results} {failures}".strip(), scene.ended_s)])


def planning_and_results(scene: Scene, lasts_s: LastS) -> Telling:
    told, speaker = Telling(scene), Voice(lasts_s)
    for at_s, message in scene.messages():
        told.spoken.append(speaker.say(_of(message), at_s))
    if scene.steps[-1].works:
        told.spoken.append(speaker.say(f"{capital(scene.name)}: done.", scene.ended_s))
    return told


def _of(message: Any) -> str:
    if message.status == STARTED:
        return f"Step {message.index} of {message.count}: {message.name}."
    if message.status == SUCCEEDED:
        return f"{capital(message.name)}: {message.result or 'done'}."
    return f"{capital(message.name)} failed{': ' + message.result if message.result else ''}."


class Adaptive:
    """A narrator that tells one task after the other; what it learns of one counts in the next."""

    def __init__(self, lasts_s: LastS) -> None:
        self._lasts_s = lasts_s
        self._clock = ManualClock(round(START_S * S))
        numbers = itertools.count(1)
        inbox = Inbox(AssistantConfig(), self._clock)
        self.narrator = Narrator(FeedbackConfig(), AssistantConfig(), inbox, lambda: f"u{next(numbers)}")
        self.faults = inbox.faults

    def tell(self, scene: Scene) -> Telling:
        """The task from its first message until all is said."""
        start_s = self._clock.monotonic_s()
        told, speaker = Telling(scene, self.narrator.policy(scene.kind, Moment()).level), Voice(self._lasts_s)
        order = itertools.count()
        events: list[tuple[float, int, Callable[[], list[Any]]]] = []

        def later(at_s: float, job: Callable[[], list[Any]]) -> None:
            heapq.heappush(events, (at_s, next(order), job))

        for at_s, message in scene.messages():
            later(at_s, lambda message=message: self.narrator.tell(message))  # type: ignore[misc]
        later(scene.ended_s, self.narrator.due)
        for at_s, output in self._until_quiet(start_s, events):
            if isinstance(output, Utterance):
                spoken = speaker.say(output.text, at_s, output.topic == EARCON)
                told.spoken.append(spoken)
                ended = SimpleNamespace(utterance_id=output.id, state=State.FINISHED)
                later(spoken.ended_s, lambda ended=ended: self.narrator.heard(ended))  # type: ignore[misc]
        self._move(start_s + max(scene.ended_s, speaker.say("", 0.0).began_s) + BETWEEN_S)
        return told

    def _until_quiet(
        self, start_s: float, events: list[tuple[float, int, Callable[[], list[Any]]]]
    ) -> Iterator[tuple[float, Any]]:
        """What comes out, and when, until every event was, and what they led to was said."""
        while events:
            at_s = self._clock.monotonic_s() - start_s
            due_s = at_s + max(0.0, self.narrator.left_s()) + 1e-6
            next_s, _, job = events[0]
            if due_s < next_s:
                next_s, job = due_s, self.narrator.due
            else:
                heapq.heappop(events)
            self._move(start_s + next_s)
            for output in job():
                yield max(next_s, at_s), output

    def _move(self, to_s: float) -> None:
        self._clock.set(max(self._clock.now_ns(), round(to_s * S)))
