"""What of a draft the evidence does not bear out: what decides whether it is worth another round.

After UniT (Chen et al. 2026, section 3): a draft is verified, what is wrong is found, and only that is revised, with
what was tried before kept in mind. What is verified here is whether it is a sentence at all, whether what it states was
found in the log and the scene, and whether the eyes see what it says of them. Knows nothing about how a sentence is
made, or about time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mm_edge.model.schema import SCENE_FACTS
from mm_edge.model.tokenizer import Tokenizer

SURE = 0.7
"""A draft whose least sure word is less probable is in doubt."""
SEEN = 0.9
"""What the eyes see counts from this probability on."""
SEEN_BY_NAME = ("light", "limit", "weather", "daylight", "lead")
"""Facts of the scene that sentences about them call by the names of their values, if they state them at all."""

Claims = Sequence[Sequence[tuple[int, float]]]
Facts = Mapping[str, tuple[str, float]]


@dataclass(frozen=True)
class Evidence:
    """claims: as `Context` has them; facts: of the scene, as `Percept` has them."""

    claims: Claims = ()
    facts: Facts | None = None


def doubt(tokenizer: Tokenizer, ids: Sequence[int], confidence: float, evidence: Evidence) -> str:
    """Why a draft needs another round, in plain words; "" where it does not."""
    if not tokenizer.is_sentence(ids):
        return "no sentence of the language"
    if _unfound(tokenizer, ids, evidence.claims):
        return "it states what was not found"
    if _unseen(tokenizer, ids, evidence.facts or {}):
        return "the camera shows something else"
    return f"a word of it is {confidence:.2f} sure" if confidence < SURE else ""


def _unfound(tokenizer: Tokenizer, ids: Sequence[int], claims: Claims) -> bool:
    """Whether a name or number in it is none of the likeliest that were found."""
    found = {index for likely in claims for index, _ in likely[:1]}
    return bool(claims) and any(index in tokenizer.mark_set and index not in found for index in ids)


def _unseen(tokenizer: Tokenizer, ids: Sequence[int], facts: Facts) -> bool:
    """Whether it names another value of the fact that it is about than the one that is seen."""
    topic = tokenizer.topic(ids)
    value, chance = facts.get(topic, ("", 0.0))
    if topic not in SEEN_BY_NAME or chance < SEEN:
        return False
    others = {tokenizer.id(other) for other in SCENE_FACTS[topic] if other not in (value, "none")}
    return any(index in others for index in ids)
