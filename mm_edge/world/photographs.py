"""Photographs whose surroundings some drives borrow, so that the camera does not live on drawn skies alone.

The variable MM_EDGE_PHOTOGRAPHS may name a folder of photographs taken from cars: some of the drives then have the sky
and the hills of one of them behind their road. Knows nothing about how they are drawn.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mm_edge.errors import UserError

PHOTOGRAPHS = "MM_EDGE_PHOTOGRAPHS"
PHOTOGRAPHED = 0.3
"""Share of the drives that have a photograph, if there are any."""
SURROUNDINGS = 0.52
"""Part of a photograph, from its top, in which there is no road yet."""
SURROUNDINGS_PX = (96, 28)
"""Kept so small that no lamp, sign or vehicle of a photograph can be made out."""
STREAM = 13
"""Of random numbers."""


def photograph(look: int) -> NDArray[np.uint8] | None:
    """The surroundings of a drive of this look: RGB, SURROUNDINGS_PX; None for most drives, or without a folder.

    Raises UserError when the folder or the photograph cannot be read.
    """
    folder = os.environ.get(PHOTOGRAPHS)
    if not folder:
        return None
    rng = np.random.default_rng([look, STREAM])
    if rng.random() >= PHOTOGRAPHED:
        return None
    paths = _photographs(folder)
    return _surroundings(paths[rng.integers(len(paths))])


@lru_cache(maxsize=1)
def _photographs(folder: str) -> list[Path]:
    paths = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise UserError(f"{PHOTOGRAPHS}: no photographs in {folder}")
    return paths


@lru_cache(maxsize=4096)
def _surroundings(path: Path) -> NDArray[np.uint8]:
    whole = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if whole is None:
        raise UserError(f"{PHOTOGRAPHS}: {path} is not a photograph")
    upper = cv2.resize(whole[: int(SURROUNDINGS * len(whole))], SURROUNDINGS_PX, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(upper, cv2.COLOR_BGR2RGB).astype(np.uint8)
