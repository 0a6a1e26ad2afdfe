"""espeak-ng through its library: about 10 ms for a sentence, in pieces while it is synthesised.

The library comes from the `espeakng-loader` package or from the system (libespeak-ng1). It holds one voice per process,
so that one sentence is spoken at a time.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from functools import lru_cache
from typing import Any

import numpy as np

from mm_edge.errors import UserError
from mm_edge.feedback.voice import Take, VoiceError

MISSING = "no voice: install espeak-ng (pip install espeakng-loader, or apt install libespeak-ng1)"
PIECE_MS = 100
MAX_CHARACTERS = 5000
"""More than any sentence has; a longer text is cut before the library sees it."""

_SYNCHRONOUS, _DO_NOT_EXIT, _UTF8, _POSITION_CHARACTER = 2, 0x8000, 1, 1
_RATE, _VOLUME = 1, 2
_OK, _GO_ON, _ABORT = 0, 0, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_ONE_AT_A_TIME = threading.Lock()
"""The library's own state is global."""


class EspeakVoice:
    def __init__(self, language: str = "en", words_per_minute: int = 175, volume: float = 1.0) -> None:
        """Raises UserError when the library or the language is not there."""
        self.name = f"espeak-ng/{language}"
        self._settings = (language.encode(), words_per_minute, round(100 * volume))
        with _ONE_AT_A_TIME:
            self._library, self.sample_rate_hz = _initialized()
            if self._apply() != _OK:
                raise UserError(f"espeak-ng has no voice named {language!r}; see: espeak-ng --voices")

    def speak(self, text: str, take: Take) -> None:
        failure: list[BaseException] = []

        def piece(samples: Any, count: int, _events: Any) -> int:
            try:
                if not samples or count <= 0:
                    return _GO_ON
                return _GO_ON if take(np.ctypeslib.as_array(samples, (count,)).copy()) else _ABORT
            except BaseException as error:  # must not unwind through the library's frames
                failure.append(error)
                return _ABORT

        callback = _CALLBACK(piece)
        data = " ".join(text[:MAX_CHARACTERS].replace("\0", " ").split()).encode("utf-8", "replace")
        with _ONE_AT_A_TIME:
            self._apply()
            self._library.espeak_SetSynthCallback(callback)
            code = self._library.espeak_Synth(
                data, ctypes.c_size_t(len(data) + 1), 0, _POSITION_CHARACTER, 0, _UTF8, None, None
            )
            self._library.espeak_SetSynthCallback(_CALLBACK(0))
        if failure:
            raise failure[0]
        if code != _OK:
            raise VoiceError(f"espeak-ng failed with code {code}")

    def _apply(self) -> int:
        language, words_per_minute, volume = self._settings
        self._library.espeak_SetParameter(_RATE, words_per_minute, 0)
        self._library.espeak_SetParameter(_VOLUME, volume, 0)
        return int(self._library.espeak_SetVoiceByName(language))


@lru_cache(maxsize=1)
def _initialized() -> tuple[ctypes.CDLL, int]:
    """The library and its sample rate. Once per process: a second initialisation corrupts the library's memory."""
    library, data = _load()
    sample_rate_hz = int(library.espeak_Initialize(_SYNCHRONOUS, PIECE_MS, data, _DO_NOT_EXIT))
    if sample_rate_hz <= 0:
        raise UserError(f"espeak-ng cannot read its data in {data.decode() if data else 'the default folder'}")
    return library, sample_rate_hz


def _load() -> tuple[ctypes.CDLL, bytes | None]:
    """The library, and the folder of its data; None: where the library itself looks."""
    try:
        import espeakng_loader
    except ImportError:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise UserError(MISSING) from None
        return ctypes.CDLL(name), None
    return ctypes.CDLL(espeakng_loader.get_library_path()), espeakng_loader.get_data_path().encode()
