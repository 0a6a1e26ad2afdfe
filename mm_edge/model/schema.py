"""The facts that the first model can state: the one vocabulary that world, model, trust and bench share.

A fact is a name and one of a closed list of values. Numbers that are copied from the vehicle's signals rather than
chosen from a list (speed, charge, range) are not here: the model places a slot token, and the slot is filled from the
evidence.
"""

from __future__ import annotations

LIMITS_KMH = (30, 50, 70, 80, 100, 120)

SCENE_FACTS: dict[str, tuple[str, ...]] = {
    "road": ("city street", "country road", "highway"),
    "weather": ("clear", "rain", "fog"),
    "daylight": ("day", "night"),
    "light": ("none", "red", "yellow", "green"),
    "limit": ("none", *map(str, LIMITS_KMH)),
    "lead": ("none", "car", "truck"),
    "lead_distance": ("none", "close", "medium", "far"),
    "lead_motion": ("none", "steady", "closing", "opening", "braking hard"),
    "pedestrian": ("none", "left", "right", "ahead"),
    "siren": ("none", "siren"),
}
"""What one observation shows. `limit` is the sign in view or the limit the vehicle reports; `lead_motion` needs the
recent past; `siren` is heard."""

ALERTS = ("none", "lead_braking", "red_light", "pedestrian", "over_limit", "siren")
"""What an unsolicited turn may report, the most urgent first after "none"."""
