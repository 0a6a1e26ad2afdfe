"""Requests in people's own words, and which family of questions answers them; most are for no car to answer.

The texts are those of the crowd-written CLINC150 (Larson et al. 2019, "An evaluation dataset for intent classification
and out-of-scope prediction", CC BY 3.0), by intent, its "train" split to train with and its "test" split to measure.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

ROUTES = {
    "gas": "energy",
    "weather": "weather",
    "current_location": "location",
    "traffic": "traffic",
    "tire_pressure": "tyres",
    "distance": "arrival",
    "last_maintenance": "service",
    "oil_change_when": "service",
}
"""Intents that a drive or its log can answer; every other one is refused."""
REFUSED = "refuse"


@lru_cache(maxsize=2)
def crowd(split: str) -> dict[str, tuple[str, ...]]:
    """Family -> its requests, "refuse" among them. `split`: "train" or "test"."""
    document = json.loads(Path(__file__).with_name("crowd.json").read_text(encoding="utf-8"))[split]
    found: dict[str, list[str]] = {}
    for intent, texts in document.items():
        found.setdefault(ROUTES.get(intent, REFUSED), []).extend(texts)
    return {family: tuple(texts) for family, texts in found.items()}
