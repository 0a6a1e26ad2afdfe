"""What reports add up to."""

from __future__ import annotations

from math import nan
from types import SimpleNamespace
from typing import Any

from mm_edge.nodes.tally import Tally
from mm_edge.trust.monitors import DISTRUST


def trust(request_id: str = "q", **fields: Any) -> Any:
    values = {"confidence": 0.99, "novelty": 0.1, "verdict": 0, "risk_bound": nan, "reasons": []}
    return SimpleNamespace(request_id=request_id, **(values | fields))


def credit(*reports: Any, window_s: float = 60.0, at_s: float = 1.0) -> Any:
    tally = Tally(window_s)
    for number, report in enumerate(reports):
        tally.add("trust", report, float(number))
    return tally.credit(at_s)


def test_no_report_is_no_news() -> None:
    found = credit()

    assert (found.heard, found.novel_share, found.doubted_share, found.distrusted) == (False, 0.0, 0.0, False)


def test_only_requests_are_doubted_but_every_picture_may_be_novel() -> None:
    found = credit(trust(), trust("", novelty=0.9, verdict=3), trust(verdict=1, confidence=0.6))

    assert found.novel_share == 1 / 3
    assert found.doubted_share == 1 / 2
    assert (found.values["hedged"], found.values["abstained"], found.values["accepted"]) == (1, 0, 1)
    assert found.values["lowest_confidence"] == 0.6


def test_a_novelty_that_is_no_number_counts_as_novel() -> None:
    assert credit(trust(novelty=nan)).novel_share == 1.0


def test_the_newest_bound_is_shown_and_the_commonest_reason() -> None:
    found = credit(
        trust(risk_bound=0.5, reasons=["verbosity 1: as usual"]),
        trust(risk_bound=0.2, reasons=["dark", "verbosity 1: as usual"]),
        trust(reasons=["dark", "verbosity 1: as usual"]),
    )

    assert found.values["risk_bound"] == 0.2
    assert found.values["commonest_reason"] == "dark"


def test_distrust_is_told() -> None:
    assert credit(trust(reasons=[DISTRUST.reason])).distrusted


def test_what_is_older_than_the_window_is_forgotten() -> None:
    assert not credit(trust(verdict=3), window_s=5.0, at_s=50.0).heard
