"""What takes real time: from a step's message to the first sound while the model works, and from a stop to silence.

The node's own parts on the machine's clocks: Worker with its threads and the model on a camera that never rests, and
Playback with a voice at the pace of speech. Knows nothing about what is said.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.session import Session
from mm_edge.assistant.worker import Worker
from mm_edge.compute.latency import LatencyReport
from mm_edge.engine import trust_path, weights_path
from mm_edge.engine.base import Engine
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.earcon import earcon
from mm_edge.feedback.hearing import CHUNK, RATE_HZ, VoiceActivity, open_detector
from mm_edge.feedback.playback import Playback, SpeechAudio, SpeechStatus
from mm_edge.feedback.queue import State
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.feedback.voice import Take, Voice, open_voice
from mm_edge.trust.constants import TrustConstants
from mm_edge.world.drive import Drive

FRAMES_HZ = 10.0
REST_S = (0.15, 0.4)
"""Between two trials: any phase of the model's turns."""
GIVE_UP_S = 5.0
SPEAKS_S = (0.4, 1.2)
"""How long a sentence is spoken before it is stopped."""
LONG = "This is a long sentence about a long road that goes on for a while without any end in sight. " * 3
CALL = "Wait, please stop, I would like to say something."


class Hum:
    """A voice for machines without one: as long as words take, as fast as espeak-ng."""

    name = "hum"
    sample_rate_hz = 22_050

    def speak(self, text: str, take: Take) -> None:
        for _ in text.split():
            if not take(np.tile(earcon(self.sample_rate_hz), 2)):
                return


def any_voice() -> Voice:
    from mm_edge.errors import UserError

    try:
        return open_voice(SpeakerConfig())
    except UserError:
        return Hum()


@dataclass
class Heard:
    """What a playback gave out, with when on the monotonic clock."""

    outputs: list[tuple[float, Any]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, output: Any) -> None:
        with self.changed:
            self.outputs.append((time.perf_counter(), output))
            self.changed.notify_all()

    def first(self, kind: type, holds: Callable[[Any], bool] = lambda _: True) -> float | None:
        """When the first output of a kind came for which something holds; None after GIVE_UP_S."""

        def found() -> list[float]:
            return [at_s for at_s, out in self.outputs if isinstance(out, kind) and holds(out)]

        with self.changed:
            return found()[0] if self.changed.wait_for(found, GIVE_UP_S) else None


@dataclass(frozen=True)
class Acknowledged:
    """From a task's first message to the first piece of sound about it; turns: of the model, meanwhile."""

    ms: list[float]
    turns: int


def acknowledgements(engine: Engine, seed: int, trials: int) -> Acknowledged:
    """While the model looks at what the camera sends."""
    heard, rng, voice = Heard(), np.random.default_rng([seed, 51]), any_voice()
    found: list[float] = []
    playback = Playback(SpeakerConfig(), voice, SystemClock(), heard)
    playback.start()

    said: list[str] = []
    turns = 0

    def publish(output: Any) -> None:
        nonlocal turns
        turns += isinstance(output, LatencyReport)
        if isinstance(output, Utterance) and output.kind == Kind.PROGRESS:
            said.append(output.id)
            playback.say(output)

    with looking(engine, seed, publish) as worker:
        for number in range(trials):
            time.sleep(rng.uniform(*REST_S))
            said.clear()
            began_s = time.perf_counter()
            worker.tell(_step(number))
            sounded_s = heard.first(SpeechAudio, lambda piece: piece.utterance_id in said)
            found.append(GIVE_UP_S * 1e3 if sounded_s is None else (sounded_s - began_s) * 1e3)
            worker.command("stop")
            playback.control("stop")
    playback.stop()
    return Acknowledged(found, turns)


@contextmanager
def looking(engine: Engine, seed: int, publish: Callable[[Any], None]) -> Iterator[Worker]:
    """A worker whose camera sends a picture of a generated drive FRAMES_HZ times a second."""
    config, clock = AssistantConfig(), SystemClock()
    inbox = Inbox(config, clock)
    constants = TrustConstants.load(trust_path("small"), weights_path("small"))
    worker = Worker(Session(config, engine, constants, inbox, clock, itertools.count(1)), publish)
    pictures = [Drive(seed, 8.0).observation(t_s).image for t_s in range(8)]
    done = threading.Event()

    def film() -> None:
        for picture in itertools.cycle(pictures):
            if done.wait(1 / FRAMES_HZ):
                return
            inbox.put_image(clock.now_ns(), lambda picture=picture: picture)  # type: ignore[misc]

    camera = threading.Thread(target=film, name="camera", daemon=True)
    worker.start()
    camera.start()
    try:
        yield worker
    finally:
        done.set()
        camera.join()
        worker.stop()


