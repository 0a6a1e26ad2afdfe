"""What trust needs to know about new weights, fitted on tuning drives that they were not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mm_edge.engine import open_engine
from mm_edge.engine.base import Engine
from mm_edge.model.checkpoint import sha256
from mm_edge.training.evaluate import outcomes, recalled
from mm_edge.training.recipe import TUNING_SEED
from mm_edge.trust.calibration import Calibration
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.novelty import Novelty
from mm_edge.world.drive import Drive

CALIBRATION_DRIVES, LOGS = 120, 60
"""Drives with questions about the present, and logs with questions about the past."""
LOG_WORDS = 512
NOVELTY_DRIVES = 900


def fit(weights: Path, out: Path) -> TrustConstants:
    """Write `out` for `weights`: calibration from answered questions, novelty from single frames."""
    torch.set_num_threads(1)
    engine = open_engine(weights)
    answered = [outcome for outcome, _ in outcomes(engine, TUNING_SEED, CALIBRATION_DRIVES)]
    answered += [outcome for outcome, _ in recalled(engine, TUNING_SEED, LOGS, LOG_WORDS)]
    calibration = Calibration.fit([o.confidence for o in answered], [o.right for o in answered])
    frames = _frames(engine, TUNING_SEED + CALIBRATION_DRIVES, NOVELTY_DRIVES)
    half = len(frames) // 2
    constants = TrustConstants(sha256(weights), calibration, Novelty.fit(frames[:half], frames[half:]))
    constants.save(out)
    return constants


def _frames(engine: Engine, first_seed: int, drives: int) -> NDArray[np.float32]:
    """The novelty feature of two moments of every drive, [n, p]."""
    pooled = []
    for seed in range(first_seed, first_seed + drives):
        drive = Drive(seed, 10.0)
        height = (96, 240)[seed % 2]
        pooled += [engine.encode(drive.observation(t_s, height)).pooled for t_s in (3.0, 8.0) if drive.sees(t_s)]
    return np.stack(pooled)
