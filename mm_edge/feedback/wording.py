"""Wording of doubt: the same sentence with a hedge, a question instead of it, and the honest "not sure".

Knows nothing about where sentences come from, and when which of them is due.
"""

from __future__ import annotations

from collections.abc import Sequence

NOUNS = {
    "light": "the traffic light",
    "limit": "the speed limit",
    "lead": "the vehicle ahead",
    "pedestrian": "pedestrians",
    "weather": "the weather",
    "daylight": "the light outside",
    "road": "the road",
    "siren": "sirens",
    "ahead": "what is ahead",
    "speed": "the speed",
    "energy": "the charge",
    "range": "the range",
}
NOT_SURE_YET = "I am not sure yet."
NOT_ABOUT_THE_DRIVE = "I can only talk about the drive."
MAX_CHARACTERS = 160
"""A name or result longer than this is cut: speech must stay short."""
MOST_OPTIONS = 2
"""A question that is heard, not read, offers no more (Kirmayr et al. 2026, theme T3; the number is this project's)."""


def hedged(sentence: str) -> str:
    """ "The light is red." -> "I think the light is red." """
    for call in ("Careful, ", "Brake, "):
        if sentence.startswith(call):
            return f"{call}perhaps {sentence.removeprefix(call)}"
    if sentence.startswith(("I see ", "I hear ")):
        return f"I think {sentence}"
    return f"I think {sentence[:1].lower()}{sentence[1:]}" if sentence and not sentence.startswith("I ") else sentence


def undecided(topic: str, options: Sequence[str]) -> str:
    """What to say where a fact may have one of two values: ("light", ("red", "green")) -> "The traffic light: red or
    green? I cannot tell." """
    noun = NOUNS.get(topic, topic)
    return f"{noun[:1].upper()}{noun[1:]}: {' or '.join(options)}? I cannot tell."


def unsure(topic: str) -> str:
    """What to say instead of an answer that is not good enough."""
    noun = NOUNS.get(topic.removeprefix("alert:"))
    return f"I am not sure about {noun}." if noun else "I am not sure."


def ask(options: Sequence[str]) -> str:
    """The question which of at most two options is meant; more are left out, the likeliest come first."""
    named = list(dict.fromkeys(filter(None, map(short, options))))[:MOST_OPTIONS]
    return f"Do you mean {' or '.join(named)}?" if named else "Can you say that in other words?"


def short(text: str) -> str:
    """One line of at most MAX_CHARACTERS, cut at a word, without a full stop."""
    line = " ".join(str(text).split()).rstrip(". ")
    return line if len(line) <= MAX_CHARACTERS else line[:MAX_CHARACTERS].rsplit(" ", 1)[0]


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
