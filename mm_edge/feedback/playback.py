"""Sentences become sound at the pace of speech, and every one is answered for.

One thread owns the voice; pieces go out a moment before they are due, so that a stop takes effect at once. When
somebody speaks, speech stops and what waits keeps waiting; a sentence that was cut off early is said again when it is
quiet, unless a newer one has taken its place. Lock order: `_changed` (queue, current sentence), then `_reporting`.
Knows nothing about ROS or how a voice is heard; `publish` takes the dataclasses below.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf, isnan, nan
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mm_edge.feedback.clock import Clock
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.earcon import TOPIC as EARCON
from mm_edge.feedback.earcon import earcon
from mm_edge.feedback.queue import CONTROLS, Control, Event, Item, SpeechQueue, State, interrupts
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.feedback.voice import Voice

PIECE_S = 0.06
AHEAD_S = 0.1
"""How long before it is due a piece goes out; with the piece itself, what a stop cannot call back."""
POLL_S = 0.1
"""How often waiting sentences are checked for expiry while speech is paused: ROS time may run at any speed."""
JOIN_S = 2.0
AGAIN_BELOW = 0.7
"""A sentence that was cut off is said again if less than this share of it was heard: the rest can be guessed."""
WORDS_PER_S = 3.0
"""To tell how much of a sentence was heard before its end was synthesised."""
AGAIN = "I was saying: "
NO_SAMPLES = np.zeros(0, np.int16)


@dataclass(frozen=True)
class SpeechAudio:
    """A piece of speech; the fields are those of msg/SpeechAudio.msg. samples: [n] mono."""

    stamp_ns: int
    utterance_id: str
    sequence: int
    last: bool
    sample_rate_hz: int
    samples: NDArray[np.int16]
    channels: int = 1
    frame_id: str = ""


@dataclass(frozen=True)
class SpeechStatus:
    """What became of a sentence; the fields are those of msg/SpeechStatus.msg."""

    stamp_ns: int
    utterance_id: str
    text: str
    state: State
    priority: Priority
    detail: str = ""
    first_audio_ms: float = nan
    spoken_s: float = 0.0
    queue_length: int = 0
    frame_id: str = ""


@dataclass(frozen=True)
class Ducking:
    """The gain that other sounds should have now, in dB; std_msgs/Float32."""

    data: float


Output = SpeechAudio | SpeechStatus | Ducking


class Device(Protocol):
    """A loudspeaker. `write` raises OSError when it is gone."""

    name: str

    def write(self, samples: NDArray[np.int16]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


@dataclass
class Delivery:
    """How far the current sentence has come. `start_s`: when its first sample is heard, on the monotonic clock."""

    item: Item
    start_s: float = nan
    samples: int = 0
    pieces: int = 0
    first_audio_ms: float = nan
    begun_s: float = nan
    """When its turn came, on the monotonic clock."""
    end: tuple[State, str] | None = None
    """Set when the sentence must not go on."""


class Playback:
    def __init__(
        self,
        config: SpeakerConfig,
        voice: Voice,
        clock: Clock,
        publish: Callable[[Output], None],
        device: Device | None = None,
        wait: Callable[[float | None], Any] | None = None,
    ) -> None:
        """`wait(timeout_s)` is called with `_changed` held; the default waits for a change, a test moves its clock."""
        self.config = config
        self.queue = SpeechQueue(config.max_waiting)
        self.device = device
        self.device_fault = ""
        self.synthesis_ms = nan
        """From the turn of the newest sentence to its first sound."""
        self._voice = voice
        self._clock = clock
        self._publish = publish
        self._changed = threading.Condition()
        self._wait = wait or self._changed.wait
        self._reporting = threading.Lock()
        self._outbox: deque[SpeechStatus] = deque()
        self._current: Delivery | None = None
        self._cut_off: tuple[Utterance, int] | None = None
        """What a voice interrupted, and how many sentences had come in by then."""
        self._quiet_since_s = -inf
        self._ducked = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="speech", daemon=True)

    # -- called from any thread ---------------------------------------------------------------------------------------

    def say(self, utterance: Utterance) -> None:
        """Take in a sentence; it is spoken when its turn comes, or dropped and reported."""
        with self._changed:
            _, events = self.queue.add(utterance, self._clock.now_ns(), self._clock.monotonic_s())
            self._note(events)
            dropped = any(event.item.utterance is utterance and event.state != State.QUEUED for event in events)
            if self._current is not None and not dropped and interrupts(utterance, self._current.item.utterance):
                self._end(State.INTERRUPTED, f"a more urgent sentence came in: {utterance.id}")
            self._changed.notify_all()
        self._report()

    def control(self, word: str) -> bool:
        """Obey a word of speech/control; False when it is none."""
        control = CONTROLS.get(word.strip().lower())
        if control is None:
            return False
        with self._changed:
            self._note(self.queue.control(control))
            if control == Control.STOP:
                self._end(State.INTERRUPTED, "stopped by speech/control")
            if control == Control.MUTE and not self._urgent():
                self._end(State.INTERRUPTED, "muted by speech/control")
            self._changed.notify_all()
        self._report()
        return True

    def hear(self, voice: bool) -> None:
        """Somebody began to speak, or ended."""
        with self._changed:
            self._quiet_since_s = inf if voice else self._clock.monotonic_s()
            self.queue.listening = True
            if voice and self._current is not None and not self._urgent() and self._current.end is None:
                self._cut_off = self._to_say_again(self._current)
                self._end(State.INTERRUPTED, "somebody spoke")
            self._changed.notify_all()

    def configure(self, config: SpeakerConfig) -> None:
        """Go on with other settings; those that are read-only are not looked at again."""
        with self._changed:
            self.config = config
            self.queue.max_waiting = config.max_waiting

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Fall silent and end; what waits is reported as interrupted."""
        with self._changed:
            self._closed = True
            self._note(self.queue.control(Control.STOP))
            self._end(State.INTERRUPTED, "the speaker was stopped")
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(JOIN_S)
        self._report()
        if self.device is not None:
            self.device.close()

    # -- the speech thread --------------------------------------------------------------------------------------------

    def speak_next(self) -> bool:
        """Speak the sentence whose turn it is, to its end; False when none may be spoken now."""
        self._resume_if_quiet()
        with self._changed:
            item, events = self.queue.next(self._clock.now_ns())
            self._note(events)
            begun_s = self._clock.monotonic_s()
            self._current = delivery = Delivery(item, begun_s=begun_s) if item is not None else None
        self._report()
        if delivery is None:
            return False
        self._speak(delivery)
        if len(self.queue) == 0 or self.queue.held:
            self._duck(False)
        return True

    def _run(self) -> None:
        while not self._closed:
            if not self.speak_next():
                with self._changed:
                    if not self._closed and (len(self.queue) == 0 or self.queue.held):
                        self._wait(POLL_S if len(self.queue) or self.queue.listening else None)

    def _speak(self, delivery: Delivery) -> None:
        try:
            self._duck(True)
            if delivery.item.utterance.topic == EARCON:
                self._take(earcon(self._voice.sample_rate_hz, self.config.volume))
            else:
                self._voice.speak(delivery.item.utterance.text, self._take)
            with self._changed:
                self._pace(delivery, ahead_s=0.0)
            state, detail = delivery.end or (State.FINISHED, "")
            if state == State.FINISHED and delivery.pieces == 0:
                state, detail = State.FAILED, "the voice made no sound of it"
        except Exception as error:
            state, detail = State.FAILED, f"{type(error).__name__}: {error}"
        if delivery.pieces:
            self._emit(delivery, NO_SAMPLES, last=True)
        with self._changed:
            self._current = None
            self._note([Event(delivery.item, state, detail)], delivery)
        if state == State.INTERRUPTED:
            self._on_device(lambda device: device.flush())
        self._report()

    def _take(self, samples: NDArray[np.int16]) -> bool:
        delivery = self._current
        assert delivery is not None
        for piece in pieces(samples, self._voice.sample_rate_hz):
            with self._changed:
                if self._spoken_s(delivery) >= self.config.max_spoken_s:
                    self._end(State.FINISHED, f"cut off after {self.config.max_spoken_s:g} s")
                if not self._pace(delivery, AHEAD_S):
                    return False
            self._emit(delivery, piece, last=False)
            if delivery.pieces == 1:
                self._begun(delivery)
        return True

    def _begun(self, delivery: Delivery) -> None:
        now_s = self._clock.monotonic_s()
        delivery.first_audio_ms = (now_s - delivery.item.received_s) * 1e3
        self.synthesis_ms = (now_s - delivery.begun_s) * 1e3
        with self._changed:
            self._note([Event(delivery.item, State.STARTED)], delivery)
        self._report()

    def _pace(self, delivery: Delivery, ahead_s: float) -> bool:
        """Wait until what was given out so far has been heard, but for `ahead_s`; False when the sentence must end."""
        while delivery.end is None:
            now_s = self._clock.monotonic_s()
            if self.queue.paused and not self._urgent():
                self._wait(None)
                delivery.start_s += self._clock.monotonic_s() - now_s
            elif isnan(delivery.start_s):
                delivery.start_s = now_s
                delivery.end = self._stale(delivery.item.utterance)
            else:
                left_s = delivery.start_s + self._spoken_s(delivery) - ahead_s - now_s
                if left_s <= 0:
                    return True
                self._wait(left_s)
        return False

    def _spoken_s(self, delivery: Delivery) -> float:
        return delivery.samples / self._voice.sample_rate_hz

    def _stale(self, utterance: Utterance) -> tuple[State, str] | None:
        if 0 < utterance.expires_ns < self._clock.now_ns():
            return State.EXPIRED, "became stale while the voice was getting ready"
        return None

    def _emit(self, delivery: Delivery, samples: NDArray[np.int16], last: bool) -> None:
        rate_hz = self._voice.sample_rate_hz
        due_in_s = delivery.start_s + self._spoken_s(delivery) - self._clock.monotonic_s()
        stamp_ns = self._clock.now_ns() + round(max(0.0, due_in_s) * 1e9)
        utterance = delivery.item.utterance
        self._publish(SpeechAudio(stamp_ns, utterance.id, delivery.pieces, last, rate_hz, samples))
        delivery.pieces += 1
        delivery.samples += samples.size
        if samples.size:
            self._on_device(lambda device: device.write(samples))

    def _duck(self, ducked: bool) -> None:
        """Tell those who make other sounds, once for every change."""
        if ducked != self._ducked:
            self._ducked = ducked
            self._publish(Ducking(self.config.ducking_db if ducked else 0.0))

    def _resume_if_quiet(self) -> None:
        """Speak again after a pause in the talk; what was cut off comes first, if nothing newer came in."""
        with self._changed:
            quiet_s = self._clock.monotonic_s() - self._quiet_since_s
            if not self.queue.listening or quiet_s < self.config.resume_after_s:
                return
            self.queue.listening = False
            cut_off, self._cut_off = self._cut_off, None
            if cut_off is not None and self.queue.newest_order() <= cut_off[1]:
                again = cut_off[0]
                _, events = self.queue.add(again, self._clock.now_ns(), self._clock.monotonic_s())
                self._note(events)
        self._report()

    def _on_device(self, act: Callable[[Device], None]) -> None:
        """A loudspeaker that fails is given up; speech is still published."""
        if self.device is not None:
            try:
                act(self.device)
            except OSError as error:
                self.device, self.device_fault = None, str(error)

    # -- inside, with `_changed` held ---------------------------------------------------------------------------------

    def _urgent(self) -> bool:
        return self._current is not None and self._current.item.utterance.priority >= Priority.URGENT

    def _to_say_again(self, delivery: Delivery) -> tuple[Utterance, int] | None:
        """Nothing for what was mostly heard, and for progress: that will be told with what has happened since."""
        utterance = delivery.item.utterance
        heard = self._spoken_s(delivery) * WORDS_PER_S / max(1, len(utterance.text.split()))
        if utterance.kind == Kind.PROGRESS or heard >= AGAIN_BELOW:
            return None
        text = AGAIN + utterance.text.removeprefix(AGAIN)
        return replace(utterance, id=f"{utterance.id}/again", text=text), self.queue.newest_order()

    def _end(self, state: State, detail: str) -> None:
        if self._current is not None and self._current.end is None:
            self._current.end = (state, detail)

    def _note(self, events: list[Event], delivery: Delivery | None = None) -> None:
        spoken_s = self._spoken_s(delivery) if delivery else 0.0
        for event in events:
            utterance = event.item.utterance
            status = SpeechStatus(
                stamp_ns=self._clock.now_ns(),
                utterance_id=utterance.id,
                text=utterance.text,
                state=event.state,
                priority=utterance.priority,
                detail=event.detail,
                first_audio_ms=delivery.first_audio_ms if delivery else nan,
                spoken_s=spoken_s,
                queue_length=len(self.queue),
            )
            self._outbox.append(status)

    # -- inside, with no lock held ------------------------------------------------------------------------------------

    def _report(self) -> None:
        """Publish what was noted, in order, whichever thread comes first."""
        with self._reporting:
            while self._outbox:
                self._publish(self._outbox.popleft())


def pieces(samples: NDArray[np.int16], rate_hz: int) -> Iterator[NDArray[np.int16]]:
    """Cut into pieces of at most PIECE_S."""
    size = max(1, round(PIECE_S * rate_hz))
    for start in range(0, samples.size, size):
        yield samples[start : start + size]
