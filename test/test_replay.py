"""A recording through the assistant, offline: what is left behind, twice the same, and what cannot be replayed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mm_edge.bags.reader import Bag
from mm_edge.errors import UserError
from mm_edge.replay import run
from mm_edge.world.export import run as export

MEASURED = {"/latency"}
"""Topics whose messages hold measured durations."""


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(1_600_000, tmp_path_factory.mktemp("drive") / "drive.mcap", 8.0)


def replayed(bag: Path, out: Path) -> Path:
    run(bag=bag, map_file=None, offline=True, out=out, view=False)
    return out


def contents(out: Path) -> list[tuple[int, str, bytes]]:
    with Bag(out / "drive.mcap") as bag:
        return [(r.stamp_ns, r.topic, r.data) for r in bag.records() if r.topic not in MEASURED]


def test_two_offline_runs_say_the_same(drive: Path, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    command = [sys.executable, "-m", "mm_edge.cli", "replay", str(drive), "--offline", "--no-view", "--out"]
    for name in "ab":
        subprocess.run([*command, str(tmp_path / name)], check=True, stdout=subprocess.DEVNULL)
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert first == second
    assert any(topic == "/utterance" for _, topic, _ in first)


def test_the_report_is_one_page_and_speech_is_there(drive: Path, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    out = replayed(drive, tmp_path / "out")
    page = (out / "report.html").read_text()
    assert "What was said when" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert (out / "speech.wav").stat().st_size > 1000


def test_text_from_the_recording_is_escaped(tmp_path: Path) -> None:
    from mm_edge.bags.build import message_of
    from mm_edge.bags.writer import BagWriter
    from mm_edge.feedback.utterance import Kind, Priority, Utterance
    from mm_edge.report.page import write_page
    from mm_edge.report.recording import Recording

    said = Utterance(10**18, "u1", "<script>alert(1)</script>", Kind.ANSWER, Priority.NORMAL)
    with BagWriter(tmp_path / "d.mcap") as bag:
        bag.write("/utterance", "mm_edge/msg/Utterance", 10**18, message_of(said, "mm_edge/msg/Utterance"))
    write_page(Recording.load(tmp_path / "d.mcap"), tmp_path / "report.html")
    assert "<script>" not in (tmp_path / "report.html").read_text()


@dataclass(frozen=True)
class Bad:
    name: str
    content: bytes
    cause: str


BAD = [
    Bad("empty.mcap", b"", "mcap"),
    Bad("foreign.txt", b"hello", "not a ROS 2 bag"),
    Bad("old.bag", b"#ROSBAG V2.0\n", "ROS 1"),
    Bad("noise.mcap", b"\x89MCAP0\r\n" + bytes(200), "noise.mcap"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_what_is_no_bag_is_named_in_one_line(bad: Bad, tmp_path: Path) -> None:
    (tmp_path / bad.name).write_bytes(bad.content)
    with pytest.raises(UserError, match=bad.cause) as caught:
        replayed(tmp_path / bad.name, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_cut_bag_is_replayed_as_far_as_it_goes(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cut.mcap").write_bytes(drive.read_bytes()[: drive.stat().st_size // 2])
    out = replayed(tmp_path / "cut.mcap", tmp_path / "out")
    assert (out / "report.html").exists()
    assert "cut.mcap" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_named(drive: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UserError, match="taken"):
        replayed(drive, tmp_path / "taken" / "out")


def test_a_recording_is_not_overwritten_while_it_is_read(drive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    bag = out / "drive.mcap"
    bag.write_bytes(drive.read_bytes())
    with pytest.raises(UserError, match="overwritten"):
        replayed(bag, out)
    assert bag.read_bytes() == drive.read_bytes()


def test_a_generated_drive_holds_its_truth(drive: Path) -> None:
    with Bag(drive) as bag:
        truth = [bag.decode(record) for record in bag.records(["/truth"])]
    assert len(truth) > 50
    assert "lead_motion" in truth[0].names
    assert set(truth[0].probabilities) == {1.0}


def test_an_unreadable_message_is_left_out(drive: Path, tmp_path: Path) -> None:
    from mm_edge.bags.writer import BagWriter

    with Bag(drive) as whole, BagWriter(tmp_path / "damaged.mcap") as damaged:
        for number, record in enumerate(whole.records()):
            data = record.data[:12] if number % 40 == 0 else record.data
            damaged.write(record.topic, record.msgtype, record.stamp_ns, data)
    out = replayed(tmp_path / "damaged.mcap", tmp_path / "out")
    assert any(topic == "/utterance" for _, topic, _ in contents(out))
