"""How long the next pass will take: a running high estimate of what the last ones took.

A slower pass is believed at once, a faster one only gradually, so that a deadline is not missed because one pass was
lucky.
"""

from __future__ import annotations

FORGETTING = 0.1
"""Weight of one faster pass."""


class Pace:
    def __init__(self) -> None:
        self._pass_s = 0.0

    def update(self, pass_s: float) -> float:
        """Book a pass of `pass_s` seconds; returns the expected duration of the next one in seconds."""
        faster = pass_s < self._pass_s
        self._pass_s = self._pass_s + FORGETTING * (pass_s - self._pass_s) if faster else pass_s
        return self._pass_s
