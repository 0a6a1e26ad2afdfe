"""What every voice offers, and which one speaks: Piper when a voice file is configured, else espeak-ng.

Knows nothing about queues, pacing or loudspeakers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mm_edge.feedback.config import SpeakerConfig

Take = Callable[[NDArray[np.int16]], bool]
"""Takes a piece of speech, [n] mono samples; returns False to end the synthesis."""


class VoiceError(Exception):
    """The voice could not speak a sentence; the message says why."""


class Voice(Protocol):
    name: str
    sample_rate_hz: int

    def speak(self, text: str, take: Take) -> None:
        """Hand every piece to `take` as soon as it is synthesised. Returns when all is done or `take` said False.

        `take` may block, to set the pace. Raises VoiceError.
        """


def open_voice(config: SpeakerConfig) -> Voice:
    """The voice that the configuration asks for. Raises UserError when it is not there."""
    if config.piper_voice:
        from mm_edge.feedback.piper import PiperVoice

        return PiperVoice(Path(config.piper_voice).expanduser())
    from mm_edge.feedback.espeak import EspeakVoice

    return EspeakVoice(config.language, config.words_per_minute, config.volume)
