"""The small file of the policy's state: whole or not at all, and a damaged one is set aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mm_edge.feedback import kept

STATE = {"offset": 1, "kinds": {"route": {"worked": 3.0}}}


def read(path: Path) -> dict[str, Any] | None:
    """What is handed on; None for nothing."""
    taken: list[dict[str, Any]] = []
    kept.read(path, taken.append)
    return taken[0] if taken else None


def test_a_state_that_is_refused_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "feedback.json"
    kept.write(path, STATE)

    def refuse(_: dict[str, Any]) -> None:
        raise ValueError("offset is missing")

    with pytest.raises(kept.KeptError, match="offset is missing"):
        kept.read(path, refuse)
    assert not path.exists()


def test_what_is_written_is_read_and_a_person_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "feedback.json"
    kept.write(path, STATE)
    assert read(path) == STATE
    assert '"route": {' in path.read_text()
    assert [file.name for file in path.parent.iterdir()] == ["feedback.json"]


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert read(tmp_path / "none.json") is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe\x00", b"[]", b"{}", b'{"format": 99}', b"[" * 100_000, b" " * (kept.MAX_BYTES + 1),
        json.dumps({"format": 1, **STATE}).encode()[:-9],
    ],
)  # fmt: skip
def test_a_damaged_file_is_set_aside_and_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "feedback.json"
    path.write_bytes(content)
    with pytest.raises(kept.KeptError, match=r"damaged .* renamed to feedback.json.damaged"):
        read(path)
    assert not path.exists()
    assert (tmp_path / "feedback.json.damaged").read_bytes() == content


def test_a_folder_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "feedback.json"
    kept.write(path, STATE)
    (tmp_path / "feedback.json.part").mkdir()
    with pytest.raises(OSError, match=r"feedback\.json\.part"):
        kept.write(path, {"offset": 2})
    assert read(path) == STATE
