"""Numbers that the vehicle itself reports are copied into the sentence, never guessed by the network.

Knows nothing about how the sentence came about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isnan

from mm_edge.model.observation import VehicleState

SLOTS: dict[str, Callable[[VehicleState], float]] = {
    "speed": lambda state: abs(state.speed_mps) * 3.6,
    "energy": lambda state: state.energy_percent,
    "range": lambda state: state.range_m / 1000,
}
"""Whole km/h, percent and kilometres."""
UNKNOWN = "an unknown number of"


def fill(text: str, state: VehicleState) -> str:
    """The sentence with every `{slot}` replaced; a signal that is not known is said to be unknown."""

    def number(match: re.Match[str]) -> str:
        value = SLOTS[match[1]](state) if match[1] in SLOTS else float("nan")
        return UNKNOWN if isnan(value) else str(round(value))

    filled = re.sub(r"\{(\w+)\}", number, text)
    return filled[:1].upper() + filled[1:]
