"""The recent past in a fixed number of slots."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.memory.history import OVERSAMPLING, History

S = 1_000_000_000


def at(seconds: float) -> Tensor:
    """A summary that says when it was made."""
    return torch.tensor([seconds])


def filled(seconds: list[float], slots: int = 4, spacing_s: float = 0.5) -> History:
    history = History(slots, spacing_s)
    for moment in seconds:
        history.add(round(moment * S), at(moment))
    return history


def recalled(history: History, now_s: float) -> list[float]:
    found = history.recall(round(now_s * S))
    return [] if found is None else found[:, 0].tolist()


def test_ages_are_those_that_the_trunk_was_trained_on() -> None:
    history = filled([0.25 * step for step in range(20)])
    assert recalled(history, 4.75) == [2.75, 3.25, 3.75, 4.25]


def test_a_gap_leaves_slots_out() -> None:
    assert recalled(filled([0.0, 0.5, 3.0, 3.5]), 4.0) == [3.0, 3.5]


def test_nothing_is_remembered_of_an_empty_or_cleared_past() -> None:
    history = filled([1.0, 2.0])
    history.clear()
    assert recalled(history, 2.5) == []
    assert history.report(0).observations == 0


@given(st.lists(st.floats(0.001, 5.0), min_size=1, max_size=300))
def test_memory_is_bounded_and_its_report_true(pauses_s: list[float]) -> None:
    moments = [sum(pauses_s[: n + 1]) for n in range(len(pauses_s))]
    history = filled(moments)
    report = history.report(7, "camera")
    assert report.observations == len(moments)
    assert report.physical_length <= report.capacity == 4 * OVERSAMPLING
    assert report.bytes == report.physical_length * 4
    assert len(recalled(history, moments[-1] + 0.1)) <= 4
    assert (report.stamp_ns, report.frame_id) == (7, "camera")


def test_a_stamp_of_another_clock_does_not_freeze_the_memory() -> None:
    history = filled([1e6, 10.0, 10.5, 11.0])
    assert recalled(history, 11.5) == [10.0, 10.5, 11.0]
