"""A short sound in place of words: "heard". Knows nothing about when it is due."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOPIC = "earcon"
"""The topic of an utterance that is sounded, not spoken; its text is for those who only read."""
TONES_HZ = (660.0, 880.0)
TONE_S = 0.08
FADE_S = 0.01
LOUDNESS = 0.25


def earcon(rate_hz: int, volume: float = 1.0) -> NDArray[np.int16]:
    """[n] mono: two rising tones, faded in and out so that nothing clicks."""
    time_s = np.arange(round(TONE_S * rate_hz)) / rate_hz
    fade = np.clip(np.minimum(time_s, TONE_S - time_s) / FADE_S, 0.0, 1.0)
    tones = [np.sin(2 * np.pi * hz * time_s) * fade for hz in TONES_HZ]
    loud = min(1.0, LOUDNESS * volume)
    return np.asarray(np.concatenate(tones) * loud * 32767, np.int16)
