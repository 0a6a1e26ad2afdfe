"""Speech as sound files: one per sentence, and all of it on the drive's time line. Knows nothing about voices."""

from __future__ import annotations

import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_edge.errors import UserError
from mm_edge.report.recording import AUDIO, Recording

LATEST_S = 60.0
"""Speech may end this long after the bag's last message."""


def write_speech(recording: Recording, out: Path) -> list[Path]:
    """`speech/NNN-id.wav` for every sentence and `speech.wav`; nothing without speech. Raises UserError."""
    sentences: dict[str, list[Any]] = {}
    for _, piece in recording.of(AUDIO):
        if len(piece.samples):
            sentences.setdefault(piece.utterance_id, []).append(piece)
    if not sentences:
        return []
    try:
        (out / "speech").mkdir(parents=True, exist_ok=True)
        for old in (out / "speech").glob("*.wav"):
            old.unlink()
        written = []
        for number, (name, pieces) in enumerate(sentences.items(), 1):
            slug = re.sub(r"[^\w-]+", "-", name)[:40]
            path = out / "speech" / f"{number:03d}-{slug}.wav"
            _write(path, np.concatenate([piece.samples for piece in pieces]), pieces[0].sample_rate_hz)
            written.append(path)
        everything = [piece for pieces in sentences.values() for piece in pieces]
        _write(out / "speech.wav", mix(recording, everything), everything[0].sample_rate_hz)
    except OSError as error:
        raise UserError(f"{out}: speech cannot be written ({error.strerror})") from error
    return [*written, out / "speech.wav"]


def mix(recording: Recording, pieces: list[Any]) -> NDArray[np.int16]:
    """Every piece at the moment when it was due to be heard, [n] from the bag's start.

    What is stamped outside of the bag's time, but for LATEST_S after its end, was stamped by another clock: left out.
    """
    rate_hz = pieces[0].sample_rate_hz
    longest = round((recording.duration_s + LATEST_S) * rate_hz)
    placed = [(round((_stamp_ns(piece) - recording.start_ns) / 1e9 * rate_hz), piece.samples) for piece in pieces]
    heard = [(place, samples) for place, samples in placed if 0 <= place <= longest]
    ends = [place + len(samples) for place, samples in heard]
    track = np.zeros(max(round(recording.duration_s * rate_hz), *ends, 0), np.int16)
    for place, samples in heard:
        track[place : place + len(samples)] = samples
    return track


def _stamp_ns(piece: Any) -> int:
    return int(piece.header.stamp.sec) * 1_000_000_000 + int(piece.header.stamp.nanosec)


def _write(path: Path, samples: NDArray[np.int16], rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
