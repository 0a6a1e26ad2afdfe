"""From an observation to the tensors that the network takes. Missing sensors become zeros with a flag of 0.

Knows nothing about the network's weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isnan

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mm_edge.model.observation import AUDIO_RATE_HZ, AUDIO_WINDOW_S, Observation, VehicleState

IMAGE_HEIGHT, IMAGE_WIDTH = 96, 160
MEL_BANDS, FRAME, HOP = 40, 512, 256
SAMPLES = round(AUDIO_RATE_HZ * AUDIO_WINDOW_S)
MEL_FRAMES = 1 + (SAMPLES - FRAME) // HOP
_SCALES = {
    "speed_mps": 40.0,
    "acceleration_mps2": 5.0,
    "yaw_rate_rps": 0.5,
    "steering_angle_rad": 0.1,
    "throttle": 1.0,
    "brake": 1.0,
    "energy_percent": 100.0,
    "range_m": 500_000.0,
    "speed_limit_mps": 40.0,
}
_MOTION = ("speed_mps", "acceleration_mps2", "yaw_rate_rps", "steering_angle_rad")
SIGNALS = 2 * len(_MOTION)
"""Numbers that tell how the vehicle moves, and which of them are known."""
_WAVES = 2.0 ** np.arange(5) * np.pi / 2
STATE_SIZE = 2 * len(_SCALES) + 2 * 2 * len(_WAVES) + 5 + 2


@dataclass(frozen=True)
class Features:
    """A batch of observations. image: uint8 [B, 3, H, W]; state: [B, STATE_SIZE]; sound: [B, MEL_BANDS, MEL_FRAMES];
    has_image, has_sound: [B, 1], 1 where the sensor is there."""

    image: Tensor
    state: Tensor
    sound: Tensor
    has_image: Tensor
    has_sound: Tensor


def features(observations: list[Observation]) -> Features:
    """Stack observations to one batch."""
    images = [_channels(o.image) if o.image is not None else _no_image() for o in observations]
    sounds = [log_mel(o.audio) if o.audio is not None else _no_sound() for o in observations]
    return Features(
        image=torch.from_numpy(np.stack(images)),
        state=torch.from_numpy(np.stack([_state(o.state) for o in observations])),
        sound=torch.from_numpy(np.stack(sounds)),
        has_image=torch.tensor([[float(o.image is not None)] for o in observations]),
        has_sound=torch.tensor([[float(o.audio is not None)] for o in observations]),
    )


def fitted(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[h, w, 3] -> [H, W, 3], as the network sees it: the middle part of the right shape, scaled by area."""
    height, width = pixels.shape[:2]
    if (height, width) == (IMAGE_HEIGHT, IMAGE_WIDTH):
        return pixels
    keep_width = min(width, max(1, round(height * IMAGE_WIDTH / IMAGE_HEIGHT)))
    keep_height = min(height, max(1, round(width * IMAGE_HEIGHT / IMAGE_WIDTH)))
    left, top = (width - keep_width) // 2, (height - keep_height) // 2
    middle = pixels[top : top + keep_height, left : left + keep_width]
    return cv2.resize(middle, (IMAGE_WIDTH, IMAGE_HEIGHT), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[h, w, 3] -> [3, H, W]."""
    return np.ascontiguousarray(fitted(pixels).transpose(2, 0, 1))


def _state(state: VehicleState) -> NDArray[np.float32]:
    values, known = {}, {}
    for name, scale in _SCALES.items():
        value = getattr(state, name)
        known[name] = float(not isnan(value))
        values[name] = value / scale if known[name] else 0.0
    waves = [
        known[name] * wave(values[name] * _WAVES)
        for name in ("speed_mps", "speed_limit_mps")
        for wave in (np.sin, np.cos)
    ]
    gear = np.eye(5)[state.gear if 0 <= state.gear < 5 else 0]
    sides = [float(state.left_indicator), float(state.right_indicator)]
    return np.concatenate([list(values.values()), list(known.values()), *waves, gear, sides]).astype(np.float32)


def signals(state: Tensor) -> Tensor:
    """How the vehicle moves [..., SIGNALS], out of [..., STATE_SIZE]: numbers, the speed first, then a 1 for each that
    is known."""
    places = [[*_SCALES].index(name) for name in _MOTION]
    return state[..., places + [len(_SCALES) + place for place in places]]


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mono samples at AUDIO_RATE_HZ -> [MEL_BANDS, MEL_FRAMES], the last SAMPLES of them, zeros before."""
    window = np.zeros(SAMPLES, np.float32)
    recent = samples[-SAMPLES:]
    window[SAMPLES - recent.size :] = recent
    frames = np.lib.stride_tricks.sliding_window_view(window, FRAME)[::HOP] * np.hanning(FRAME).astype(np.float32)
    power = torch.from_numpy(np.abs(np.fft.rfft(frames, axis=1)).astype(np.float32) ** 2)
    bands = (power @ torch.from_numpy(_mel_filters()).T).numpy()  # torch keeps to the threads that it was given
    return np.log(bands + np.float32(1e-4)).T.astype(np.float32) / np.float32(5)


@lru_cache(maxsize=1)
def _mel_filters() -> NDArray[np.float32]:
    """Triangles evenly spaced in mel from 60 to 4000 Hz (O'Shaughnessy 1987): [MEL_BANDS, FRAME / 2 + 1]."""
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (60.0, 4000.0))
    edges = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(FRAME, 1 / AUDIO_RATE_HZ)
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


@lru_cache(maxsize=1)
def _no_image() -> NDArray[np.uint8]:
    return np.zeros((3, IMAGE_HEIGHT, IMAGE_WIDTH), np.uint8)


@lru_cache(maxsize=1)
def _no_sound() -> NDArray[np.float32]:
    return np.zeros((MEL_BANDS, MEL_FRAMES), np.float32)
