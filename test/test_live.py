"""The live path, end to end: a drive played through the nodes over DDS, and a question to nodes that are up.

The nodes run in processes of their own, as a user starts them; both tests load the model there.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from mm_edge import demo
from mm_edge.bags.reader import Bag
from mm_edge.report.recording import AUDIO, Recording

SEED, DURATION_S = 1_600_000, 6.0
"""Long enough for one request, at 4.5 s."""
MM_EDGE = [sys.executable, "-m", "mm_edge.cli"]
PATIENCE_S = 60.0
FINISHED = 2


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a live demo leaves behind."""
    pytest.importorskip("espeakng_loader", reason="the live path waits for the speaker, and espeak-ng is its voice")
    out = tmp_path_factory.mktemp("demo")
    demo.run(out=out, seed=SEED, duration_s=DURATION_S, view=False)
    return out


@pytest.fixture(scope="module")
def recording(played: Path) -> Recording:
    return Recording.load(played / "drive.mcap")


def topics(path: Path) -> set[str]:
    with Bag(path) as bag:
        return set(bag.types)


def test_inputs_and_outputs_are_in_the_bag(played: Path) -> None:
    inputs = {"/image/compressed", "/vehicle_state", "/audio", "/request", "/event"}
    reports = {"/latency", "/trust", "/memory", "/scene", "/compute_state"}
    outputs = {"/utterance", "/advice/path", "/speech/status", AUDIO, *reports}

    assert inputs | outputs | {"/diagnostics"} <= topics(played / "drive.mcap")


def test_every_request_has_one_final_answer_with_its_report(recording: Recording) -> None:
    asked = [request.id for _, request in recording.of("/request")]
    finals = [utterance.request_id for _, utterance in recording.of("/utterance") if utterance.final]
    reports = {report.request_id: report for _, report in recording.of("/latency")}

    assert asked
    assert finals == asked
    assert set(asked) <= reports.keys()
    assert all(reports[name].total_ms > 0 for name in asked)


def test_stamps_are_those_of_the_drive(recording: Recording) -> None:
    stamps_s = [u.header.stamp.sec + u.header.stamp.nanosec / 1e9 for _, u in recording.of("/utterance")]
    start_s = recording.start_ns / 1e9

    assert stamps_s
    assert all(start_s <= stamp_s <= start_s + DURATION_S for stamp_s in stamps_s)


def test_what_was_spoken_is_heard_and_reported(played: Path, recording: Recording) -> None:
    finished = {status.utterance_id for _, status in recording.of("/speech/status") if status.state == FINISHED}
    page = unescape((played / "report.html").read_text())

    assert finished
    assert all(name in {u.id for _, u in recording.of("/utterance")} for name in finished)
    assert (played / "speech.wav").stat().st_size > 1000
    assert len(list((played / "speech").glob("*.wav"))) >= len(finished)
    assert all(utterance.text in page for _, utterance in recording.of("/utterance"))


@pytest.fixture
def nodes_up(node: Any, until: Callable[..., None], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`mm-edge up`, once it has an ear for requests and a voice for answers; ended by Ctrl-C."""
    with (tmp_path / "nodes.log").open("wb") as log:
        child = subprocess.Popen([*MM_EDGE, "up", "--namespace", "car"], stdout=log, stderr=subprocess.STDOUT)
        try:
            until(
                lambda: node.count_subscribers("/car/request") and node.count_publishers("/car/utterance"),
                node,
                timeout_s=PATIENCE_S,
            )
            yield child
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(PATIENCE_S)


def test_a_question_to_running_nodes_has_an_answer_in_time(nodes_up: subprocess.Popen[bytes]) -> None:
    command = [*MM_EDGE, "ask", "what is the speed limit", "--deadline", "5s", "--namespace", "car"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    nodes_up.send_signal(signal.SIGINT)

    sentence, kind, timing, *_ = asked.stdout.splitlines()
    assert (asked.returncode, asked.stderr) == (0, "")
    assert sentence
    assert "probability" in kind
    assert "of 5000 ms, in time" in timing
    assert nodes_up.wait(PATIENCE_S) == 0


def test_a_question_to_nobody_is_a_user_error() -> None:
    command = [*MM_EDGE, "ask", "is anybody there", "--deadline", "1s"]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)

    assert (asked.returncode, asked.stdout) == (2, "")
    assert asked.stderr == "mm-edge: no assistant is running here; start one with: mm-edge up\n"


@pytest.mark.parametrize(
    "call_off",
    [signal.SIGINT, signal.SIGTERM],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_a_question_that_is_called_off_ends_quietly(
    call_off: signal.Signals, node: Any, until: Callable[..., None]
) -> None:
    asking = subprocess.Popen([*MM_EDGE, "ask", "hello", "--deadline", "1s"], stderr=subprocess.PIPE, text=True)
    until(lambda: node.count_publishers("request"), node, timeout_s=PATIENCE_S)
    asking.send_signal(call_off)
    _, complaint = asking.communicate(timeout=PATIENCE_S)

    assert asking.returncode != 0
    assert "Traceback" not in complaint
