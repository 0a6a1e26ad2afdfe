"""From context to sentence in few passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mm_edge.engine.base import Context, Engine
from mm_edge.generation.autoregressive import Autoregressive, DraftAndVerify, Speculative, in_turn
from mm_edge.generation.diffusion import FAST, QUALITY, SPEEDY, DraftAndEdit, side_by_side
from mm_edge.generation.draft import Decoder, Draft
from mm_edge.generation.flow import FlowMap, Refinement
from mm_edge.generation.voting import Voting

DECODERS: dict[str, Decoder] = {
    "autoregressive": Autoregressive(),
    "speculative": Speculative(),
    "fast": DraftAndEdit(FAST),
    "speedy": DraftAndEdit(SPEEDY),
    "quality": DraftAndEdit(QUALITY),
    "verified": DraftAndVerify(),
    "voting": Voting(),
    "flow": FlowMap(),
    "refined": Refinement(),
}
"""What a user may choose by name."""
IN_TURN = ("autoregressive", "speculative", "verified")


def several(
    name: str, engine: Engine, contexts: Sequence[Context], max_passes: int, forbidden: Sequence[int] = ()
) -> Iterator[list[Draft]]:
    """Several sentences in the same passes, in the way of DECODERS that is nearest to `name`."""
    if name in IN_TURN:
        return in_turn(engine, contexts, max_passes, forbidden)
    thresholds = {"fast": FAST, "speedy": SPEEDY}.get(name, QUALITY)
    return side_by_side(engine, contexts, thresholds, max_passes, forbidden)
