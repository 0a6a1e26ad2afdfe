"""The other side of the ROS layer's benchmark: images by the `cyclonedds` package alone.

A module of its own, run in processes of its own: that package and our layer cannot share one.
"""

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from cyclonedds.core import Policy, Qos, ReadCondition, SampleState, WaitSet
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import sequence, uint8, uint32, uint64
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

from mm_edge.bench.ros import GRACE_S, START_S, WARM_UP, noise, paced

QOS = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(5))


@dataclass
class BenchImage(IdlStruct, typename="BenchImage"):
    number: uint32
    stamp_ns: uint64
    data: sequence[uint8]  # type: ignore[type-arg]


def receive(count: int) -> None:
    """Until the last image or a second of silence; prints the latencies in milliseconds."""
    participant, topic = _topic()
    reader: DataReader[BenchImage] = DataReader(participant, topic, qos=QOS)
    waitset = WaitSet(participant)
    waitset.attach(ReadCondition(reader, SampleState.NotRead))
    latencies_ms: list[float] = []
    number, give_up_s = 0, time.monotonic() + START_S
    while number < count - 1 and time.monotonic() < give_up_s:
        waitset.wait(timeout=100_000_000)
        for sample in reader.take(N=16):
            now_ns = time.monotonic_ns()
            number, give_up_s = sample.number, time.monotonic() + GRACE_S
            if number >= WARM_UP:
                latencies_ms.append((now_ns - sample.stamp_ns) / 1e6)
    print(json.dumps(latencies_ms))


def publish(height: int, width: int, count: int) -> None:
    participant, topic = _topic()
    writer: DataWriter[BenchImage] = DataWriter(participant, topic, qos=QOS)
    pixels: Any = list(noise(height, width))

    def send(number: int) -> None:
        writer.write(BenchImage(number=number, stamp_ns=time.monotonic_ns(), data=pixels))

    paced(count, lambda: len(writer.get_matched_subscriptions()) > 0, send)


def _topic() -> tuple[DomainParticipant, Topic[BenchImage]]:
    participant = DomainParticipant(int(os.environ["ROS_DOMAIN_ID"]))
    return participant, Topic(participant, "BenchImage", BenchImage)
