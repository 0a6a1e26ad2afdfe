"""Loggers: lines on stderr in the form of rcl's, and messages for /rosout."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any


class LoggingSeverity(IntEnum):
    UNSET = 0
    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40
    FATAL = 50


_levels: dict[str, int] = {}
_rosout: dict[str, Callable[[int, str, str], None]] = {}
_lock = threading.Lock()


class RcutilsLogger:
    def __init__(self, name: str = "") -> None:
        self.name = name
        self._once: set[str] = set()
        self._throttled: dict[str, float] = {}

    def get_child(self, name: str) -> RcutilsLogger:
        return RcutilsLogger(f"{self.name}.{name}" if self.name else name)

    def set_level(self, level: LoggingSeverity | int) -> None:
        _levels[self.name] = int(level)

    def get_effective_level(self) -> LoggingSeverity:
        """Its own level, or that of the nearest parent that has one."""
        name = self.name
        while name and not _levels.get(name):
            name = name.rpartition(".")[0]
        return LoggingSeverity(_levels.get(name) or _levels.get("") or LoggingSeverity.INFO)

    def is_enabled_for(self, severity: LoggingSeverity) -> bool:
        return severity >= self.get_effective_level()

    def log(
        self,
        message: str,
        severity: LoggingSeverity,
        *,
        once: bool = False,
        throttle_duration_sec: float | None = None,
        skip_first: bool = False,
        **_: Any,
    ) -> bool:
        """Whether it was logged."""
        if not self.is_enabled_for(severity) or (once and not self._first(message)):
            return False
        if throttle_duration_sec is not None and not self._due(message, throttle_duration_sec):
            return False
        self._write(str(message), severity)
        return True

    def debug(self, message: str, **kwargs: Any) -> bool:
        return self.log(message, LoggingSeverity.DEBUG, **kwargs)

    def info(self, message: str, **kwargs: Any) -> bool:
        return self.log(message, LoggingSeverity.INFO, **kwargs)

    def warning(self, message: str, **kwargs: Any) -> bool:
        return self.log(message, LoggingSeverity.WARN, **kwargs)

    warn = warning

    def error(self, message: str, **kwargs: Any) -> bool:
        return self.log(message, LoggingSeverity.ERROR, **kwargs)

    def fatal(self, message: str, **kwargs: Any) -> bool:
        return self.log(message, LoggingSeverity.FATAL, **kwargs)

    def _first(self, message: str) -> bool:
        new = message not in self._once
        self._once.add(message)
        return new

    def _due(self, message: str, seconds: float) -> bool:
        now_s = time.monotonic()
        if now_s - self._throttled.get(message, -1e9) < seconds:
            return False
        self._throttled[message] = now_s
        return True

    def _write(self, message: str, severity: LoggingSeverity) -> None:
        line = f"[{severity.name}] [{time.time():.9f}] [{self.name}]: {message}\n"
        with _lock:
            sys.stderr.write(line)
            sys.stderr.flush()
            publish = _rosout.get(self.name.split(".")[0])
        if publish is not None:
            publish(int(severity), self.name, message)


def get_logger(name: str) -> RcutilsLogger:
    return RcutilsLogger(name)


def get_logging_severity_from_string(text: str) -> LoggingSeverity:
    """Raises RuntimeError for a word that is no severity."""
    try:
        return LoggingSeverity[{"WARNING": "WARN"}.get(text.upper(), text.upper())]
    except KeyError:
        raise RuntimeError(f"{text!r} is not a log level") from None


def set_logger_level(name: str, level: LoggingSeverity | int) -> None:
    _levels[name] = int(level)


def attach_rosout(name: str, publish: Callable[[int, str, str], None]) -> None:
    _rosout[name] = publish


def detach_rosout(name: str) -> None:
    _rosout.pop(name, None)
