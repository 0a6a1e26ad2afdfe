"""A Piper voice: a neural voice from a file of the user's. Needs the optional package `piper-tts` (1.3 or newer).

Piper synthesises sentence by sentence, so that the first piece comes after the first sentence.
"""

from __future__ import annotations

import json
from pathlib import Path

from mm_edge.errors import UserError
from mm_edge.feedback.voice import Take, VoiceError


class PiperVoice:
    def __init__(self, path: Path) -> None:
        """`path`: an .onnx file with its .onnx.json beside it. Raises UserError when something is missing."""
        try:
            import piper
        except ImportError:
            raise UserError(f"the voice {path} needs Piper: pip install piper-tts") from None
        self.sample_rate_hz = sample_rate_hz(path)
        try:
            self._voice = piper.PiperVoice.load(path)
        except Exception as error:
            raise UserError(f"the Piper voice {path} cannot be loaded: {error}") from error
        self.name = f"piper/{path.stem}"

    def speak(self, text: str, take: Take) -> None:
        try:
            for chunk in self._voice.synthesize(text):
                if not take(chunk.audio_int16_array):
                    return
        except (RuntimeError, ValueError) as error:
            raise VoiceError(f"{self.name}: {error}") from error


def sample_rate_hz(path: Path) -> int:
    """From the voice's .onnx.json. Raises UserError."""
    description = path.with_name(path.name + ".json")
    if not path.is_file():
        raise UserError(f"the Piper voice {path} does not exist")
    try:
        return int(json.loads(description.read_text(encoding="utf-8"))["audio"]["sample_rate"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"the Piper voice's description {description} cannot be used: {error}") from error
