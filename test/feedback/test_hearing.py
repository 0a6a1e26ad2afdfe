"""Whether somebody speaks: from the odds of a detector, and with silero-vad where it is installed."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.hearing import (
    CHUNK,
    CONFIRM,
    GONE,
    MISSING,
    RATE_HZ,
    Detector,
    Listener,
    SileroDetector,
    VoiceActivity,
    has_voice,
    open_detector,
)
from mm_edge.feedback.voice import open_voice


class Loudness:
    """Takes for a voice what is loud."""

    def __init__(self) -> None:
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def __call__(self, chunk: np.ndarray) -> float:
        return float(np.abs(chunk).max())


def sound(*loudness: float) -> np.ndarray:
    """A chunk of each."""
    return np.repeat(np.array(loudness, np.float32), CHUNK)


def heard(samples: np.ndarray) -> list[bool]:
    return list(VoiceActivity(Loudness(), 0.5).hear(samples))


def test_a_click_is_no_voice() -> None:
    assert heard(sound(0, 1, 0, 1, 0)) == []
    assert heard(sound(0, *[1] * CONFIRM)) == [True]


def test_a_gap_between_words_is_no_end() -> None:
    assert heard(sound(*[1] * CONFIRM, *[0] * (GONE - 1), 1, *[0] * (GONE - 1))) == [True]
    assert heard(sound(*[1] * CONFIRM, *[0] * GONE)) == [True, False]


def test_a_voice_that_gets_lower_goes_on() -> None:
    assert heard(sound(*[1] * CONFIRM, *[0.4] * 30)) == [True]
    assert heard(sound(*[0.4] * 30)) == []


@given(st.lists(st.integers(0, 2000), max_size=30))
def test_it_does_not_matter_how_the_sound_is_cut(cuts: list[int]) -> None:
    whole = sound(0, 0, 1, 1, 1, *[0] * 12, 1, 1)
    places = np.cumsum(cuts)
    activity = VoiceActivity(Loudness(), 0.5)
    assert [x for part in np.split(whole, places[places < whole.size]) for x in activity.hear(part)] == heard(whole)


def test_a_window_is_judged_on_its_own() -> None:
    detector = Loudness()
    assert has_voice(detector, sound(0, 1, 1), 0.5)
    assert not has_voice(detector, sound(0, 1, 0), 0.5)
    assert detector.resets == 2


def test_a_listener_hears_on_a_thread_of_its_own() -> None:
    found: list[tuple[bool, str]] = []
    began = threading.Event()

    def hear(voice: bool) -> None:
        found.append((voice, threading.current_thread().name))
        began.set()

    listener = Listener(VoiceActivity(Loudness(), 0.5), hear)
    listener.start()
    listener.put(sound(1, 1))
    assert began.wait(5.0)
    listener.stop()
    assert found == [(True, "listener")]


def test_without_the_package_the_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_edge.feedback.hearing.PACKAGE", "no_such_package")
    assert open_detector() == (None, MISSING)


def test_a_package_of_another_shape_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mm_edge.feedback.hearing.PACKAGE", "json")
    monkeypatch.setattr("mm_edge.feedback.hearing.MODEL", Path("decoder.py"))
    detector, reason = open_detector()
    assert detector is None
    assert "silero-vad cannot be used" in reason


@pytest.fixture
def silero() -> Detector:
    detector, reason = open_detector()
    if detector is None:
        pytest.skip(reason)
    assert isinstance(detector, SileroDetector)
    return detector


def test_silero_tells_speech_from_silence_and_noise(silero: Detector) -> None:
    pytest.importorskip("espeakng_loader")
    voice, pieces = open_voice(SpeakerConfig()), []
    voice.speak("Please find a charger on the way to Berlin.", lambda x: pieces.append(x) or True)  # type: ignore[func-returns-value]
    said = np.concatenate(pieces) / np.float32(32768)
    places = np.arange(int(said.size * RATE_HZ / voice.sample_rate_hz)) * voice.sample_rate_hz / RATE_HZ
    speech = np.interp(places, np.arange(said.size), said).astype(np.float32)
    rng = np.random.default_rng(0)
    assert has_voice(silero, speech, 0.5)
    assert not has_voice(silero, np.zeros(RATE_HZ, np.float32), 0.5)
    assert not has_voice(silero, rng.normal(0, 0.05, RATE_HZ).astype(np.float32), 0.5)
