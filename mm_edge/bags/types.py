"""The message types of a bag: the standard ones of ROS 2 and ours, read from `msg/`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from mm_edge.share import share_path

PACKAGE = "mm_edge"


@lru_cache(maxsize=1)
def typestore() -> Typestore:
    """Every type by its name, e.g. "mm_edge/msg/Utterance"; the standard ones as of ROS 2 Jazzy."""
    store = get_typestore(Stores.ROS2_JAZZY)
    ours: dict[str, Any] = {}
    for path in sorted(share_path("msg").glob("*.msg")):
        ours.update(get_types_from_msg(path.read_text(encoding="utf-8"), f"{PACKAGE}/msg/{path.stem}"))
    store.register(ours)
    return store


class BagError(Exception):
    """A recording or a topic map that cannot be used; the message says why, in one line."""
