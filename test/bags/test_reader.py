"""Bags as others leave them: mcap and db3, whole, cut off, damaged, or with messages in another encoding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import StoragePlugin, Writer

from mm_edge.bags.build import build, header, serialize
from mm_edge.bags.reader import Bag, Record
from mm_edge.bags.types import BagError, typestore

STATE, IMAGE = "mm_edge/msg/VehicleState", "sensor_msgs/msg/CompressedImage"
STORAGES = {"mcap": StoragePlugin.MCAP, "db3": StoragePlugin.SQLITE3}
COUNT, PERIOD_NS, PIXELS = 60, 100_000_000, 100_000


def recorded(folder: Path, storage: str) -> Path:
    """A bag of rosbag2's: noise for a picture ten times a second, and a vehicle state with each."""
    noise = np.random.default_rng(0).integers(0, 255, PIXELS, np.uint8)
    with Writer(folder, version=8, storage_plugin=STORAGES[storage]) as writer:
        topics: list[tuple[str, str, dict[str, Any]]] = [
            ("/camera/image/compressed", IMAGE, {"data": noise}),
            ("/car/vehicle_state", STATE, {}),
        ]
        kinds = [(writer.add_connection(t, kind, typestore=typestore()), kind, values) for t, kind, values in topics]
        for number in range(COUNT):
            for connection, kind, values in kinds:
                message = build(kind, {"header": header(number), **values})
                writer.write(connection, number * PERIOD_NS, serialize(message, kind))
    return folder


@pytest.fixture(scope="module", params=STORAGES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp(request.param) / "drive", request.param)


def storage(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.suffix != ".yaml")


def read(path: Path) -> tuple[list[Record], list[str]]:
    with Bag(path) as bag:
        return list(bag.records()), bag.notes


def test_folder_and_file_are_the_same_bag(folder: Path) -> None:
    assert read(folder) == read(storage(folder))


def test_a_bag_tells_what_it_holds(folder: Path) -> None:
    with Bag(folder) as bag:
        assert bag.types == {"/camera/image/compressed": IMAGE, "/car/vehicle_state": STATE}
        assert set(bag.counts.values()) == {COUNT}
        assert bag.duration_s == pytest.approx((COUNT - 1) * PERIOD_NS / 1e9)
        assert bag.notes == []
        assert bag.same_as_ours(STATE)


def test_only_what_is_asked_for_is_read_in_order_of_time(folder: Path) -> None:
    with Bag(folder) as bag:
        records = list(bag.records(["/car/vehicle_state", "/not/there"]))
        stamps = [bag.decode(record).header.stamp.nanosec for record in records]

    assert stamps == list(range(COUNT))
    assert [record.stamp_ns for record in records] == [number * PERIOD_NS for number in range(COUNT)]


def test_a_folder_without_metadata_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / storage(folder).name).write_bytes(storage(folder).read_bytes())

    assert read(tmp_path) == read(folder)


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0.0, 0.99))
def test_a_cut_bag_is_a_beginning_of_the_whole(
    share: float, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = storage(folder).read_bytes()
    cut = tmp_path_factory.mktemp("cut") / storage(folder).name
    cut.write_bytes(whole[: int(len(whole) * share)])
    try:
        records, notes = read(cut)
    except BagError as error:
        records, notes = [], [str(error)]

    assert records == read(folder)[0][: len(records)]
    assert len(records) >= 2 * COUNT * (share - 0.25)
    assert cut.name in notes[0] or "damaged" in notes[0]
    assert all("\n" not in note for note in notes)


def test_a_damaged_message_is_named(folder: Path) -> None:
    with Bag(folder) as bag:
        record = next(bag.records())
        with pytest.raises(BagError, match="/camera/image/compressed: not a readable sensor_msgs/msg/CompressedImage"):
            bag.decode(record._replace(data=record.data[:7]))


def with_checksums(path: Path) -> Path:
    """As the mcap library and rosbag2 write by default."""
    definition, _ = typestore().generate_msgdef(STATE, ros_version=2)
    with path.open("wb") as stream:
        writer = McapWriter(stream, chunk_size=1000, compression=CompressionType.NONE)
        writer.start(profile="ros2")
        schema = writer.register_schema(STATE, "ros2msg", definition.encode())
        channel = writer.register_channel("/car/vehicle_state", "cdr", schema)
        for number in range(COUNT):
            writer.add_message(channel, number, serialize(build(STATE, {"header": header(number)}), STATE), number)
        writer.finish()
    return path


def test_a_flipped_bit_is_found_by_its_checksum(tmp_path: Path) -> None:
    path = with_checksums(tmp_path / "drive.mcap")
    whole, nothing_to_say = read(path)
    damaged = bytearray(path.read_bytes())
    damaged[path.stat().st_size // 2] ^= 0xFF
    path.write_bytes(damaged)

    records, notes = read(path)

    assert (len(whole), nothing_to_say) == (COUNT, [])
    assert 0 < len(records) < COUNT
    assert records == whole[: len(records)]
    assert "the bag is damaged after" in notes[0]


def test_messages_in_another_encoding_are_named(tmp_path: Path) -> None:
    path = tmp_path / "web.mcap"
    with path.open("wb") as stream:
        writer = McapWriter(stream)
        writer.start()
        schema = writer.register_schema("Speed", "jsonschema", b"{}")
        channel = writer.register_channel("/speed", "json", schema)
        writer.add_message(channel, 1, json.dumps({"mps": 3}).encode(), 1)
        writer.finish()

    with pytest.raises(BagError, match=r"web\.mcap: .*'json'") as caught:
        Bag(path)
    assert "\n" not in str(caught.value)


def test_a_bag_without_messages_is_called_empty(tmp_path: Path) -> None:
    with Writer(tmp_path / "silent", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        writer.add_connection("/car/vehicle_state", STATE, typestore=typestore())

    with pytest.raises(BagError, match="silent: the bag is empty"):
        Bag(tmp_path / "silent")


def test_a_folder_without_a_bag_is_named(tmp_path: Path) -> None:
    with pytest.raises(BagError, match=r"no \.mcap or \.db3 file"):
        Bag(tmp_path)


def test_a_file_under_the_wrong_name_is_named(folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / ("drive.db3" if storage(folder).suffix == ".mcap" else "drive.mcap")
    wrong.write_bytes(storage(folder).read_bytes())

    with pytest.raises(BagError, match=f"not an {wrong.suffix} file"):
        Bag(wrong)
