"""A memory on disk: whole or not at all, and never a damaged one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from mm_edge.memory.cache import Cache, Packed, Slots
from mm_edge.memory.store import Kept, StoreError, read, write

STATE = {"words": ["call", "@0"], "start": 7, "known": [["call", "@0"]]}


def cache() -> Cache:
    """Heads of two and three slots in each of two layers."""
    heads = [
        Slots(torch.rand(n, 4), torch.rand(n, 4), torch.rand(n), torch.arange(n, dtype=torch.int16)) for n in (2, 3)
    ]
    return Cache((Packed.of(heads), Packed.of(heads[::-1])), 40)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    path, kept = tmp_path / "deep" / "memory", Kept(STATE, cache())
    write(path, kept)
    found = read(path)
    assert found is not None
    assert found.cache is not None
    assert kept.cache is not None
    assert found.state == STATE
    assert found.cache.length == 40
    for one, other in zip(found.cache.layers, kept.cache.layers, strict=True):
        assert one.lengths == other.lengths
        for part in ("k", "v", "bias", "tag"):
            assert torch.equal(getattr(one.slots, part), getattr(other.slots, part))
    assert [each.name for each in path.parent.iterdir()] == ["memory"]


def test_before_the_first_compaction_there_are_no_slots(tmp_path: Path) -> None:
    write(tmp_path / "memory", Kept(STATE, None))
    assert read(tmp_path / "memory") == Kept(STATE, None)


def test_no_file_is_no_memory(tmp_path: Path) -> None:
    assert read(tmp_path / "memory") is None


@pytest.mark.parametrize("damage", [lambda b: b[:-3], lambda b: b[:50] + b"x" + b[51:], lambda b: b"", lambda b: b * 2])
def test_a_damaged_file_is_set_aside(tmp_path: Path, damage) -> None:
    path = tmp_path / "memory"
    write(path, Kept(STATE, cache()))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoreError, match=r"memory\.damaged"):
        read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["memory.damaged"]
    assert read(path) is None


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "memory"
    write(path, Kept(STATE, None))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, Kept({}, cache()))
    assert read(path) == Kept(STATE, None)
    assert [each.name for each in tmp_path.iterdir()] == ["memory"]
