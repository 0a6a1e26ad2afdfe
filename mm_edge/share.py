"""Where the files that are not Python lie: messages, configuration, launch files.

In a source tree (and an editable install) they lie beside the package, in a ROS workspace and after `pip install`
under `share/mm_edge`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def share_path(*parts: str) -> Path:
    """The path of a shared file or folder, e.g. `share_path("config", "assistant.yaml")`.

    Raises FileNotFoundError, naming every place that was looked at.
    """
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    roots = [Path(__file__).resolve().parents[1]]
    roots += [Path(prefix) / "share" / "mm_edge" for prefix in (*prefixes, sys.prefix) if prefix]
    for root in roots:
        candidate = root.joinpath(*parts)
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{'/'.join(parts)} not found under " + ", ".join(map(str, roots)))
