"""What the microphone hears: the road, the engine, now and then a horn or music, and sirens.

Knows nothing about the drive beyond the numbers that it is given.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mm_edge.model.observation import AUDIO_RATE_HZ, AUDIO_WINDOW_S

SAMPLES = round(AUDIO_RATE_HZ * AUDIO_WINDOW_S)
POOL_SAMPLES = 16 * SAMPLES


def sound(rng: np.random.Generator, t_s: float, speed_mps: float, siren: float) -> NDArray[np.float32]:
    """The second of sound up to `t_s`: float32 [SAMPLES]. `siren`: its loudness, 0 for none, up to 1."""
    seconds = (np.arange(SAMPLES, dtype=np.float32) / np.float32(AUDIO_RATE_HZ)) + np.float32(t_s % 60 - AUDIO_WINDOW_S)
    start = int(rng.integers(POOL_SAMPLES - SAMPLES))
    heard = (0.01 + 0.002 * speed_mps) * rng.uniform(0.5, 1.5) * _road_noise()[start : start + SAMPLES]
    hum_hz = 40 + 2.0 * speed_mps
    heard = heard + np.float32(0.02) * np.sin(np.float32(2 * np.pi * hum_hz) * seconds)
    if rng.random() < 0.1:
        heard = heard + _tone(seconds, rng.uniform(380, 520), 0.15) * (seconds - seconds[0] > rng.uniform(0, 0.7))
    if rng.random() < 0.1:
        for _ in range(3):
            heard = heard + _tone(seconds, rng.uniform(200, 1600), 0.04)
    if siren > 0:
        heard = heard + np.float32(0.2 * siren) * _siren(seconds, wails=siren * 1e3 % 1 < 0.5)
    gain = rng.uniform(0.5, 1.2)
    return np.clip(heard * gain, -1, 1).astype(np.float32)


@lru_cache(maxsize=1)
def _road_noise() -> NDArray[np.float32]:
    """Low-passed noise of unit variance, [POOL_SAMPLES]."""
    white = np.random.default_rng(0).standard_normal(POOL_SAMPLES)
    smooth = np.convolve(white, np.exp(-np.arange(24) / 6.0), mode="same")
    return (smooth / smooth.std()).astype(np.float32)


def _tone(seconds: NDArray[np.float32], hz: float, loudness: float) -> NDArray[np.float32]:
    phase = np.float32(2 * np.pi * hz) * seconds
    return np.float32(loudness) * (np.sin(phase) + np.float32(0.4) * np.sin(2 * phase)) / np.float32(1.4)


def _siren(seconds: NDArray[np.float32], wails: bool) -> NDArray[np.float32]:
    """A wail that sweeps from 600 to 1400 Hz, or two tones a fourth apart, each half a second long."""
    if wails:
        sweep = 0.5 - 0.5 * np.cos(2 * np.pi * seconds.astype(np.float64) / 1.6)
        phase = 2 * np.pi * np.cumsum(600 + 800 * sweep) / AUDIO_RATE_HZ
        return (np.sin(phase) + 0.4 * np.sin(2 * phase)).astype(np.float32) / np.float32(1.4)
    high = (seconds * 2).astype(np.int64) % 2 == 0
    return np.where(high, _tone(seconds, 580, 1.0), _tone(seconds, 435, 1.0)).astype(np.float32)
