"""A voice in step with what makes it speak, as fast as it goes and the same every time.

The playback's own waiting moves the clock, and what happens meanwhile happens while it waits, as it would live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from mm_edge.feedback.clock import Clock
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.playback import Output, Playback
from mm_edge.feedback.utterance import Utterance
from mm_edge.feedback.voice import Voice


class MovableClock(Clock, Protocol):
    def set(self, now_ns: int) -> None: ...


class Course(Protocol):
    """What happens, one thing after the other. Something that is put out while it is asked may add to it."""

    def next_ns(self) -> int | None:
        """When the next thing happens; None: nothing more will."""

    def take(self) -> Iterable[Utterance]:
        """Let it happen; the sentences that it leads to. The clock was set to its time, or later."""


def speak(
    course: Course, config: SpeakerConfig, voice: Voice, clock: MovableClock, publish: Callable[[Output], None]
) -> None:
    """Until nothing more happens and all is spoken. Raises what `course` raises."""
    failures: list[BaseException] = []

    def happens_by(until_ns: int | None) -> bool:
        at_ns = course.next_ns()
        return not failures and at_ns is not None and (until_ns is None or at_ns <= until_ns)

    def wait(timeout_s: float | None) -> None:
        until_ns = None if timeout_s is None else clock.now_ns() + max(1, round(timeout_s * 1e9))
        if happens_by(until_ns):
            happen()
        elif until_ns is not None:
            clock.set(until_ns)

    def happen() -> None:
        clock.set(max(course.next_ns() or 0, clock.now_ns()))
        try:
            for utterance in course.take():
                playback.say(utterance)
        except BaseException as error:  # the voice's own frames must not see it
            failures.append(error)
            playback.control("stop")

    playback = Playback(config, voice, clock, publish, wait=wait)
    while not failures and (happens_by(None) or len(playback.queue)):
        if not playback.speak_next() and happens_by(None):
            happen()
    if failures:
        raise failures[0]
