"""What a voice would have said to utterances at given times, as fast as it goes and the same every time.

The playback's own waiting moves the clock, and what is to be said next comes in while it waits, as it would live.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from mm_edge.feedback.clock import Clock
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.playback import Output, Playback
from mm_edge.feedback.utterance import Utterance
from mm_edge.feedback.voice import Voice

Timed = tuple[int, Output]


class MovableClock(Clock, Protocol):
    def set(self, now_ns: int) -> None: ...


def speak(
    said: Iterable[tuple[int, Utterance]], config: SpeakerConfig, voice: Voice, clock: MovableClock
) -> list[Timed]:
    """`said`: (published at in ns, utterance) in order of time. Returns (published at in ns, output) in order."""
    coming = deque(said)
    published: list[Timed] = []

    def wait(timeout_s: float | None) -> None:
        until_ns = None if timeout_s is None else clock.now_ns() + max(1, round(timeout_s * 1e9))
        if coming and (until_ns is None or coming[0][0] <= until_ns):
            _next()
        elif until_ns is not None:
            clock.set(until_ns)

    def _next() -> None:
        stamp_ns, utterance = coming.popleft()
        clock.set(max(stamp_ns, clock.now_ns()))
        playback.say(utterance)

    playback = Playback(config, voice, clock, lambda output: published.append((clock.now_ns(), output)), wait=wait)
    while coming or len(playback.queue):
        if not playback.speak_next() and coming:
            _next()
    return published
