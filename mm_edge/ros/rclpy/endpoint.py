"""How ROS names and types look on the wire (rmw_cyclonedds)."""

from __future__ import annotations

import itertools
import struct

from mm_edge.ros.interfaces import type_hash

_counter = itertools.count(1)


def dds_type(name: str) -> str:
    """ "std_msgs/msg/String" -> "std_msgs::msg::dds_::String_"."""
    package, kind, short = name.split("/")
    return f"{package}::{kind}::dds_::{short}_"


def ros_type(name: str) -> str:
    """The way back; "" for what is no ROS type."""
    parts = name.split("::")
    return f"{parts[0]}/{parts[1]}/{parts[3][:-1]}" if len(parts) == 4 and parts[2] == "dds_" else ""


def user_data(name: str, prefix: str = "") -> bytes:
    return f"{prefix}typehash={type_hash(name)};".encode()


def service_id(guid: bytes, key: str) -> str:
    """What ties the two endpoints of a client ("clientid") or a server ("serviceid") together."""
    raw = guid[:12] + struct.pack(">I", next(_counter))
    return f"{key}={'.'.join(f'{byte:02x}' for byte in raw)};"
