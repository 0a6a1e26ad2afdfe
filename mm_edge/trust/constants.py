"""What trust needs to know about one set of weights: a small JSON file beside them, bound to their hash.

Constants that belong to other weights are refused: a confidence calibrated for one network means nothing for another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mm_edge.model.checkpoint import sha256
from mm_edge.trust.calibration import Calibration
from mm_edge.trust.novelty import Novelty

DIGITS = 6


class TrustError(Exception):
    """The constants are missing, damaged, or belong to other weights."""


@dataclass(frozen=True)
class TrustConstants:
    """weights_sha256: of the weight file that the constants were fitted for."""

    weights_sha256: str
    calibration: Calibration
    novelty: Novelty

    def save(self, path: Path) -> None:
        document = {
            "weights_sha256": self.weights_sha256,
            "calibration": {"slope": self.calibration.slope, "intercept": self.calibration.intercept},
            "novelty": {
                "mean": _rounded(self.novelty.mean),
                "whiten": _rounded(self.novelty.whiten),
                "typical": self.novelty.typical,
                "extreme": self.novelty.extreme,
            },
        }
        path.write_text(json.dumps(document) + "\n")

    @classmethod
    def load(cls, path: Path, weights: Path) -> TrustConstants:
        """Raises TrustError when the file cannot be read or was made for other weights."""
        try:
            document = json.loads(path.read_text())
            novelty = document["novelty"]
            constants = cls(
                document["weights_sha256"],
                Calibration(**document["calibration"]),
                Novelty(np.array(novelty["mean"]), np.array(novelty["whiten"]), novelty["typical"], novelty["extreme"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrustError(f"{path}: {error}") from error
        if constants.weights_sha256 != sha256(weights):
            raise TrustError(f"{path} was fitted for other weights than {weights}")
        return constants


def _rounded(array: np.ndarray) -> list:
    return np.vectorize(lambda value: float(f"{value:.{DIGITS}g}"))(array).tolist()
