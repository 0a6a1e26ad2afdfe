"""rclpy for machines without ROS: the part of it that nodes use, on Cyclone DDS.

`ensure_rclpy()` at an entry point makes `import rclpy`, `from sensor_msgs.msg import Image` and `from mm_edge.msg
import Utterance` work: with the real ROS 2 where it is installed, else with this layer, which speaks the protocol of
rmw_cyclonedds. Covered: init and shutdown, nodes, single- and multi-threaded executors, publishers, subscriptions, QoS
and its events, timers, ROS time, parameters and their services, services and clients, lifecycle nodes, loggers and
/rosout, the graph. Left out, with a clear error: actions, type description services, QoS overriding options, content
filters. Knows nothing about the rest of mm_edge except where its files are.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

MODULES = (
    "callback_groups", "clock", "clock_type", "context", "duration", "event_handler", "exceptions", "executors",
    "lifecycle", "logging",
    "node", "parameter", "publisher", "qos", "service", "client", "signals", "subscription", "task", "time", "timer",
)  # fmt: skip


class RosError(ImportError):
    """Neither ROS 2 nor what replaces it can be used."""


def ensure_rclpy() -> str:
    """Make rclpy importable; returns "ros" or "dds", whichever serves. Raises RosError. May be called again."""
    ours = sys.modules.get("mm_edge.ros.rclpy")
    if ours is not None and sys.modules.get("rclpy") is ours:
        return "dds"
    if importlib.util.find_spec("rclpy") is not None:
        return "ros"
    try:
        from mm_edge.ros.interfaces import install_modules

        install_modules()
        package = importlib.import_module("mm_edge.ros.rclpy")
        modules = {name: importlib.import_module(f"mm_edge.ros.rclpy.{name}") for name in MODULES}
    except (ImportError, OSError) as error:
        raise RosError(f"there is no ROS 2 here, and Cyclone DDS cannot be loaded: {error}") from error
    sys.modules["rclpy"] = package
    sys.modules.update({f"rclpy.{name}": module for name, module in modules.items()})
    return "dds"
