"""What tests share: rclpy, the real one or ours, in a domain of its own, and a drive to replay."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from mm_edge.ros import ensure_rclpy

os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
ensure_rclpy()


@pytest.fixture
def ros() -> Iterator[None]:
    """An rclpy that is initialised for one test."""
    import rclpy

    rclpy.init(args=[])
    yield
    rclpy.try_shutdown()


@pytest.fixture
def node(ros: None):
    import rclpy

    made = rclpy.create_node("tester")
    yield made
    made.destroy_node()


@pytest.fixture
def until(ros: None):
    """`until(condition, *nodes)`: serve the nodes until it holds; fails the test after ten seconds."""
    from rclpy.executors import SingleThreadedExecutor

    def wait(condition: Callable[[], object], *nodes: object, timeout_s: float = 10.0) -> None:
        executor = SingleThreadedExecutor()
        for each in nodes:
            executor.add_node(each)
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, "the condition never came true"
            executor.spin_once(timeout_sec=0.05)
        for each in nodes:
            executor.remove_node(each)

    return wait
