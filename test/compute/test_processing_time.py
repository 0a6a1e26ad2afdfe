"""Whether a node keeps up, in the terms of Autoware's processing_time_status."""

from __future__ import annotations

from mm_edge.compute.processing_time import Level, ProcessingTimes


def times() -> ProcessingTimes:
    return ProcessingTimes(("encode", "draft"), max_allowed_ms=100.0, max_delay_ms=500.0)


def test_before_the_first_turn_nothing_is_claimed() -> None:
    standing = times().standing(now_s=1.0)
    assert standing.level == Level.OK
    assert set(standing.values.values()) == {"n/a"}


def test_a_turn_in_time() -> None:
    watched = times()
    watched.add({"encode": 20.0, "draft": 30.0}, now_s=1.0)
    standing = watched.standing(1.0)
    assert standing.level == Level.OK
    assert standing.values["processing_time_ms"] == 50.0
    assert standing.values["draft_time_ms"] == 30.0


def test_one_slow_turn_is_a_warning() -> None:
    watched = times()
    watched.add({"encode": 150.0}, now_s=1.0)
    assert watched.standing(1.0).level == Level.WARN
    assert watched.standing(1.0).values["is_processing_time_ms_in_expected_range"] is False


def test_slow_turns_for_too_long_are_an_error_until_a_quick_one() -> None:
    watched = times()
    for now_s in (1.0, 1.3, 1.6):
        watched.add({"encode": 200.0}, now_s)
    assert watched.standing(1.6).level == Level.ERROR
    watched.add({"encode": 10.0}, 1.7)
    assert watched.standing(1.7).level == Level.OK


def test_a_worker_that_hangs_is_reported_while_it_hangs() -> None:
    levels = [times().standing(10.0 + busy_s, busy_s).level for busy_s in (0.05, 0.2, 0.7)]
    assert levels == [Level.OK, Level.WARN, Level.ERROR]
