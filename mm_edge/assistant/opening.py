"""The engine that a configuration asks for. Knows nothing about sensors, sentences or ROS."""

from __future__ import annotations

from mm_edge.assistant.config import AssistantConfig
from mm_edge.compute.relay import Cues, Relay
from mm_edge.engine import load, relay_path, weights_path
from mm_edge.engine.base import Engine


def engine_of(config: AssistantConfig, backend: str) -> Engine:
    """Of one rung, or of both: then the large one hands over what is easy. Raises EngineError or RelayError."""
    engine = load(config.rung, config.threads, backend, config.precision)
    if config.rung != "large" or not config.relay:
        return engine
    cues = Cues.load(relay_path(), weights_path("small"), weights_path("large"))
    return Relay(load("small", config.threads, backend, config.precision), engine, cues.easy)
