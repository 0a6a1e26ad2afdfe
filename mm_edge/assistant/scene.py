"""What the model takes the newest observation to show. The fields are those of msg/SceneReport.msg."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SceneReport:
    """One entry per fact of `mm_edge.model.schema.SCENE_FACTS`: its most probable value, and how probable."""

    stamp_ns: int
    names: tuple[str, ...]
    values: tuple[str, ...]
    probabilities: tuple[float, ...]
    frame_id: str = ""
