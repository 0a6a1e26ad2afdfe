"""The state of the policy as a small JSON file that a person can read and mend. Knows nothing about its content."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FORMAT = 1
MAX_BYTES = 1_000_000


class KeptError(Exception):
    """The file cannot be used; the message names the cause and where it is now."""


def write(path: Path, state: Mapping[str, Any]) -> None:
    """After a crash there is the old file or the new one. Raises OSError: the old file is then as it was."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"format": FORMAT, **state}, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def read(path: Path, take: Callable[[dict[str, Any]], None]) -> None:
    """Hand the state to `take`, which raises ValueError for what is none; nothing without a file. Raises KeptError for
    a file that cannot be used, which is set aside for a person to look at, and OSError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        state = json.loads(raw.decode("utf-8"))
        if not isinstance(state, dict) or state.pop("format", None) != FORMAT:
            raise ValueError(f"not of format {FORMAT}")
        take(state)
    except FileNotFoundError:
        return
    except (ValueError, RecursionError) as error:
        aside = path.with_name(f"{path.name}.damaged")
        path.replace(aside)
        raise KeptError(f"{path} is damaged ({error}) and was renamed to {aside.name}") from error
