"""Feeds a node's clock from /clock while `use_sim_time` is true."""

from __future__ import annotations

from typing import Any

from mm_edge.ros.interfaces import message_class
from mm_edge.ros.rclpy.clock import ClockType
from mm_edge.ros.rclpy.parameter import Parameter
from mm_edge.ros.rclpy.qos import QoSProfile, ReliabilityPolicy
from mm_edge.ros.rclpy.time import Time

CLOCK_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class TimeSource:
    def __init__(self, node: Any) -> None:
        self._node = node
        self._subscription: Any = None
        if not node.has_parameter("use_sim_time"):
            node.declare_parameter("use_sim_time", False)
        self._use(node.get_parameter("use_sim_time").value)
        node.add_post_set_parameters_callback(self._changed)

    def _changed(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == "use_sim_time":
                self._use(parameter.value)

    def _use(self, wanted: bool) -> None:
        clock = self._node.get_clock()
        if wanted and self._subscription is None:
            clock.set_ros_time_override(Time(clock_type=ClockType.ROS_TIME))
            kind = message_class("rosgraph_msgs/msg/Clock")
            self._subscription = self._node.create_subscription(kind, "/clock", self._tick, CLOCK_QOS)
        elif not wanted and self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None
            clock.clear_ros_time_override()

    def _tick(self, message: Any) -> None:
        self._node.get_clock().set_ros_time_override(Time.from_msg(message.clock))
