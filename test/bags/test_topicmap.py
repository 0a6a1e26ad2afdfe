"""Topic maps: the shipped ones, what is wrong with a wrong one, and what is guessed without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_edge.assistant.intake import TOPICS
from mm_edge.bags.topicmap import guess, load
from mm_edge.bags.types import BagError
from mm_edge.bags.writer import BagWriter
from mm_edge.errors import UserError
from mm_edge.replay import run
from mm_edge.share import share_path

COMPRESSED, STATE = "sensor_msgs/msg/CompressedImage", "mm_edge/msg/VehicleState"
TWIST = "geometry_msgs/msg/TwistStamped"


@pytest.mark.parametrize("name", ["comma2k19.yaml", "gopro.yaml"])
def test_a_shipped_map_names_inputs_that_there_are(name: str) -> None:
    topic_map = load(share_path("config", name))

    assert topic_map.description
    assert set(topic_map.topics.values()) <= TOPICS.keys()
    assert all(topic.startswith("/") for topic in topic_map.sources())


WRONG = {
    "not YAML": ("topics: {/a: image", "not YAML"),
    "not text": (b"\xff\xfe\x00", "not YAML"),
    "empty": ("", "dictionary"),
    "a list": ("- topics", "dictionary"),
    "an unknown key": ("topic: {/a: image}", "topic: "),
    "a number for a topic": ("topics: {/a: 7}", "topics./a: "),
    "an axis twice": ("imu: {from: /imu, axes: [x, -x, z]}", "imu.axes: .*once each"),
    "a mirrored axis": ("imu: {from: /imu, axes: [x, y, -z]}", "imu.axes: .*mirrored"),
    "an axis that is none": ("imu: {from: /imu, axes: [x, y, up]}", "imu.axes.2: "),
    "no trigger": ("vehicle_state: {fields: {brake: {from: /b, field: data}}}", "vehicle_state.trigger: "),
    "no fields": ("vehicle_state: {trigger: /a, fields: {}}", "vehicle_state.fields: "),
    "an unknown field": (
        "vehicle_state: {trigger: /a, fields: {warp: {from: /a, field: data}}}",
        "no field warp",
    ),
    "a scale in words": (
        "vehicle_state: {trigger: /a, fields: {brake: {from: /a, field: data, scale: half}}}",
        r"brake\.scale: ",
    ),
    "two cameras for one input": ("topics: {/a: image, /b: image}", "more than one source for image"),
    "an imu twice": ("topics: {/a: imu}\nimu: {from: /b, axes: [x, y, z]}", "more than one source for imu"),
}


@pytest.mark.parametrize(("content", "cause"), WRONG.values(), ids=WRONG)
def test_a_wrong_map_is_named_with_its_cause_in_one_line(content: str | bytes, cause: str, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(BagError, match=rf"map\.yaml: .*{cause}") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "cause"),
    [("topics: [image]", r"map\.yaml: topics: "), ("topics: {/image: radar}", "'radar' is not an input; there are ")],
    ids=["of another shape", "of an unknown input"],
)
def test_a_replay_with_a_wrong_map_is_a_user_error(content: str, cause: str, tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag.mcap") as bag:
        bag.write("/image", "std_msgs/msg/Empty", 1, bytes([0, 1, 0, 0, 0]))
    (tmp_path / "map.yaml").write_text(content)

    with pytest.raises(UserError, match=cause) as caught:
        run(tmp_path / "bag.mcap", tmp_path / "map.yaml", offline=True, out=tmp_path / "out", view=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_map_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BagError, match="cannot be read"):
        load(tmp_path / name)


def test_without_a_map_names_and_types_decide() -> None:
    types = {
        "/car/vehicle_state": STATE,
        "/front/image/compressed": COMPRESSED,
        "/rear/image/compressed": COMPRESSED,
        "/front/image": COMPRESSED,
        "/request": "mm_edge/msg/AssistRequest",
        "/imu/data_raw": "sensor_msgs/msg/Imu",
    }

    topics = guess(types, TOPICS).topics

    assert topics == {
        "/car/vehicle_state": "vehicle_state",
        "/rear/image/compressed": "image/compressed",
        "/request": "request",
    }


def test_an_only_camera_and_an_only_speed_are_found_by_their_type() -> None:
    topic_map = guess({"/cam0": COMPRESSED, "/can/speed": TWIST}, TOPICS)

    assert topic_map.topics == {"/cam0": "image/compressed"}
    assert topic_map.vehicle_state is not None
    assert topic_map.vehicle_state.fields["speed_mps"].field == "twist.linear.x"


def test_of_two_speeds_none_is_taken() -> None:
    assert guess({"/gps/speed": TWIST, "/can/speed": TWIST}, TOPICS).vehicle_state is None
