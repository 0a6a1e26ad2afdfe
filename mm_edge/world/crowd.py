"""Requests in people's own words, and which family of questions answers them; most are for no car to answer.

The texts are those of the crowd-written CLINC150 (Larson et al. 2019, "An evaluation dataset for intent classification
and out-of-scope prediction", CC BY 3.0), by intent, its "train" split to train with, its "val" split to choose
thresholds by, and its "test" split to measure.
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


@lru_cache(maxsize=3)
def crowd(split: str) -> dict[str, tuple[str, ...]]:
    """Family -> its requests, "refuse" among them. `split`: "train", "val" or "test"."""
    found: dict[str, list[str]] = {}
    for intent, texts in _document()[split].items():
        found.setdefault(ROUTES.get(intent, REFUSED), []).extend(texts)
    return {family: tuple(texts) for family, texts in found.items()}


def out_of_scope(split: str) -> tuple[str, ...]:
    """The requests that belong to none of the intents: what nobody thought of."""
    return tuple(_document()[split]["oos"])


@lru_cache(maxsize=1)
def _document() -> dict[str, dict[str, list[str]]]:
    return json.loads(Path(__file__).with_name("crowd.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]
