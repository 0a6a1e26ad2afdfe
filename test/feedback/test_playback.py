"""Sentences on their way to sound, on a clock that stands where it is put."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.errors import UserError
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.earcon import TONE_S
from mm_edge.feedback.earcon import TOPIC as EARCON
from mm_edge.feedback.offline import speak
from mm_edge.feedback.playback import AGAIN, AHEAD_S, PIECE_S, Ducking, Output, Playback, SpeechAudio, SpeechStatus
from mm_edge.feedback.queue import State
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.feedback.voice import Take, VoiceError, open_voice

S = 1_000_000_000


class Beeper:
    """A voice that needs a tenth of a second of sound for every letter."""

    name = "beeper"
    sample_rate_hz = 1000

    def speak(self, text: str, take: Take) -> None:
        for _ in text:
            if not take(np.ones(100, np.int16)):
                return


class Broken(Beeper):
    def speak(self, text: str, take: Take) -> None:
        raise VoiceError("no breath")


Timed = tuple[int, Output]


class Course:
    """Sentences that come at given times."""

    def __init__(self, said: list[tuple[int, Utterance]]) -> None:
        self._said = said

    def next_ns(self) -> int | None:
        return self._said[0][0] if self._said else None

    def take(self) -> list[Utterance]:
        return [self._said.pop(0)[1]]


def sentence(name: str, letters: int = 10, priority: Priority = Priority.NORMAL, expires_s: float = 0.0) -> Utterance:
    return Utterance(S, name, "a" * letters, Kind.ANSWER, priority, expires_ns=round(expires_s * S))


def spoken(*said: tuple[float, Utterance], voice: Beeper | None = None, **settings: float) -> list[Timed]:
    """What comes of sentences that arrive at the given seconds."""
    published: list[Timed] = []
    config, clock = SpeakerConfig(**settings), ManualClock(S)  # type: ignore[arg-type]
    course = Course([(round(at_s * S), utterance) for at_s, utterance in said])
    speak(course, config, voice or Beeper(), clock, lambda output: published.append((clock.now_ns(), output)))
    return published


def states(published: list[Timed], name: str) -> list[State]:
    return [o.state for _, o in published if isinstance(o, SpeechStatus) and o.utterance_id == name]


def audio(published: list[Timed], name: str) -> list[SpeechAudio]:
    return [o for _, o in published if isinstance(o, SpeechAudio) and o.utterance_id == name]


def test_a_sentence_is_reported_from_queue_to_end() -> None:
    published = spoken((1.0, sentence("a")))
    assert states(published, "a") == [State.QUEUED, State.STARTED, State.FINISHED]
    chunks = audio(published, "a")
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.last for chunk in chunks] == [False] * 20 + [True]
    assert sum(chunk.samples.size for chunk in chunks) == 1000


def test_the_first_sound_comes_before_the_whole_sentence_is_ready() -> None:
    published = spoken((1.0, sentence("a", letters=50)))
    first_ns = next(at_ns for at_ns, o in published if isinstance(o, SpeechAudio))
    last_ns = published[-1][0]
    assert first_ns == S
    assert last_ns >= S + 4.8 * S


def test_an_urgent_sentence_cuts_off_the_one_being_spoken() -> None:
    published = spoken((1.0, sentence("long", 50)), (2.0, sentence("urgent", 5, Priority.URGENT)))
    assert states(published, "long")[-1] == State.INTERRUPTED
    assert states(published, "urgent")[-1] == State.FINISHED
    assert audio(published, "long")[-1].last


def test_a_remark_that_became_stale_is_dropped_and_says_so() -> None:
    published = spoken((1.0, sentence("long", 60)), (1.5, sentence("stale", expires_s=3.0)))
    assert states(published, "stale") == [State.QUEUED, State.EXPIRED]


def test_a_sentence_without_end_is_cut_off() -> None:
    published = spoken((1.0, sentence("endless", 300)), max_spoken_s=2.0)
    assert sum(chunk.samples.size for chunk in audio(published, "endless")) == 2000


def test_a_voice_that_fails_is_reported_and_the_next_sentence_follows() -> None:
    published = spoken((1.0, sentence("a")), (1.0, sentence("b")), voice=Broken())
    failed = [o for _, o in published if isinstance(o, SpeechStatus) and o.state == State.FAILED]
    assert [status.utterance_id for status in failed] == ["a", "b"]
    assert "no breath" in failed[0].detail


@pytest.fixture
def playback() -> tuple[Playback, list[Output]]:
    published: list[Output] = []
    return Playback(SpeakerConfig(), Beeper(), ManualClock(S), published.append, wait=lambda _: None), published


def test_control_words(playback: tuple[Playback, list[Output]]) -> None:
    speaker, published = playback
    assert speaker.control(" Mute ")
    assert not speaker.control("louder")
    speaker.say(sentence("a"))
    assert [o.state for o in published if isinstance(o, SpeechStatus)] == [State.MUTED]


def test_what_waits_when_the_speaker_stops_is_answered_for(
    playback: tuple[Playback, list[Output]],
) -> None:
    speaker, published = playback
    speaker.say(sentence("a"))
    speaker.stop()
    assert [o.state for o in published if isinstance(o, SpeechStatus)] == [State.QUEUED, State.INTERRUPTED]


def test_a_loudspeaker_that_is_gone_is_named_and_speech_goes_on() -> None:
    class Unplugged:
        name = "unplugged"

        def write(self, samples: object) -> None:
            raise OSError("the cable is out")

        def flush(self) -> None:
            raise OSError("the cable is out")

        def close(self) -> None: ...

    clock = ManualClock(S)
    wait: Callable[[float | None], None] = lambda s: clock.set(clock.now_ns() + round((s or 0) * S) + 1)  # noqa: E731
    published: list[Output] = []
    speaker = Playback(SpeakerConfig(), Beeper(), clock, published.append, Unplugged(), wait)
    speaker.say(sentence("a"))
    assert speaker.speak_next()
    assert speaker.device is None
    assert "cable" in speaker.device_fault
    assert [o.state for o in published if isinstance(o, SpeechStatus)][-1] == State.FINISHED


def test_a_missing_piper_voice_is_named() -> None:
    with pytest.raises(UserError, match="Piper"):
        open_voice(SpeakerConfig(piper_voice="/nowhere/voice.onnx"))


def test_what_fails_on_the_way_ends_it_and_is_no_fault_of_the_voice() -> None:
    class Broken(Course):
        def take(self) -> list[Utterance]:
            if len(self._said) == 1:
                raise OSError("the disk is full")
            return super().take()

    course, clock = Broken([(S, sentence("long", 50)), (2 * S, sentence("next"))]), ManualClock(S)
    published: list[Output] = []
    with pytest.raises(OSError, match="the disk is full"):
        speak(course, SpeakerConfig(), Beeper(), clock, published.append)
    assert [o.state for o in published if isinstance(o, SpeechStatus)][-1] == State.INTERRUPTED


# -- stops, and what comes after them ---------------------------------------------------------------------------------


class Live:
    """A playback whose waiting moves its clock; `at` holds what happens when."""

    def __init__(self, **settings: float) -> None:
        self.clock = ManualClock(S)
        self.published: list[tuple[float, Output]] = []
        self.at: list[tuple[float, Callable[[], object]]] = []
        self.playback = Playback(
            SpeakerConfig(**settings),
            Beeper(),
            self.clock,
            lambda output: self.published.append((self.clock.monotonic_s(), output)),
            wait=self._wait,
        )

    def _wait(self, timeout_s: float | None) -> None:
        until_s = self.clock.monotonic_s() + (1e9 if timeout_s is None else timeout_s)
        if self.at and self.at[0][0] <= until_s:
            moment_s, act = self.at.pop(0)
            self._move(moment_s)
            act()
        else:
            self._move(until_s)

    def _move(self, to_s: float) -> None:
        self.clock.set(max(self.clock.now_ns() + 1, round(to_s * S)))

    def run(self, until_s: float, step_s: float = 0.05) -> None:
        while self.clock.monotonic_s() < until_s:
            if not self.playback.speak_next():
                self._wait(step_s)

    def ended(self, name: str) -> tuple[float, State]:
        found = [
            (at_s, o.state) for at_s, o in self.published if isinstance(o, SpeechStatus) and o.utterance_id == name
        ]
        return found[-1]

    def heard_until_s(self, name: str) -> float:
        """When the last sample that was given out is heard."""
        pieces = [o for _, o in self.published if isinstance(o, SpeechAudio) and o.utterance_id == name]
        return max(piece.stamp_ns / S + piece.samples.size / Beeper.sample_rate_hz for piece in pieces)


def test_a_voice_stops_speech_within_a_fifth_of_a_second() -> None:
    live = Live()
    live.playback.say(sentence("long", 50))
    live.at = [(3.0, lambda: live.playback.hear(True))]
    live.run(until_s=4.0)
    at_s, state = live.ended("long")
    assert state == State.INTERRUPTED
    assert at_s - 3.0 <= 0.2
    assert live.heard_until_s("long") - 3.0 <= 0.2
    assert AHEAD_S + PIECE_S <= 0.2


def test_nothing_is_said_while_somebody_speaks_and_then_what_was_cut_off_first() -> None:
    live = Live(resume_after_s=0.8)
    live.playback.say(Utterance(S, "cut", "ten words " * 5, Kind.ANSWER, Priority.NORMAL))
    live.at = [(2.0, lambda: live.playback.hear(True)), (5.0, lambda: live.playback.hear(False))]
    live.run(until_s=9.0)
    started = [(at_s, o) for at_s, o in live.published if isinstance(o, SpeechStatus) and o.state == State.STARTED]
    assert [o.utterance_id for _, o in started] == ["cut", "cut/again"]
    assert started[1][1].text == AGAIN + "ten words " * 5
    assert 5.8 <= started[1][0] <= 6.0


def test_a_newer_answer_takes_the_place_of_the_one_that_was_cut_off() -> None:
    live = Live()
    live.playback.say(Utterance(S, "cut", "ten words " * 5, Kind.ANSWER, Priority.NORMAL))
    live.at = [
        (2.0, lambda: live.playback.hear(True)),
        (3.0, lambda: live.playback.hear(False)),
        (3.1, lambda: live.playback.say(sentence("newer"))),
    ]
    live.run(until_s=9.0)
    assert live.ended("newer")[1] == State.FINISHED
    assert all(o.utterance_id != "cut/again" for _, o in live.published if isinstance(o, SpeechStatus))


@pytest.mark.parametrize(
    ("kind", "words", "expires_s"), [(Kind.PROGRESS, 50, 0.0), (Kind.ANSWER, 2, 0.0), (Kind.ANSWER, 50, 3.0)]
)
def test_progress_what_was_mostly_heard_and_what_became_stale_is_not_said_again(
    kind: Kind, words: int, expires_s: float
) -> None:
    live = Live()
    text = " ".join(["abcdefghi"] * words)
    live.playback.say(Utterance(S, "cut", text, kind, Priority.NORMAL, expires_ns=round(expires_s * S)))
    live.at = [(2.0, lambda: live.playback.hear(True)), (5.0, lambda: live.playback.hear(False))]
    live.run(until_s=9.0)
    started = [o.utterance_id for _, o in live.published if isinstance(o, SpeechStatus) and o.state == State.STARTED]
    assert started == ["cut"]


def test_a_voice_does_not_stop_what_is_urgent() -> None:
    live = Live()
    live.playback.say(sentence("brake", 30, Priority.URGENT))
    live.at = [(2.0, lambda: live.playback.hear(True))]
    live.run(until_s=6.0)
    assert live.ended("brake")[1] == State.FINISHED


def test_other_sounds_are_asked_to_give_way_before_the_first_sound_and_until_the_last() -> None:
    published = spoken((1.0, sentence("a")), (1.2, sentence("b")), (9.0, sentence("c")), ducking_db=-9.0)
    wanted = [o for _, o in published if isinstance(o, Ducking | SpeechAudio)]
    gains = [(o.data, index) for index, o in enumerate(wanted) if isinstance(o, Ducking)]
    assert [gain for gain, _ in gains] == [-9.0, 0.0, -9.0, 0.0]
    assert gains[0][1] == 0
    assert gains[1][1] == 1 + len(audio(published, "a")) + len(audio(published, "b"))


def test_a_chime_is_a_sound_of_its_own() -> None:
    chime = Utterance(S, "chime", "OK.", Kind.PROGRESS, Priority.NORMAL, topic=EARCON)
    published = spoken((1.0, chime), voice=Broken())
    assert states(published, "chime") == [State.QUEUED, State.STARTED, State.FINISHED]
    samples = np.concatenate([chunk.samples for chunk in audio(published, "chime")])
    assert 0 < np.abs(samples).max() < 32767
    assert samples.size == 2 * round(TONE_S * Beeper.sample_rate_hz)


def test_espeak_speaks() -> None:
    pytest.importorskip("espeakng_loader")
    voice, heard = open_voice(SpeakerConfig()), []
    voice.speak("The light is red.", lambda samples: heard.append(samples) or True)  # type: ignore[func-returns-value]
    seconds = sum(samples.size for samples in heard) / voice.sample_rate_hz
    assert 0.5 < seconds < 3.0
    assert len(heard) > 3


def test_espeak_names_an_unknown_language() -> None:
    pytest.importorskip("espeakng_loader")
    with pytest.raises(UserError, match="klingonish"):
        open_voice(SpeakerConfig(language="klingonish"))
