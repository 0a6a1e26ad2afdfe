"""The engine that a configuration asks for."""

from __future__ import annotations

import pytest

from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.opening import engine_of
from mm_edge.compute.relay import Relay
from mm_edge.engine import next_backend


@pytest.mark.parametrize(
    ("rung", "relay", "both"), [("small", True, False), ("large", False, False), ("large", True, True)]
)
def test_two_rungs_are_opened_only_where_they_are_of_use(rung: str, relay: bool, both: bool) -> None:
    engine = engine_of(AssistantConfig(rung=rung, relay=relay), "torch")  # type: ignore[arg-type]
    assert isinstance(engine, Relay) == both
    assert engine.refused == ()
    assert next_backend(engine) == "torch"
