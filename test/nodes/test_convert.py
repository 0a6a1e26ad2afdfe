"""From what the core says to messages."""

from __future__ import annotations

from math import pi, sin

import pytest

from mm_edge.assistant.advice import PathAdvice


def test_a_path_goes_over_the_wire() -> None:
    from mm_edge.nodes.convert import to_message
    from mm_edge.ros.interfaces import deserialize, serialize

    sent = to_message(PathAdvice(1_500_000_000, ((5.0, 0.0), (5.0, 5.0)), "base_link"))
    path = deserialize(serialize(sent), "nav_msgs/msg/Path")
    assert (path.header.stamp.sec, path.header.stamp.nanosec, path.header.frame_id) == (1, 500_000_000, "base_link")
    assert [(pose.pose.position.x, pose.pose.position.y) for pose in path.poses] == [(5.0, 0.0), (5.0, 5.0)]
    assert [pose.header.stamp.nanosec for pose in path.poses] == [0, 500_000_000]
    assert path.poses[1].pose.orientation.z == pytest.approx(sin(pi / 4))
