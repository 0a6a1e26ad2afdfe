"""What trust needs to know about one set of weights at one precision: a small JSON file beside them.

It is bound to the hash of the weights and to the precision, and within it every fit to the decoders that it was made
with. Constants that belong to others are refused: a confidence calibrated for one network means nothing for another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_edge.model.checkpoint import sha256
from mm_edge.trust.calibration import Calibration
from mm_edge.trust.novelty import Novelty
from mm_edge.trust.options import Options

FORMAT = 3
DIGITS = 4


class TrustError(Exception):
    """The constants are missing, damaged, or belong to other weights or another precision."""


@dataclass(frozen=True)
class Belief:
    """How far drafts of some decoders are believed. calibrations: by kind of request; accept, hedge: from which
    probability up a sentence is said plainly, and with doubt (1 and above: never); reliability, selection: how good the
    probabilities were on the drives that they were fitted with (mm_edge/trust/selection.py)."""

    decoders: tuple[str, ...]
    calibrations: Mapping[str, Calibration]
    accept: float
    hedge: float
    reliability: tuple[tuple[float, float, int], ...] = ()
    selection: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class TrustConstants:
    """weights_sha256, precision: of what the constants were fitted for."""

    weights_sha256: str
    precision: str
    beliefs: tuple[Belief, ...]
    novelty: Novelty
    options: Options

    def belief(self, decoder: str) -> Belief:
        """Raises TrustError for a decoder that nothing was fitted for."""
        for each in self.beliefs:
            if decoder in each.decoders:
                return each
        raise TrustError(f"nothing was fitted for the decoder {decoder!r}")

    def probability(self, confidence: float, decoder: str, kind: str) -> float:
        """That the facts of a draft are right. Raises TrustError as `belief`, or for an unknown kind of request."""
        calibrations = self.belief(decoder).calibrations
        if kind not in calibrations:
            raise TrustError(f"nothing was fitted for requests of the kind {kind!r}")
        return calibrations[kind].probability(confidence)

    def save(self, path: Path) -> None:
        novelty = self.novelty
        document = {
            "format": FORMAT,
            "weights_sha256": self.weights_sha256,
            "precision": self.precision,
            "beliefs": [_belief_document(belief) for belief in self.beliefs],
            "options": dict(self.options.floors),
            "novelty": {
                "typical": novelty.typical,
                "extreme": novelty.extreme,
                "mean": _rounded(novelty.mean),
                "scale": _rounded(novelty.scale),
                "whiten": _rounded(novelty.whiten[np.tril_indices(len(novelty.mean))]),
            },
        }
        path.write_text(json.dumps(document) + "\n")

    @classmethod
    def load(cls, path: Path, weights: Path, precision: str = "fp32") -> TrustConstants:
        """Raises TrustError when the file cannot be read or was made for other weights or another precision."""
        try:
            document = json.loads(path.read_text())
            if document["format"] != FORMAT:
                raise ValueError(f"format {document['format']}, expected {FORMAT}")
            constants = cls(
                document["weights_sha256"],
                document["precision"],
                tuple(_belief(each) for each in document["beliefs"]),
                _novelty(document["novelty"]),
                Options({fact: _number(floor) for fact, floor in document["options"].items()}),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrustError(f"{path}: {error}; mm-edge trust makes it anew") from error
        if constants.weights_sha256 != sha256(weights):
            raise TrustError(f"{path} was fitted for other weights than {weights}; mm-edge trust makes it anew")
        if constants.precision != precision:
            raise TrustError(f"{path} was fitted for {constants.precision}, not for {precision}")
        return constants


def _belief_document(belief: Belief) -> dict[str, Any]:
    kinds = {kind: [fit.slope, fit.intercept] for kind, fit in belief.calibrations.items()}
    return {
        "decoders": belief.decoders,
        "calibrations": kinds,
        "accept": belief.accept,
        "hedge": belief.hedge,
        "reliability": [[*_rounded((p, share)), n] for p, share, n in belief.reliability],
        "selection": [_rounded(point) for point in belief.selection],
    }


def _belief(document: Mapping[str, Any]) -> Belief:
    kinds = {
        kind: Calibration(_number(slope), _number(intercept))
        for kind, (slope, intercept) in document["calibrations"].items()
    }
    return Belief(
        tuple(document["decoders"]),
        kinds,
        _number(document["accept"]),
        _number(document["hedge"]),
        tuple((_number(p), _number(share), int(n)) for p, share, n in document["reliability"]),
        tuple((_number(coverage), _number(risk)) for coverage, risk in document["selection"]),
    )


def _novelty(document: Mapping[str, Any]) -> Novelty:
    mean, scale, triangle = (np.array(document[name], np.float64) for name in ("mean", "scale", "whiten"))
    whiten = np.zeros((len(mean), len(mean)))
    whiten[np.tril_indices(len(mean))] = triangle
    if scale.shape != mean.shape or not all(np.isfinite(part).all() for part in (mean, scale, triangle)):
        raise ValueError("novelty of no numbers")
    return Novelty(mean, scale, whiten, _number(document["typical"]), _number(document["extreme"]))


def _number(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{value} is no number")
    return number


def _rounded(array: NDArray[np.float64] | Sequence[float]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in np.asarray(array)]
