"""Answers of several sentences: an introduction, then what happened, told from the log.

Which events are told is chosen from the log itself (memory/digest.py); the model words them, side by side. Knows
nothing about deadlines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mm_edge.engine.base import Engine
from mm_edge.generation import several
from mm_edge.generation.draft import Draft
from mm_edge.memory.digest import Line, reason, summary
from mm_edge.model.network import CLAIMS

TOLD: dict[str, Callable[[Sequence[Line]], list[str]]] = {"summary": summary, "why": reason}
"""Topic of a request -> what is told."""


def tell(
    engine: Engine,
    topic: str,
    lines: Sequence[Line],
    style: int,
    decoder: str,
    max_passes: int,
    forbidden: Sequence[int],
) -> Iterator[list[Draft]]:
    """The sentences after the introduction, better after every pass; nothing for a topic that has none."""
    if topic not in TOLD:
        return iter(())
    claims = [engine.tokenizer.claims(claim, CLAIMS) for claim in TOLD[topic](lines)]
    return several(decoder, engine, engine.tell(claims, style), max_passes, forbidden)
