"""A bag seen through a topic map: units and axes are turned, times are kept, and what is left out is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from mm_edge.assistant.intake import TOPICS
from mm_edge.bags.build import build, header
from mm_edge.bags.mapped import MappedBag
from mm_edge.bags.reader import Bag
from mm_edge.bags.topicmap import TopicMap, load
from mm_edge.bags.types import BagError
from mm_edge.bags.writer import BagWriter
from mm_edge.share import share_path

IMU, TWIST, FLOAT = "sensor_msgs/msg/Imu", "geometry_msgs/msg/TwistStamped", "std_msgs/msg/Float64"
COMPRESSED, REQUEST = "sensor_msgs/msg/CompressedImage", "mm_edge/msg/AssistRequest"
Entry = tuple[int, str, str, Mapping[str, Any]]
"""Recorded at in ns, topic, type, values."""
Open = Callable[..., MappedBag]


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Open]:
    """`mapped(topic_map, *entries)`: a bag that holds the entries, seen through the map."""
    opened: list[Bag] = []

    def view(topic_map: TopicMap, *entries: Entry) -> MappedBag:
        with BagWriter(tmp_path / "drive.mcap") as writer:
            for stamp_ns, topic, msgtype, values in entries:
                writer.write(topic, msgtype, stamp_ns, build(msgtype, values))
        opened.append(Bag(tmp_path / "drive.mcap"))
        return MappedBag(opened[-1], topic_map, TOPICS)

    yield view
    for bag in opened:
        bag.close()


def speed(stamp_ns: int, mps: float, header_ns: int = 0) -> Entry:
    return stamp_ns, "/vehicle/speed", TWIST, {"header": header(header_ns), "twist": {"linear": {"x": mps}}}


def rule(field: str = "twist.linear.x", **conversion: float) -> TopicMap:
    fields = {"speed_mps": {"from": "/vehicle/speed", "field": field, **conversion}}
    return TopicMap.model_validate({"vehicle_state": {"trigger": "/vehicle/speed", "fields": fields}})


def test_the_comma2k19_map_turns_units_and_axes(mapped: Open) -> None:
    turning = {"angular_velocity": {"x": 0.1, "y": 0.2, "z": 0.3}, "linear_acceleration": {"z": -9.5}}
    seen = mapped(
        load(share_path("config", "comma2k19.yaml")),
        (1, "/camera/image/compressed", COMPRESSED, {"format": "jpeg"}),
        (2, "/imu/data_raw", IMU, turning),
        (3, "/vehicle/steering_angle_deg", FLOAT, {"data": 16.88}),
        speed(4, 25.0),
    )

    image, imu, state = (entry.message() for entry in seen.messages())

    assert set(seen.inputs) == {"image/compressed", "imu", "vehicle_state"}
    assert image.format == "jpeg"
    assert (imu.angular_velocity.x, imu.angular_velocity.y, imu.angular_velocity.z) == (0.1, -0.2, -0.3)
    assert imu.linear_acceleration.z == 9.5
    assert imu.orientation_covariance[0] == -1.0
    assert state.speed_mps == 25.0
    assert state.steering_angle_rad == pytest.approx(0.0174533, abs=1e-5)
    assert seen.notes == []


def test_the_gopro_map_takes_the_yaw_rate_from_the_axis_that_points_down(mapped: Open) -> None:
    seen = mapped(
        load(share_path("config", "gopro.yaml")),
        (1, "/imu/data_raw", IMU, {"angular_velocity": {"y": -0.5}}),
        (2, "/gps/speed", TWIST, {"twist": {"linear": {"x": 1.5}}}),
    )

    (state,) = (entry.message() for entry in seen.messages())

    assert (state.speed_mps, state.yaw_rate_rps) == (1.5, 0.5)
    assert seen.notes == ["/camera/image/compressed: not in the bag"]


def test_scale_and_offset_are_applied(mapped: Open) -> None:
    (entry,) = mapped(rule(scale=0.5, offset=1.0), speed(1, 10.0)).messages()

    assert entry.message().speed_mps == 6.0


def test_what_was_not_recorded_is_unknown_and_what_was_unknown_stays_so(mapped: Open) -> None:
    known, unknown = (entry.message() for entry in mapped(rule(), speed(1, 3.0), speed(2, nan)).messages())

    assert isnan(known.brake)
    assert isnan(unknown.speed_mps)


def test_an_unset_stamp_becomes_the_time_of_recording(mapped: Open) -> None:
    entries = list(mapped(rule(), speed(7_000_000_001, 3.0), speed(7_000_000_002, 3.0, header_ns=5)).messages())
    stamps = [(e.message().header.stamp.sec, e.message().header.stamp.nanosec) for e in entries]

    assert [entry.stamp_ns for entry in entries] == [7_000_000_001, 7_000_000_002]
    assert stamps == [(7, 1), (0, 5)]


def test_an_input_that_is_taken_over_keeps_its_bytes(mapped: Open) -> None:
    request = {"header": header(0), "id": "q", "text": "what is ahead", "deadline_ms": nan}
    seen = mapped(TopicMap(topics={"/ask": "request"}), (0, "/ask", REQUEST, request))

    (entry,) = seen.messages()
    (record,) = seen.bag.records()

    assert (entry.stamp_ns, entry.topic, entry.data) == (0, "request", record.data)
    assert isnan(entry.message().deadline_ms)


@pytest.mark.parametrize(
    ("topics", "note"),
    [
        ({"/radar": "image"}, "/radar: not in the bag"),
        ({"/vehicle/speed": "odom"}, f"/vehicle/speed: is {TWIST}, not nav_msgs/msg/Odometry; left out"),
    ],
    ids=["absent", "of another type"],
)
def test_what_is_left_out_is_noted(topics: dict[str, str], note: str, mapped: Open) -> None:
    seen = mapped(rule().model_copy(update={"topics": topics}), speed(1, 3.0))

    assert set(seen.inputs) == {"vehicle_state"}
    assert seen.notes == [note]


def test_a_field_that_does_not_exist_is_noted_with_its_count(mapped: Open) -> None:
    seen = mapped(rule("twist.forward"), speed(1, 3.0), speed(2, 3.0))

    assert list(seen.messages()) == []
    assert seen.notes == [f"2 unreadable messages left out: /vehicle/speed: {TWIST} has no number at 'twist.forward'"]


def test_a_bag_that_provides_nothing_says_what_it_holds(mapped: Open) -> None:
    with pytest.raises(BagError, match=rf"no topic matches; the bag holds /vehicle/speed \({TWIST}\)"):
        mapped(TopicMap(topics={"/camera": "image"}), speed(1, 3.0))


def test_another_definition_of_our_type_is_left_out(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("string text\n", REQUEST))
    with Writer(tmp_path / "other", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        asked = writer.add_connection("/request", REQUEST, typestore=store)
        writer.write(asked, 1, bytes(store.serialize_cdr(store.types[REQUEST]("hello"), REQUEST)))
        moved = writer.add_connection("/vehicle/speed", TWIST, typestore=store)
        writer.write(moved, 2, bytes(store.serialize_cdr(build(TWIST), TWIST)))

    with Bag(tmp_path / "other") as bag:
        seen = MappedBag(bag, rule().model_copy(update={"topics": {"/request": "request"}}), TOPICS)

        assert set(seen.inputs) == {"vehicle_state"}
        assert seen.notes == [f"/request: recorded with another definition of {REQUEST}; left out"]
