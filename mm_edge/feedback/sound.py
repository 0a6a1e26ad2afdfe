"""A loudspeaker, if there is one. Needs the optional `sounddevice` package; without it, or without a device, speech is
published only.

Knows nothing about sentences; samples go out as they come in.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray


class SoundDevice:
    """An open output of the machine."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream = stream
        self.name = name

    def write(self, samples: NDArray[np.int16]) -> None:
        """samples: [n] mono. Raises OSError when the device is gone."""
        try:
            self._stream.write(samples.tobytes())
        except Exception as error:
            raise OSError(f"{self.name}: {error}") from error

    def flush(self) -> None:
        """Fall silent at once. Raises OSError when the device is gone."""
        try:
            self._stream.abort()
            self._stream.start()
        except Exception as error:
            raise OSError(f"{self.name}: {error}") from error

    def close(self) -> None:
        """A device that is gone needs no closing."""
        with suppress(Exception):
            self._stream.abort()
            self._stream.close()


def open_device(name: str, sample_rate_hz: int) -> tuple[SoundDevice | None, str]:
    """The device, or None and the reason. `name`: "auto", "none", or a device's name."""
    if name == "none":
        return None, "switched off"
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        return None, f"the package sounddevice cannot be used ({error})"
    wanted = None if name == "auto" else name
    try:
        stream = sounddevice.RawOutputStream(samplerate=sample_rate_hz, channels=1, dtype="int16", device=wanted)
        stream.start()
        return SoundDevice(stream, str(sounddevice.query_devices(wanted, "output")["name"])), ""
    except Exception as error:
        return None, f"no sound device: {error}"
