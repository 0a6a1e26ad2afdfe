"""From what the core says to ROS messages, and from an Utterance message back to the core's.

Inputs of the assistant go through mm_edge.assistant.intake.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from std_msgs.msg import Header

from mm_edge.assistant.advice import PathAdvice
from mm_edge.assistant.outputs import OUTPUTS
from mm_edge.assistant.sensors import stamp_ns
from mm_edge.feedback.utterance import Kind, Priority, Utterance

FLOAT32_MAX = 3.4e38


def message_class(msgtype: str) -> Any:
    """The class of "sensor_msgs/msg/Image"."""
    package, _, name = msgtype.partition("/msg/")
    return getattr(import_module(f"{package}.msg"), name)


MESSAGES = {kind: message_class(msgtype) for kind, (_, msgtype) in OUTPUTS.items()}
"""The message class of everything that the core puts out."""


def to_message(output: Any) -> Any:
    """The message for one of OUTPUTS: same field names, `stamp_ns` and `frame_id` in the header."""
    if isinstance(output, PathAdvice):
        return _path(output)
    message = MESSAGES[type(output)]()
    if hasattr(message, "header"):
        message.header = Header(stamp=to_time(output.stamp_ns), frame_id=output.frame_id)
    for field in fields(output):
        value = getattr(output, field.name)
        if field.name in ("stamp_ns", "frame_id"):
            continue
        if field.name.endswith("_ns"):
            setattr(message, field.name.removesuffix("_ns"), to_time(value))
        else:
            setattr(message, field.name, _plain(value, getattr(message, field.name)))
    return message


def _path(advice: PathAdvice) -> Path:
    message = Path(header=Header(stamp=to_time(advice.stamp_ns), frame_id=advice.frame_id))
    message.poses = [_filled(PoseStamped(), pose) for pose in advice.poses]
    return message


def _filled(message: Any, values: Mapping[str, Any]) -> Any:
    """A message of messages, with nested values."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            _filled(getattr(message, name), value)
        else:
            setattr(message, name, value)
    return message


def to_time(nanoseconds: int) -> Time:
    """ROS time before 1970 does not exist: a negative one becomes zero."""
    sec, nanosec = divmod(max(0, nanoseconds), 1_000_000_000)
    return Time(sec=min(sec, 2**31 - 1), nanosec=nanosec)


def utterance(message: Any) -> Utterance:
    """mm_edge/Utterance -> the core's. Unknown kinds and priorities become ANSWER and NORMAL."""
    return Utterance(
        stamp_ns=stamp_ns(message.header),
        id=str(message.id),
        text=str(message.text),
        kind=Kind(message.kind) if message.kind in set(Kind) else Kind.ANSWER,
        priority=Priority(message.priority) if message.priority in set(Priority) else Priority.NORMAL,
        request_id=str(message.request_id),
        topic=str(message.topic),
        final=bool(message.final),
        confidence=float(message.confidence),
        expires_ns=int(message.expires.sec) * 1_000_000_000 + int(message.expires.nanosec),
        frame_id=str(message.header.frame_id),
    )


def _plain(value: Any, like: Any) -> Any:
    """`value` as the type that the message's field holds: rclpy takes no IntEnum, tuple or int for a float."""
    if isinstance(like, bool):
        return bool(value)
    if isinstance(like, float):
        number = float(value)
        return number if number != number or abs(number) <= FLOAT32_MAX else float("inf") * (1 if number > 0 else -1)
    if isinstance(like, int):
        return int(value)
    if isinstance(value, np.ndarray):
        return array(like.typecode, value.tobytes()) if isinstance(like, array) else value
    return list(value) if isinstance(value, tuple) else value
