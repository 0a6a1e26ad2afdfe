"""Whether somebody speaks, by silero-vad: an optional package, of which only the ONNX file is used.

32 ms at a time, in well under a millisecond. The package itself is not imported: it would load torch's hub. Knows
nothing about topics or about what is done when somebody speaks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
CHUNK, BEFORE = 512, 64
"""Samples that are judged at once, and those before them that the network looks at again."""
CONFIRM = 2
"""Chunks in a row before a sound counts as a voice: a click is shorter."""
GONE = 10
"""Chunks in a row without a voice before it counts as gone: words have gaps."""
SLACK = 0.15
"""A voice that was heard goes on down to this much below the threshold (silero's own rule)."""
MOST_WAITING = 20
JOIN_S = 2.0
PACKAGE, MODEL = "silero_vad", Path("data", "silero_vad.onnx")
MISSING = "the package silero-vad is not installed"


class Detector(Protocol):
    def __call__(self, chunk: NDArray[np.float32]) -> float:
        """The probability of a voice in the next chunk, [CHUNK] at RATE_HZ."""

    def reset(self) -> None:
        """What comes next has nothing to do with what came before."""


class SileroDetector:
    """Raises OSError or an error of ONNX Runtime for a file that is no such network."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._rate = np.array(RATE_HZ, np.int64)
        self.reset()

    def reset(self) -> None:
        self._state = np.zeros((2, 1, 128), np.float32)
        self._before = np.zeros(BEFORE, np.float32)

    def __call__(self, chunk: NDArray[np.float32]) -> float:
        heard = np.concatenate([self._before, chunk])[None]  # [1, BEFORE + CHUNK]
        odds, self._state = self._session.run(None, {"input": heard, "state": self._state, "sr": self._rate})
        self._before = chunk[-BEFORE:]
        return float(odds[0, 0])


def open_detector() -> tuple[Detector | None, str]:
    """The detector, or None and the reason."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None, MISSING
    try:
        return SileroDetector(Path(next(iter(spec.submodule_search_locations))) / MODEL), ""
    except Exception as error:  # a package of another shape must not end the node
        return None, f"silero-vad cannot be used: {error}"


class VoiceActivity:
    """A stream of sound -> when a voice begins and ends. probability: from which up a chunk is a voice."""

    def __init__(self, detector: Detector, probability: float) -> None:
        self.probability = probability
        self.voice = False
        self._detector = detector
        self._rest = np.zeros(0, np.float32)
        self._streak = 0

    def hear(self, samples: NDArray[np.float32]) -> Iterator[bool]:
        """samples: float32 [n], mono at RATE_HZ. Yields True when a voice begins, False when it is gone."""
        self._rest = np.concatenate([self._rest, samples])
        while self._rest.size >= CHUNK:
            chunk, self._rest = self._rest[:CHUNK], self._rest[CHUNK:]
            needed = self.probability - SLACK * self.voice
            self._streak = self._streak + 1 if (self._detector(chunk) >= needed) != self.voice else 0
            if self._streak >= (GONE if self.voice else CONFIRM):
                self.voice, self._streak = not self.voice, 0
                yield self.voice


def has_voice(detector: Detector, samples: NDArray[np.float32], probability: float) -> bool:
    """Whether somebody speaks anywhere in samples, float32 [n], mono at RATE_HZ."""
    detector.reset()
    return True in VoiceActivity(detector, probability).hear(samples)


class Listener:
    """A voice activity on a thread of its own; `heard` is called with what it yields. Sound that it cannot keep up with
    is left out."""

    def __init__(self, activity: VoiceActivity, heard: Callable[[bool], None]) -> None:
        self.activity = activity
        self._heard = heard
        self._changed = threading.Condition()
        self._sound: deque[NDArray[np.float32]] = deque(maxlen=MOST_WAITING)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(JOIN_S)

    def put(self, samples: NDArray[np.float32]) -> None:
        """samples: float32 [n], mono at RATE_HZ."""
        with self._changed:
            self._sound.append(samples)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._sound and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                samples = self._sound.popleft()
            for voice in self.activity.hear(samples):
                self._heard(voice)
