"""The file of constants: bound to weights and precision, and refused when anything in it cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mm_edge.model.checkpoint import sha256
from mm_edge.trust.constants import TrustConstants, TrustError


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "w"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def saved(constants: TrustConstants, weights: Path, tmp_path: Path) -> Path:
    path = tmp_path / "trust.json"
    replace(constants, weights_sha256=sha256(weights)).save(path)
    return path


def test_what_was_saved_is_what_is_loaded(constants: TrustConstants, saved: Path, weights: Path) -> None:
    loaded = TrustConstants.load(saved, weights)

    assert loaded.beliefs == constants.beliefs
    assert loaded.options == constants.options
    vector = np.array((0.3, -1.0, 2.0))
    assert loaded.novelty.score(vector) == pytest.approx(constants.novelty.score(vector), rel=1e-2)


def test_constants_of_other_weights_are_refused(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"others")

    with pytest.raises(TrustError, match="other weights"):
        TrustConstants.load(saved, other)


def test_constants_of_another_precision_are_refused(saved: Path, weights: Path) -> None:
    with pytest.raises(TrustError, match="fitted for fp32, not for int8"):
        TrustConstants.load(saved, weights, "int8")


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", json.dumps({"format": 3, "beliefs": 3}), json.dumps({"format": 1})]
)
def test_damaged_constants_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "trust.json").write_text(content)

    with pytest.raises(TrustError, match=r"trust\.json"):
        TrustConstants.load(tmp_path / "trust.json", tmp_path / "w")


def test_a_missing_file_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="mm-edge trust"):
        TrustConstants.load(tmp_path / "none.json", tmp_path / "w")


def _no_number(document: dict[str, Any]) -> None:
    document["beliefs"][0]["accept"] = float("nan")


def _infinite(document: dict[str, Any]) -> None:
    document["novelty"]["whiten"][0] = float("inf")


def _cut(document: dict[str, Any]) -> None:
    document["novelty"]["whiten"].pop()


@pytest.mark.parametrize("spoil", [_no_number, _infinite, _cut])
def test_what_cannot_be_is_refused(saved: Path, weights: Path, spoil: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(saved.read_text())
    spoil(document)
    saved.write_text(json.dumps(document))

    with pytest.raises(TrustError, match=r"trust\.json"):
        TrustConstants.load(saved, weights)
