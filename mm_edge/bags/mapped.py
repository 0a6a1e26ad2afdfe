"""A bag seen through a topic map: the inputs it holds, converted, in order of time.

Knows nothing about how the inputs are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from math import nan
from typing import Any, NamedTuple

import numpy as np

from mm_edge.bags.build import build, header, serialize
from mm_edge.bags.reader import Bag, Record
from mm_edge.bags.topicmap import IMU, VEHICLE_STATE, ImuRule, StateRule, TopicMap
from mm_edge.bags.types import BagError, typestore


class Input(NamedTuple):
    """One message for an input. `topic` is the input's relative name; `data` is CDR."""

    stamp_ns: int
    topic: str
    msgtype: str
    data: bytes

    def message(self) -> Any:
        """Raises BagError when the data are not of that type."""
        try:
            return typestore().deserialize_cdr(self.data, self.msgtype)
        except Exception as error:
            raise BagError(f"{self.topic}: not a readable {self.msgtype} ({' '.join(str(error).split())})") from error


Convert = Callable[[Record], list[Input]]


class MappedBag:
    """`inputs`: the inputs that the bag provides, with their types; `notes`: what was left out, and why."""

    def __init__(self, bag: Bag, topic_map: TopicMap, inputs: Mapping[str, str]) -> None:
        """`inputs`: every input there is, with its type. Raises BagError when none of them can be had from the bag."""
        self.bag = bag
        self.inputs: dict[str, str] = {}
        self._notes: list[str] = []
        self._converters: dict[str, list[Convert]] = {}
        for topic, name in topic_map.topics.items():
            self._take_over(topic, name, inputs)
        if topic_map.imu and self._has(topic_map.imu.topic, {IMU}):
            self._add(topic_map.imu.topic, "imu", IMU, _turned(bag, topic_map.imu))
        if topic_map.vehicle_state:
            self._add_state(topic_map.vehicle_state)
        if not self.inputs:
            there = ", ".join(f"{topic} ({msgtype})" for topic, msgtype in sorted(bag.types.items()))
            raise BagError(f"{bag.path}: no topic matches; the bag holds {there}")
        self._bad: dict[str, int] = {}

    @property
    def notes(self) -> list[str]:
        """Complete once all messages were read."""
        bad = [f"{count} unreadable messages left out: {text}" for text, count in self._bad.items()]
        return self.bag.notes + self._notes + bad

    def messages(self) -> Iterator[Input]:
        """Every input message, stamped with when it was recorded."""
        for record in self.bag.records(self._converters):
            for convert in self._converters[record.topic]:
                try:
                    yield from convert(record)
                except BagError as error:
                    self._bad[str(error)] = self._bad.get(str(error), 0) + 1

    def _take_over(self, topic: str, name: str, inputs: Mapping[str, str]) -> None:
        if name not in inputs:
            raise BagError(f"topic map: {name!r} is not an input; there are {', '.join(inputs)}")
        if not self._has(topic, {inputs[name]}):
            return
        msgtype = inputs[name]
        if self.bag.same_as_ours(msgtype):
            self._add(topic, name, msgtype, lambda record: [Input(record.stamp_ns, name, msgtype, record.data)])
        else:
            self._notes.append(f"{topic}: recorded with another definition of {msgtype}; left out")

    def _has(self, topic: str, msgtypes: set[str]) -> bool:
        found = self.bag.types.get(topic)
        if found is None:
            self._notes.append(f"{topic}: not in the bag")
        elif found not in msgtypes:
            self._notes.append(f"{topic}: is {found}, not {' or '.join(sorted(msgtypes))}; left out")
        return found in msgtypes

    def _add(self, topic: str, name: str, msgtype: str, convert: Convert) -> None:
        self.inputs[name] = msgtype
        self._converters.setdefault(topic, []).append(convert)

    def _add_state(self, rule: StateRule) -> None:
        if rule.trigger not in self.bag.types:
            self._notes.append(f"{rule.trigger}: not in the bag")
            return
        state = _State(self.bag, rule)
        for topic in dict.fromkeys([*(r.topic for r in rule.fields.values()), rule.trigger]):
            if topic in self.bag.types:
                self._add(topic, "vehicle_state", VEHICLE_STATE, state.take)
            else:
                self._notes.append(f"{topic}: not in the bag")


class _State:
    """The newest value of every field, collected from several topics."""

    def __init__(self, bag: Bag, rule: StateRule) -> None:
        self._bag = bag
        self._rule = rule
        self._values: dict[str, float] = {}

    def take(self, record: Record) -> list[Input]:
        message = self._bag.decode(record)
        for name, rule in self._rule.fields.items():
            if rule.topic == record.topic:
                self._values[name] = _number(message, rule.field, record) * rule.scale + rule.offset
        if record.topic != self._rule.trigger:
            return []
        values = {"header": header(_stamp_ns(message) or record.stamp_ns, "base_link"), **self._values}
        state = build(VEHICLE_STATE, values, unknown=nan)
        return [Input(record.stamp_ns, "vehicle_state", VEHICLE_STATE, serialize(state, VEHICLE_STATE))]


def _turned(bag: Bag, rule: ImuRule) -> Convert:
    """Angular velocity and acceleration in the vehicle's axes; the orientation, in other axes, is marked as absent."""

    def turn(vector: Any) -> dict[str, float]:
        signs = [-1.0 if axis.startswith("-") else 1.0 for axis in rule.axes]
        return {
            name: sign * getattr(vector, axis[-1]) for name, sign, axis in zip("xyz", signs, rule.axes, strict=True)
        }

    def convert(record: Record) -> list[Input]:
        message = bag.decode(record)
        stamp_ns = _stamp_ns(message) or record.stamp_ns
        values = {
            "header": header(stamp_ns, "base_link"),
            "angular_velocity": turn(message.angular_velocity),
            "linear_acceleration": turn(message.linear_acceleration),
            "orientation_covariance": np.array([-1.0] + [0.0] * 8),
        }
        return [Input(record.stamp_ns, "imu", IMU, serialize(build(IMU, values), IMU))]

    return convert


def _number(message: Any, path: str, record: Record) -> float:
    try:
        return float(reduce(getattr, path.split("."), message))
    except (AttributeError, TypeError, ValueError):
        raise BagError(f"{record.topic}: {record.msgtype} has no number at {path!r}") from None


def _stamp_ns(message: Any) -> int:
    """The header's stamp; 0 without one."""
    header_ = getattr(message, "header", None)
    return 0 if header_ is None else int(header_.stamp.sec) * 1_000_000_000 + int(header_.stamp.nanosec)