def _step(number: int) -> SimpleNamespace:
    header = SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0), frame_id="")
    named = {"task_id": f"t{number}", "task": "drive to Anna", "name": "find a charger"}
    return SimpleNamespace(header=header, index=1, count=3, status=0, result="", **named)


@dataclass(frozen=True)
class Stopped:
    """From a stop until the last sample that was given out is heard; the same from a voice that was detected; and from
    a voice's first sample until it was detected, NaN where no detector is installed."""

    stop_ms: list[float]
    voice_ms: list[float]
    detection_ms: list[float]


def barge_in(seed: int, trials: int) -> Stopped:
    """Long sentences that are stopped at random moments: by speech/control, and by somebody who speaks."""
    rng, voice = np.random.default_rng([seed, 52]), any_voice()
    call, found = _call(voice), Stopped([], [], [])
    for number in range(trials):
        heard = Heard()
        playback = Playback(SpeakerConfig(), voice, SystemClock(), heard)
        playback.start()
        playback.say(Utterance(0, f"u{number}", LONG, Kind.ANSWER, Priority.NORMAL))
        heard.first(SpeechAudio)
        time.sleep(rng.uniform(*SPEAKS_S))
        if call is not None and number % 2:
            detected_s, detection_ms = _interrupt(playback, call)
            found.detection_ms.append(detection_ms)
            found.voice_ms.append(_silence_ms(heard, detected_s))
        else:
            at_s = time.perf_counter()
            playback.control("stop")
            found.stop_ms.append(_silence_ms(heard, at_s))
        playback.stop()
    return found


def _interrupt(playback: Playback, call: np.ndarray) -> tuple[float, float]:
    """Let somebody speak: when that was detected, and after how many milliseconds of the voice."""
    detector, _ = open_detector()
    assert detector is not None
    activity = VoiceActivity(detector, playback.config.voice_probability)
    began_s = time.perf_counter()
    for index, start in enumerate(range(0, call.size, CHUNK), 1):
        time.sleep(max(0.0, began_s + index * CHUNK / RATE_HZ - time.perf_counter()))  # a chunk is there when it ended
        for voice in activity.hear(call[start : start + CHUNK]):
            detected_s = time.perf_counter()
            playback.hear(voice)
            return detected_s, (detected_s - began_s) * 1e3
    return time.perf_counter(), (time.perf_counter() - began_s) * 1e3


def _call(voice: Voice) -> np.ndarray | None:
    """Speech as a microphone hears it, float32 [n] at RATE_HZ from the first loud sample; None without a detector."""
    if open_detector()[0] is None or isinstance(voice, Hum):
        return None
    pieces: list[np.ndarray] = []

    def take(samples: np.ndarray) -> bool:
        pieces.append(samples)
        return True

    voice.speak(CALL, take)
    said = np.concatenate(pieces) / np.float32(32768)
    places = np.arange(int(said.size * RATE_HZ / voice.sample_rate_hz)) * voice.sample_rate_hz / RATE_HZ
    call = np.interp(places, np.arange(said.size), said).astype(np.float32)
    return call[int(np.argmax(np.abs(call) > 0.02)) :]


def _silence_ms(heard: Heard, since_s: float) -> float:
    """By the stamps of what was given out, whatever plays it: a piece is heard to its end."""
    heard.first(SpeechStatus, lambda status: status.state == State.INTERRUPTED)
    offset_s = time.time() - time.perf_counter()
    pieces = [out for _, out in heard.outputs if isinstance(out, SpeechAudio) and out.samples.size]
    ends_s = [piece.stamp_ns / 1e9 + piece.samples.size / piece.sample_rate_hz for piece in pieces]
    return max(0.0, max(ends_s) - offset_s - since_s) * 1e3
