"""The node with the voice: utterances in, sound and what became of each sentence out; it falls silent when somebody
speaks."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rclpy.qos import QoSProfile, qos_profile_sensor_data
from std_msgs.msg import String

import mm_edge.msg as msg
from mm_edge.assistant import sensors
from mm_edge.assistant.narrator import WORDS
from mm_edge.compute.processing_time import Level
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.hearing import Listener, VoiceActivity, open_detector
from mm_edge.feedback.playback import Ducking, Playback, SpeechAudio, SpeechStatus
from mm_edge.feedback.queue import State
from mm_edge.feedback.sound import open_device
from mm_edge.feedback.voice import open_voice
from mm_edge.nodes.convert import utterance
from mm_edge.nodes.diagnostics import Status
from mm_edge.nodes.managed import ManagedNode

UTTERANCE_QOS = QoSProfile(depth=1000)
CONTROL_QOS = QoSProfile(depth=10)


class SpeakerNode(ManagedNode):
    def __init__(self, **options: Any) -> None:
        self._playback: Playback | None = None
        self._ends: Counter[State] = Counter()
        self._sound = self._deaf = ""
        self._listener: Listener | None = None
        super().__init__("speaker", ("synthesis",), **options)
        self._settings = self.parameters(SpeakerConfig, applied=self._apply)

    def configure(self) -> None:
        self._voice = open_voice(self._settings.config)
        self.create_outputs(SpeechAudio, SpeechStatus, Ducking)
        self._inputs = [
            self.create_subscription(msg.Utterance, "utterance", self._hear, UTTERANCE_QOS),
            self.create_subscription(String, "speech/control", self._control, CONTROL_QOS),
            self.create_subscription(msg.AudioChunk, "audio", self._listen, qos_profile_sensor_data),
        ]

    def activate(self) -> None:
        config = self._settings.config
        device, self._sound = open_device(config.sound_device, self._voice.sample_rate_hz)
        self._playback = Playback(config, self._voice, self.clock, self.publish, device)
        self._playback.start()
        self._listener = self._listening(config, self._playback)

    def deactivate(self) -> None:
        playback, self._playback = self._playback, None
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
        if playback is not None:
            playback.stop()

    def cleanup(self) -> None:
        for subscription in getattr(self, "_inputs", []):
            self.destroy_subscription(subscription)
        self._inputs = []

    def publish(self, output: Any) -> None:
        super().publish(output)
        if isinstance(output, SpeechStatus):
            self._ends[output.state] += 1
            if output.state == State.STARTED and self._playback is not None:
                self.times.add({"synthesis": self._playback.synthesis_ms}, self.clock.monotonic_s())

    def tasks(self) -> list[Any]:
        return [self._voice_status]

    def _hear(self, message: Any) -> None:
        if self._playback is not None:
            self._playback.say(utterance(message))

    def _control(self, message: Any) -> None:
        known = self._playback is None or self._playback.control(message.data)
        if not known and message.data.strip().lower() not in WORDS:
            self.get_logger().warning(f"speech/control: unknown word {message.data[:40]!r}")

    def _listening(self, config: SpeakerConfig, playback: Playback) -> Listener | None:
        detector, self._deaf = open_detector() if config.barge_in else (None, "switched off")
        if detector is None:
            return None
        listener = Listener(VoiceActivity(detector, config.voice_probability), playback.hear)
        listener.start()
        return listener

    def _listen(self, message: Any) -> None:
        if self._listener is not None:
            try:
                self._listener.put(sensors.audio(message))
            except sensors.SensorError as error:
                self._deaf = f"{error.fault}: {error}"

    def _apply(self, config: SpeakerConfig) -> None:
        if self._playback is not None:
            self._playback.configure(config)
        if self._listener is not None:
            self._listener.activity.probability = config.voice_probability

    def _voice_status(self) -> Status:
        """Who speaks, where it is heard, and what was not said."""
        playback = self._playback
        if playback is None:
            return Status("voice", Level.OK, "not active")
        heard_on = playback.device.name if playback.device is not None else "none"
        values: dict[str, object] = {
            "voice": self._voice.name,
            "sound_device": heard_on,
            "sound_device_problem": playback.device_fault or self._sound,
            "muted": playback.queue.muted,
            "paused": playback.queue.paused,
            "listens": self._listener is not None,
            "listening_problem": self._deaf,
            "waiting": len(playback.queue),
        }
        values |= {f"{state.name.lower()}_count": self._ends[state] for state in State}
        if playback.device_fault:
            return Status("voice", Level.WARN, f"sound device lost: {playback.device_fault}", values)
        if self._ends[State.FAILED]:
            return Status("voice", Level.WARN, f"{self._ends[State.FAILED]} sentences could not be spoken", values)
        return Status("voice", Level.OK, "muted" if playback.queue.muted else "ready", values)
