"""Message classes behave as rosidl's do, and their hashes are those that ROS 2 announces."""

from __future__ import annotations

import numpy as np
import pytest

from mm_edge.ros.interfaces import deserialize, serialize, type_hash

STRING_HASH = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
"""std_msgs/msg/String as in ROS 2 Jazzy."""


def test_defaults_and_keywords() -> None:
    from mm_edge.msg import AssistRequest

    message = AssistRequest(text="what is ahead", deadline_ms=250.0)
    assert message.text == "what is ahead"
    assert message.id == ""
    assert message.stakes == AssistRequest.STAKES_LOW
    assert message.header.stamp.sec == 0


def test_an_unknown_field_is_refused() -> None:
    from std_msgs.msg import String

    with pytest.raises((AttributeError, AssertionError)):
        String(text="no such field")


def test_arrays_take_numpy_and_come_back_the_same() -> None:
    from mm_edge.msg import SpeechAudio

    samples = np.arange(-5, 5, dtype=np.int16)
    message = SpeechAudio(samples=samples, sample_rate_hz=22050, last=True)
    back = deserialize(serialize(message), "mm_edge/msg/SpeechAudio")
    assert list(back.samples) == list(samples)
    assert back.last is True
    assert back.sample_rate_hz == 22050


def test_equal_messages_are_equal() -> None:
    from geometry_msgs.msg import Vector3

    assert Vector3(x=1.0) == Vector3(x=1.0)
    assert Vector3(x=1.0) != Vector3(x=2.0)


def test_type_hash_is_rosidls() -> None:
    assert type_hash("std_msgs/msg/String") == STRING_HASH


@pytest.mark.parametrize("name", ["Utterance", "LatencyReport", "VehicleState", "TaskStep", "DriveEvent"])
def test_our_messages_have_a_hash_and_survive_the_wire(name: str) -> None:
    import mm_edge.msg

    message = getattr(mm_edge.msg, name)()
    assert type_hash(f"mm_edge/msg/{name}").startswith("RIHS01_")
    assert type(deserialize(serialize(message), f"mm_edge/msg/{name}")) is type(message)


def test_damaged_cdr_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"."):
        deserialize(b"\x00\x01\x00\x00\xff\xff\xff\x7f", "std_msgs/msg/String")
