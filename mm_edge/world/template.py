"""What a sentence is made from: its topic, the facts it states, the texts that say it. Knows nothing about topics."""

from __future__ import annotations

from dataclasses import dataclass

ANY = "*"
UNSEEN, UNHEARD = "unseen", "unheard"
"""Values of a fact whose sensor is lost."""


@dataclass(frozen=True)
class Template:
    """`facts`: what the sentence states; ANY where a `[name]` in the texts says it. The style picks the text."""

    topic: str
    facts: dict[str, str]
    texts: tuple[str, ...]


WORDS: dict[tuple[str, str], str] = {
    ("weather", "rain"): "raining",
    ("weather", "fog"): "foggy",
    ("lead_distance", "medium"): "some way ahead",
    ("lead_distance", "close"): "close ahead",
    ("lead_distance", "far"): "far ahead",
    ("event", "limit"): "a speed limit sign",
    ("event", "red"): "a red light",
    ("event", "stop"): "a stop",
    ("event", "brake"): "a car that had to brake",
    ("event", "pedestrian"): "a pedestrian",
    ("event", "siren"): "a siren",
    ("event", "rain"): "rain",
    ("event", "fog"): "fog",
    ("event", "clear"): "clear weather",
    ("event", "place"): "another place",
    ("event", "tunnel"): "a tunnel",
    ("event", "bridge"): "a bridge",
    ("event", "toll"): "a toll station",
    ("event", "border"): "a border",
    ("event", "park"): "a place to park",
    ("event", "charge"): "a charge",
    ("event", "call"): "a call",
    ("event", "message"): "a message",
    ("event", "traffic"): "traffic news",
    ("event", "tyres"): "a look at the tyres",
    ("event", "service"): "a service reminder",
    ("event", "route"): "a new route",
    ("event", "task"): "a new task",
    ("event", "done"): "a task that was done",
    ("event", "failed"): "a task that failed",
}
"""How a value is said where its name is not the word."""
