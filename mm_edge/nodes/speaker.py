"""The node with the voice: utterances in, sound and what became of each sentence out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rclpy.qos import QoSProfile
from std_msgs.msg import String

import mm_edge.msg as msg
from mm_edge.compute.processing_time import Level
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.playback import Playback, SpeechAudio, SpeechStatus
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
        self._sound = ""
        super().__init__("speaker", ("synthesis",), **options)
        self._settings = self.parameters(SpeakerConfig, applied=self._apply)

    def configure(self) -> None:
        self._voice = open_voice(self._settings.config)
        self.create_outputs(SpeechAudio, SpeechStatus)
        self._inputs = [
            self.create_subscription(msg.Utterance, "utterance", self._hear, UTTERANCE_QOS),
            self.create_subscription(String, "speech/control", self._control, CONTROL_QOS),
        ]

    def activate(self) -> None:
        config = self._settings.config
        device, self._sound = open_device(config.sound_device, self._voice.sample_rate_hz)
        self._playback = Playback(config, self._voice, self.clock, self.publish, device)
        self._playback.start()

    def deactivate(self) -> None:
        playback, self._playback = self._playback, None
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
        if self._playback is not None and not self._playback.control(message.data):
            self.get_logger().warning(f"speech/control: unknown word {message.data[:40]!r}")

    def _apply(self, config: SpeakerConfig) -> None:
        if self._playback is not None:
            self._playback.configure(config)

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
            "waiting": len(playback.queue),
        }
        values |= {f"{state.name.lower()}_count": self._ends[state] for state in State}
        if playback.device_fault:
            return Status("voice", Level.WARN, f"sound device lost: {playback.device_fault}", values)
        if self._ends[State.FAILED]:
            return Status("voice", Level.WARN, f"{self._ends[State.FAILED]} sentences could not be spoken", values)
        return Status("voice", Level.OK, "muted" if playback.queue.muted else "ready", values)
