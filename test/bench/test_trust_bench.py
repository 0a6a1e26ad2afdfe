"""The bench of trust: what it counts, on answers and pictures that are made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_edge.bench import _trust_novelty as novelty
from mm_edge.bench._trust_answers import FEW, row, rows, share, slices, wrongly_refused
from mm_edge.bench._trust_plot import TrustPlot
from mm_edge.trust.judge import Judgement
from mm_edge.trust.report import Verdict


def answer(seed: int = 1, right: bool = True, p: float = 0.9, topic: str = "light", **more: Any) -> Any:
    verdict, family = more.get("verdict", Verdict.ACCEPTED), more.get("family", "light")
    drive = SimpleNamespace(seed=seed, daylight=more.get("daylight", "day"), weather="clear")
    posed = SimpleNamespace(drive=drive, journey=None, question=SimpleNamespace(family=family))
    judgement = Judgement(p, 0.0, verdict, ())
    made = SimpleNamespace(posed=posed, decoder="fast", confidence=p, right=right, topic=topic, judgement=judgement)
    made.refused = topic == "refuse"
    return made


def test_slices_by_condition_and_by_question() -> None:
    found = slices([answer(), answer(daylight="night", family="lead")])

    assert {name: len(given) for name, given in found.items()} == {
        "all": 2, "about the present": 2, "day": 1, "night": 1, "clear": 2, "question: light": 1, "question: lead": 1,
    }  # fmt: skip


def test_a_row_says_how_far_probabilities_are_off() -> None:
    found = row("all", [answer(seed, right=seed % 2 == 0, p=0.9) for seed in range(100)])

    assert found["right"] == 0.5
    assert found["ece"] == pytest.approx(0.4)
    assert found["low"] <= found["ece"] <= found["high"]  # type: ignore[operator]


def test_small_slices_are_left_out() -> None:
    names = [each["slice"] for each in rows([answer(family="lead"), *[answer(seed) for seed in range(FEW)]])]

    assert "question: light" in names
    assert "question: lead" not in names


def test_a_verdict_that_nobody_got_has_no_share() -> None:
    n, right = share([answer()], Verdict.ASKED)

    assert n == 0
    assert np.isnan(right)


def test_a_wrong_refusal_is_one_of_a_request_about_the_drive() -> None:
    given = [
        answer(),
        answer(topic="refuse"),
        answer(topic="refuse", family="refuse"),
        answer(family="watch", topic="silent"),
    ]

    assert wrongly_refused(given) == [False, True]


@pytest.mark.parametrize("name", novelty.FAILURES)
def test_a_camera_that_fails_changes_the_picture_but_not_its_size(name: str) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 80, 3)).astype(np.uint8)
    before = picture.copy()

    failed = novelty.FAILURES[name](picture, np.random.default_rng(0))

    assert failed.shape == picture.shape
    assert failed.dtype == np.uint8
    assert np.array_equal(picture, before)
    assert not np.array_equal(failed, picture)


def test_without_a_folder_there_is_no_footage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(novelty.FOOTAGE, str(tmp_path / "nowhere"))

    assert novelty.footage(6) == []


def test_both_pictures_are_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.8, 1.0, 300)
    curve = (p, rng.random(300) < p)

    TrustPlot((p**2, curve[1]), curve, {"all": curve, "one": (p[:1], curve[1][:1])}, 0.9, 0.01, 0.02).save(
        tmp_path / "trust.png"
    )

    assert (tmp_path / "trust.png").stat().st_size > 10_000
