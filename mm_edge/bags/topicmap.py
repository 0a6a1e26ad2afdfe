"""Which topics of a bag are which inputs, and how messages are converted; written in YAML, guessed when not written.

    description: what recording this is for
    topics:                              # taken over as they are
      /camera/image_raw: image
    imu:                                 # optional: an Imu turned to the axes of REP-103 (forward, left, up)
      from: /imu/data_raw
      axes: [x, -y, -z]                  # forward, left and up in terms of the sensor's axes
    vehicle_state:                       # optional: one message made from fields of others
      trigger: /vehicle/speed            # one goes out with each of these
      fields:
        speed_mps: {from: /vehicle/speed, field: twist.linear.x, scale: 1.0, offset: 0.0}

Knows nothing about how the inputs are used; the inputs and their types are passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mm_edge.bags.types import BagError, typestore

IMU = "sensor_msgs/msg/Imu"
VEHICLE_STATE = "mm_edge/msg/VehicleState"
SPEED_TYPES = {"geometry_msgs/msg/TwistStamped": "twist.linear.x", "geometry_msgs/msg/Twist": "linear.x"}
"""What is taken for the vehicle's speed when no map says otherwise, and where in the message."""

Axis = Literal["x", "y", "z", "-x", "-y", "-z"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FieldRule(_Strict):
    """value = number at `field` of the newest message on `topic` * scale + offset."""

    topic: str = Field(alias="from")
    field: str
    scale: float = 1.0
    offset: float = 0.0


class ImuRule(_Strict):
    topic: str = Field(alias="from")
    axes: tuple[Axis, Axis, Axis]

    @field_validator("axes")
    @classmethod
    def _each_axis_once(cls, axes: tuple[Axis, Axis, Axis]) -> tuple[Axis, Axis, Axis]:
        if {axis[-1] for axis in axes} != {"x", "y", "z"}:
            raise ValueError("axes must name x, y and z once each")
        turns = ["xyz".index(axis[-1]) for axis in axes] in ([0, 1, 2], [1, 2, 0], [2, 0, 1])
        if turns != (sum(axis.startswith("-") for axis in axes) % 2 == 0):
            raise ValueError("axes are mirrored: no sensor can be turned like this")
        return axes


class StateRule(_Strict):
    trigger: str
    fields: dict[str, FieldRule] = Field(min_length=1)

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, fields: dict[str, FieldRule]) -> dict[str, FieldRule]:
        known = {name for name, _ in typestore().fielddefs[VEHICLE_STATE][1]} - {"header"}
        if unknown := sorted(set(fields) - known):
            raise ValueError(f"VehicleState has no field {', '.join(unknown)}")
        return fields


class TopicMap(_Strict):
    """`topics`: topic of the bag -> input, both as written in the file."""

    description: str = ""
    topics: dict[str, str] = {}
    imu: ImuRule | None = None
    vehicle_state: StateRule | None = None

    @model_validator(mode="after")
    def _one_source_each(self) -> TopicMap:
        targets = [
            *self.topics.values(),
            *(["imu"] if self.imu else []),
            *(["vehicle_state"] if self.vehicle_state else []),
        ]
        if twice := sorted({target for target in targets if targets.count(target) > 1}):
            raise ValueError(f"more than one source for {', '.join(twice)}")
        return self

    def sources(self) -> set[str]:
        """Every topic of the bag that is read."""
        found = set(self.topics)
        if self.imu:
            found.add(self.imu.topic)
        if self.vehicle_state:
            found |= {self.vehicle_state.trigger, *(rule.topic for rule in self.vehicle_state.fields.values())}
        return found


def load(path: Path) -> TopicMap:
    """Raises BagError, in one line, for a file that is no topic map."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return TopicMap.model_validate(content)
    except OSError as error:
        raise BagError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BagError(f"{path}: not YAML ({str(error).splitlines()[0]})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BagError(f"{path}: {where + ': ' if where else ''}{first['msg']}") from error


def guess(types: Mapping[str, str], inputs: Mapping[str, str]) -> TopicMap:
    """A map for a bag (topic -> type) when none is given.

    A topic that ends in an input's name and has its type is that input; a camera and a speed are also found by their
    type when there is only one. An Imu is not: its axes are unknown.
    """
    topics = _by_name(types, inputs)
    for target in ("image", "image/compressed"):
        found = [topic for topic, msgtype in types.items() if msgtype == inputs[target]]
        if len(found) == 1 and not set(topics.values()) & {"image", "image/compressed"}:
            topics[found[0]] = target
    speeds = [topic for topic, msgtype in types.items() if msgtype in SPEED_TYPES]
    state = None
    if len(speeds) == 1 and not set(topics.values()) & {"vehicle_state", "odom"}:
        rule = FieldRule(topic=speeds[0], field=SPEED_TYPES[types[speeds[0]]])
        state = StateRule(trigger=speeds[0], fields={"speed_mps": rule})
    return TopicMap(description="guessed from names and types", topics=topics, vehicle_state=state)


def _by_name(types: Mapping[str, str], inputs: Mapping[str, str]) -> dict[str, str]:
    """The longest matching input name wins; of several topics for one input, the one with the shortest name."""
    topics: dict[str, str] = {}
    for topic in sorted(types, key=lambda name: (len(name), name)):
        names = [
            name for name, msgtype in inputs.items() if msgtype == types[topic] and f"/{topic}".endswith(f"/{name}")
        ]
        name = max(names, key=len, default="")
        if name and name not in topics.values():
            topics[topic] = name
    return topics
