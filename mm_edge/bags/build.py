"""Make bag messages from plain values: any type by its name, with defaults for what is not given.

Knows nothing about which message goes on which topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from mm_edge.bags.types import typestore

NUMBERS = {"float32": float, "float64": float, "bool": bool, "string": str}


def build(msgtype: str, values: Mapping[str, Any] | None = None, unknown: float = 0.0) -> Any:
    """The message, with `values` by field name; a nested message takes a mapping.

    `unknown` is what floating-point fields hold that are not given. Raises KeyError for a field that does not exist.
    """
    fields = typestore().fielddefs[msgtype][1]
    given = dict(values or {})
    built = {name: _field(kind, given.pop(name, None), unknown) for name, kind in fields}
    if given:
        raise KeyError(f"{msgtype} has no field {', '.join(given)}")
    return typestore().types[msgtype](**built)


def serialize(message: Any, msgtype: str) -> bytes:
    """CDR with its header, as it lies in a bag."""
    return bytes(typestore().serialize_cdr(message, msgtype))


def stamp(stamp_ns: int) -> dict[str, int]:
    """The values of a builtin_interfaces/Time."""
    return {"sec": stamp_ns // 1_000_000_000, "nanosec": stamp_ns % 1_000_000_000}


def header(stamp_ns: int, frame_id: str = "") -> dict[str, Any]:
    """The values of a std_msgs/Header."""
    return {"stamp": stamp(stamp_ns), "frame_id": frame_id}


def message_of(output: Any, msgtype: str) -> Any:
    """A dataclass with the message's field names, and `stamp_ns`, `frame_id`, `expires_ns`, as that message."""
    values: dict[str, Any] = {}
    for name, _ in typestore().fielddefs[msgtype][1]:
        if name == "header":
            values[name] = header(output.stamp_ns, output.frame_id)
        elif hasattr(output, f"{name}_ns"):
            values[name] = stamp(getattr(output, f"{name}_ns"))
        elif hasattr(output, name):
            values[name] = getattr(output, name)
    return build(msgtype, values, unknown=nan)


def _field(kind: Any, value: Any, unknown: float) -> Any:
    node, detail = kind
    if node == Nodetype.BASE:
        return _scalar(detail[0], value, unknown)
    if node == Nodetype.NAME:
        return value if hasattr(value, "__msgtype__") else build(detail, value, unknown)
    element, length = detail
    if node == Nodetype.ARRAY and value is None:
        value = [None] * length
    return _many(element, [] if value is None else value, unknown)


def _scalar(name: str, value: Any, unknown: float) -> Any:
    convert = NUMBERS.get(name, int)
    if value is None:
        return unknown if convert is float else convert()
    return convert(value)


def _many(element: Any, values: Any, unknown: float) -> Any:
    node, detail = element
    if node == Nodetype.BASE and detail[0] != "string":
        if isinstance(values, np.ndarray):
            return values.astype(detail[0], copy=False)
        return np.array([_scalar(detail[0], value, unknown) for value in values], dtype=detail[0])
    return [_field(element, value, unknown) for value in values]
