"""The facts that the model can state: the one vocabulary that world, model, trust and bench share.

A fact is a name and one of a closed list of values, the absent or unknown one first. Numbers that are copied from the
vehicle's signals rather than chosen from a list (speed, charge, range) are not here: the model places a slot token,
and the slot is filled from the evidence.
"""

from __future__ import annotations

LIMITS_KMH = (30, 50, 70, 80, 100, 120)
ALERTS = ("none", "lead_braking", "pedestrian", "red_light", "over_limit", "siren")
"""What an unsolicited turn may report, the most urgent first after "none"."""

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
"""What the surroundings show. `limit` is the sign in view or the limit the vehicle reports; `lead_motion` needs the
recent past; `siren` is heard."""

VEHICLE_FACTS: dict[str, tuple[str, ...]] = {
    "speed": ("unknown", "known"),
    "energy": ("unknown", "known"),
    "range": ("unknown", "known"),
    "gear": ("unknown", "park", "reverse", "neutral", "drive"),
    "indicator": ("off", "left", "right", "both"),
}
"""What the vehicle's own signals say."""

DRAWN_FACTS: dict[str, tuple[str, ...]] = {
    "ahead": ("nothing", "pedestrian", "red light", "yellow light", "green light", "car", "truck"),
    "over": ("unknown", "no", "yes"),
    "alert": ALERTS,
}
"""What follows from several of the others: what matters most ahead, whether the speed is above the limit, what is worth
saying unasked."""

FACTS = SCENE_FACTS | VEHICLE_FACTS | DRAWN_FACTS
BY_CAMERA = frozenset({*SCENE_FACTS, "ahead"}) - {"limit", "siren"}
"""Facts that are not known without a picture."""
BY_MICROPHONE = frozenset({"siren"})


def hidden_facts(sees: bool, hears: bool) -> frozenset[str]:
    """Facts that cannot be known without a picture, or without sound."""
    return (frozenset() if sees else BY_CAMERA) | (frozenset() if hears else BY_MICROPHONE)
