"""A node that sends images, and one that says how long each was on its way: for `mm-edge bench ros`, each in a process
of its own."""

from __future__ import annotations

import json
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from mm_edge.bench.ros import GRACE_S, START_S, WARM_UP, noise, paced

TOPIC = "bench_image"
S = 1_000_000_000


def receive(count: int) -> None:
    """Until the last image or a second of silence; prints the latencies in milliseconds."""
    newest = [0, time.monotonic() + START_S]
    latencies_ms: list[float] = []

    def take(message: Image) -> None:
        now_ns, stamp = time.monotonic_ns(), message.header.stamp
        newest[:] = [int(message.header.frame_id), time.monotonic() + GRACE_S]
        if newest[0] >= WARM_UP:
            latencies_ms.append((now_ns - stamp.sec * S - stamp.nanosec) / 1e6)

    rclpy.init(args=[])
    node = rclpy.create_node("bench_receiver")
    node.create_subscription(Image, TOPIC, take, qos_profile_sensor_data)
    while newest[0] < count - 1 and time.monotonic() < newest[1]:
        rclpy.spin_once(node, timeout_sec=0.1)
    print(json.dumps(latencies_ms))
    rclpy.shutdown()


def publish(height: int, width: int, count: int) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("bench_publisher")
    publisher = node.create_publisher(Image, TOPIC, qos_profile_sensor_data)
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=noise(height, width))

    def send(number: int) -> None:
        message.header.frame_id = str(number)
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.monotonic_ns(), S)
        publisher.publish(message)

    paced(count, lambda: publisher.get_subscription_count() > 0, send)
