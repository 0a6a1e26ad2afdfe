"""The report page: what it says about deadlines, speech and trouble, and that an empty drive has a page, too."""

from __future__ import annotations

import re
from math import nan
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mm_edge.bags.build import build, header
from mm_edge.bags.writer import BagWriter
from mm_edge.report.page import CHART_H, CHART_W, curve, figures, problems, write_page
from mm_edge.report.recording import AUDIO, KEPT, Recording

LATENCY, UTTERANCE = "mm_edge/msg/LatencyReport", "mm_edge/msg/Utterance"
START_NS = 10**18


def recording(duration_s: float = 10.0, **topics: list[tuple[float, Any]]) -> Recording:
    """Topics by name without the slashes at their start: (seconds since the start, message) each."""
    named = {f"/{name}": timed for name, timed in topics.items()}
    return Recording(Path("drive.mcap"), START_NS, duration_s, {topic: [] for topic in (*KEPT, AUDIO)} | named)


def latency(name: str, total_ms: float, deadline_ms: float = 100.0) -> Any:
    slack_ms = deadline_ms - total_ms
    values = {"request_id": name, "deadline_ms": deadline_ms, "total_ms": total_ms, "slack_ms": slack_ms}
    return build(LATENCY, {**values, "deadline_met": slack_ms >= 0, "draft_ms": total_ms / 2})


def answer(name: str, text: str = "Green.", **fields: Any) -> Any:
    return build(UTTERANCE, {"id": f"u-{name}", "request_id": name, "text": text, "final": True, **fields})


def page(drive: Recording, folder: Path, **options: Any) -> str:
    """The page as text, with its markup taken out."""
    write_page(drive, folder / "report.html", **options)
    body = (folder / "report.html").read_text().partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_a_missed_deadline_is_listed_with_its_time(tmp_path: Path) -> None:
    turns = [(1.0, latency("in-time", 40.0)), (2.0, latency("slow", 150.0))]

    text = page(recording(latency=turns), tmp_path)

    assert "Missed deadlines slow 150 ms of 100 ms Trust" in text
    assert dict(figures(recording(latency=turns)))["missed deadlines"] == "1"


def test_without_a_miss_the_page_says_none(tmp_path: Path) -> None:
    assert "Missed deadlines None." in page(recording(latency=[(1.0, latency("q", 100.0))]), tmp_path)


def test_unsolicited_turns_are_no_requests() -> None:
    found = dict(figures(recording(latency=[(1.0, latency("", 900.0))])))

    assert (found["missed deadlines"], found["latency, median"]) == ("0", "n/a")


def test_a_sentence_stands_with_its_question_its_time_and_its_fate(tmp_path: Path) -> None:
    spoken = build("mm_edge/msg/SpeechStatus", {"utterance_id": "u-q", "state": 2})
    drive = recording(
        duration_s=90.0,
        request=[(65.0, build("mm_edge/msg/AssistRequest", {"id": "q", "text": "which light"}))],
        utterance=[(65.2, answer("q", "The light is green.", confidence=0.75))],
        latency=[(65.2, latency("q", 150.0))],
        **{"speech/status": [(66.0, spoken)]},
    )

    text = page(drive, tmp_path)

    assert "1:05.2 answer spoken “which light” The light is green. 150 of 100 ms, late · probability 0.75" in text


def test_medians_leave_unknown_values_out() -> None:
    turns = [(float(t), latency(f"q{t}", total_ms)) for t, total_ms in enumerate([10.0, 30.0, nan])]

    assert dict(figures(recording(latency=turns)))["latency, median"] == "20 ms"


def test_an_empty_recording_has_a_page(tmp_path: Path) -> None:
    text = page(recording(duration_s=0.0), tmp_path, title="nothing", notes=["cut off"])

    assert text.startswith("nothing 0 s drive")
    assert "cut off" in text
    assert "Nothing was said." in text
    assert "No warning, no error." in text


def test_a_bag_with_inputs_only_has_a_page(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "drive.mcap") as bag:
        bag.write("/vehicle_state", "mm_edge/msg/VehicleState", START_NS, build("mm_edge/msg/VehicleState"))

    text = page(Recording.load(tmp_path / "drive.mcap"), tmp_path)

    assert text.startswith("drive 0 s drive 0 requests answered")
    assert "Nothing was said." in text


def test_warnings_are_gathered_with_their_span_and_count(tmp_path: Path) -> None:
    def diagnosed(level: int, message: str = "nothing new from: image") -> Any:
        status = build("diagnostic_msgs/msg/DiagnosticStatus", {"name": "inputs", "level": level, "message": message})
        return build("diagnostic_msgs/msg/DiagnosticArray", {"status": [status]})

    drive = recording(diagnostics=[(0.0, diagnosed(0, "fresh")), (3.0, diagnosed(1)), (7.0, diagnosed(1))])

    assert [(p["first"], p["last"], p["count"]) for p in problems(drive)] == [(3.0, 7.0, 2)]
    assert "inputs nothing new from: image 3–7 2" in page(drive, tmp_path)  # noqa: RUF001


def test_a_curve_spans_its_box_and_skips_what_is_unknown() -> None:
    trust = [
        (t_s, build("mm_edge/msg/TrustReport", {"novelty": value})) for t_s, value in ((0.0, 0), (5.0, nan), (10.0, 1))
    ]

    assert curve(recording(trust=trust), "/trust", "novelty", 1.0) == f"0.0,{CHART_H}.0 {CHART_W}.0,0.0"
    assert curve(recording(), "/trust", "novelty", 1.0) == ""


def test_a_sentence_is_shown_with_the_last_picture_before_it(tmp_path: Path) -> None:
    msgtype, uttered = "sensor_msgs/msg/CompressedImage", "mm_edge/msg/Utterance"
    jpeg = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].reshape(-1)
    with BagWriter(tmp_path / "drive.mcap") as bag:
        for number in range(30):
            values = {"header": header(START_NS), "format": "jpeg", "data": jpeg if number else jpeg[:40]}
            bag.write("/image/compressed", msgtype, START_NS + number * 10**8, build(msgtype, values))
            if number in (0, 12, 25):
                bag.write("/utterance", uttered, START_NS + number * 10**8 + 10**7, build(uttered, {"text": "Yes."}))
        bag.write("/utterance", uttered, START_NS + 9 * 10**9, build(uttered, {"text": "Later."}))

    drive = Recording.load(tmp_path / "drive.mcap")

    assert [t_s for t_s, _ in drive.pictures] == pytest.approx([1.2, 2.5])  # the first one is damaged
    assert drive.picture(2.51) == drive.pictures[1][1]
    assert drive.picture(2.0) == drive.pictures[0][1]
    assert drive.picture(9.0) == ""
