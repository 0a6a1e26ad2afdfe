"""A recording holds what was written, to the bit, under any rosbag2 reader; what cannot be written is said at once."""

from __future__ import annotations

import errno
from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest
from rosbags.interfaces import Nodetype
from rosbags.rosbag2 import Reader, Writer

from mm_edge.assistant.intake import TOPICS
from mm_edge.bags.build import build, header, serialize
from mm_edge.bags.reader import Bag, Record
from mm_edge.bags.types import BagError, typestore
from mm_edge.bags.writer import BagWriter

UTTERANCE, STATE, IMAGE = "mm_edge/msg/Utterance", "mm_edge/msg/VehicleState", "sensor_msgs/msg/CompressedImage"
OURS = {name for name in typestore().fielddefs if name.startswith("mm_edge/msg/")}
KINDS = sorted({*OURS, *TOPICS.values(), "diagnostic_msgs/msg/DiagnosticArray"})


def example(msgtype: str) -> Any:
    """A message in which no field is empty."""
    return build(msgtype, {name: _value(kind) for name, kind in typestore().fielddefs[msgtype][1]})


def _value(kind: Any) -> Any:
    node, detail = kind
    if node == Nodetype.BASE:
        return "Straße 7, 雨" if detail[0] == "string" else 1
    if node == Nodetype.NAME:
        return example(detail)
    element, length = detail
    return [_value(element)] * (length or 3)


def read(path: Path) -> list[Record]:
    with Bag(path) as bag:
        return list(bag.records())


def test_every_kind_of_ours_is_tried() -> None:
    assert {"Utterance", "LatencyReport", "SpeechAudio", "AudioChunk"} <= {name.rpartition("/")[2] for name in OURS}


@pytest.mark.parametrize("msgtype", KINDS)
def test_a_message_comes_back_as_it_was(msgtype: str, tmp_path: Path) -> None:
    message = example(msgtype)
    with BagWriter(tmp_path / "one.mcap") as bag:
        bag.write("/topic", msgtype, 5, message)

    with Bag(tmp_path / "one.mcap") as read_back:
        (record,) = read_back.records()
        decoded = read_back.decode(record)

    assert (record.stamp_ns, record.topic, record.msgtype) == (5, "/topic", msgtype)
    assert serialize(decoded, msgtype) == serialize(message, msgtype)


def test_unknown_numbers_and_unset_stamps_survive(tmp_path: Path) -> None:
    state = build(STATE, {"header": header(0), "speed_mps": nan, "brake": 0.0}, unknown=nan)
    with BagWriter(tmp_path / "one.mcap") as bag:
        bag.write("/vehicle_state", STATE, 0, state)

    with Bag(tmp_path / "one.mcap") as read_back:
        (record,) = read_back.records()
        decoded = read_back.decode(record)

    assert (record.stamp_ns, read_back.start_ns, read_back.duration_s) == (0, 0, 0.0)
    assert (decoded.header.stamp.sec, decoded.header.stamp.nanosec) == (0, 0)
    assert isnan(decoded.speed_mps)
    assert decoded.brake == 0.0


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    data = serialize(example(UTTERANCE), UTTERANCE)
    with BagWriter(tmp_path / "one.mcap") as bag:
        bag.write("/utterance", UTTERANCE, 5, data)

    assert read(tmp_path / "one.mcap")[0].data == data


def test_the_same_messages_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        with BagWriter(tmp_path / name / "drive.mcap") as bag:
            bag.add_topic("/silent", STATE)
            for stamp_ns in range(20):
                bag.write("/utterance", UTTERANCE, stamp_ns, example(UTTERANCE))

    assert (tmp_path / "a" / "drive.mcap").read_bytes() == (tmp_path / "b" / "drive.mcap").read_bytes()


def test_rosbag2_opens_the_folder(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "drive.v1.mcap") as bag:
        bag.add_topic("/silent", STATE)
        bag.write("/utterance", UTTERANCE, 7, example(UTTERANCE))

    with Reader(tmp_path) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}

    assert counts == {"/silent": 0, "/utterance": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drive.v1.mcap", "metadata.yaml"]


def test_an_older_recording_is_replaced_only_by_a_finished_one(tmp_path: Path) -> None:
    path = tmp_path / "drive.mcap"
    with BagWriter(path) as bag:
        bag.write("/utterance", UTTERANCE, 1, example(UTTERANCE))
    second = BagWriter(path)
    second.write("/utterance", UTTERANCE, 2, example(UTTERANCE))

    before = [record.stamp_ns for record in read(path)]
    second.close()

    assert before == [1]
    assert [record.stamp_ns for record in read(path)] == [2]


def test_a_crash_leaves_what_was_recorded(tmp_path: Path) -> None:
    picture = build(IMAGE, {"data": list(range(256)) * 400})
    killed = BagWriter(tmp_path / "drive.mcap")
    for number in range(300):
        killed.write("/image/compressed", IMAGE, number, picture)

    with Bag(next(tmp_path.rglob("*.mcap")).parent) as bag:
        stamps = [record.stamp_ns for record in bag.records()]

    assert stamps == list(range(len(stamps)))
    assert len(stamps) > 200
    assert "read as far as it goes" in bag.notes[0]
    killed.close()


def test_a_topic_has_one_type(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "one.mcap") as bag:
        bag.add_topic("/topic", STATE)
        with pytest.raises(BagError, match="/topic: holds mm_edge/msg/VehicleState"):
            bag.add_topic("/topic", UTTERANCE)


def test_a_recording_is_called_mcap(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"drive\.db3: .*\.mcap"):
        BagWriter(tmp_path / "drive.db3")


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(BagError, match="taken: cannot be written"):
        BagWriter(tmp_path / "taken" / "drive.mcap")


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with BagWriter(tmp_path / "drive.mcap") as bag:
        monkeypatch.setattr(Writer, "write", full)
        with pytest.raises(BagError, match=r"drive\.mcap: .*No space left"):
            bag.write("/utterance", UTTERANCE, 1, example(UTTERANCE))

    assert bag.count == 0
