"""A thread for what is never urgent: it gives way to the turns on every core. Knows nothing about what it runs."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

LOWEST = 19
"""Of all priorities, as niceness."""


def background(nice: int = LOWEST) -> ThreadPoolExecutor:
    """One thread, of a priority of its own where the system has that (Linux)."""
    return ThreadPoolExecutor(1, "background", initializer=_give_way, initargs=(nice,))


def _give_way(nice: int) -> None:
    if sys.platform == "linux" and nice:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
