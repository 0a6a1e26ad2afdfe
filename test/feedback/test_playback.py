"""Sentences on their way to sound, on a clock that stands where it is put."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.errors import UserError
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.offline import Timed, speak
from mm_edge.feedback.playback import Playback, SpeechAudio, SpeechStatus
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


def sentence(name: str, letters: int = 10, priority: Priority = Priority.NORMAL, expires_s: float = 0.0) -> Utterance:
    return Utterance(S, name, "a" * letters, Kind.ANSWER, priority, expires_ns=round(expires_s * S))


def spoken(*said: tuple[float, Utterance], voice: Beeper | None = None, **settings: float) -> list[Timed]:
    """What comes of sentences that arrive at the given seconds."""
    timed = [(round(at_s * S), utterance) for at_s, utterance in said]
    return speak(timed, SpeakerConfig(**settings), voice or Beeper(), ManualClock(S))  # type: ignore[arg-type]


def states(published: list[Timed], name: str) -> list[State]:
    return [o.state for _, o in published if isinstance(o, SpeechStatus) and o.utterance_id == name]


def audio(published: list[Timed], name: str) -> list[SpeechAudio]:
    return [o for _, o in published if isinstance(o, SpeechAudio) and o.utterance_id == name]


def test_a_sentence_is_reported_from_queue_to_end() -> None:
    published = spoken((1.0, sentence("a")))
    assert states(published, "a") == [State.QUEUED, State.STARTED, State.FINISHED]
    chunks = audio(published, "a")
    assert [chunk.sequence for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.last for chunk in chunks] == [False] * 10 + [True]
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
def playback() -> tuple[Playback, list[SpeechAudio | SpeechStatus]]:
    published: list[SpeechAudio | SpeechStatus] = []
    return Playback(SpeakerConfig(), Beeper(), ManualClock(S), published.append, wait=lambda _: None), published


def test_control_words(playback: tuple[Playback, list[SpeechAudio | SpeechStatus]]) -> None:
    speaker, published = playback
    assert speaker.control(" Mute ")
    assert not speaker.control("louder")
    speaker.say(sentence("a"))
    assert [o.state for o in published if isinstance(o, SpeechStatus)] == [State.MUTED]


def test_what_waits_when_the_speaker_stops_is_answered_for(
    playback: tuple[Playback, list[SpeechAudio | SpeechStatus]],
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
    published: list[SpeechAudio | SpeechStatus] = []
    speaker = Playback(SpeakerConfig(), Beeper(), clock, published.append, Unplugged(), wait)
    speaker.say(sentence("a"))
    assert speaker.speak_next()
    assert speaker.device is None
    assert "cable" in speaker.device_fault
    assert published[-1].state == State.FINISHED  # type: ignore[union-attr]


def test_a_missing_piper_voice_is_named() -> None:
    with pytest.raises(UserError, match="Piper"):
        open_voice(SpeakerConfig(piper_voice="/nowhere/voice.onnx"))


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
