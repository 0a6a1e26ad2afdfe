"""Where the vehicle will go, as the values of a nav_msgs/Path."""

from __future__ import annotations

from math import cos, pi, sin

import pytest

from mm_edge.assistant.advice import PathAdvice, headings
from mm_edge.assistant.outputs import OUTPUTS
from mm_edge.bags.build import message_of

S = 1_000_000_000


def test_headings_lead_along_the_path() -> None:
    assert headings([(5.0, 0.0), (8.0, 3.0), (8.0, 6.0)]) == pytest.approx([0.0, pi / 4, pi / 2])


def test_who_stands_keeps_the_heading() -> None:
    assert headings([(1.0, 1.0), (1.0, 1.0), (0.99, 1.0)]) == pytest.approx([pi / 4] * 3)
    assert headings([(0.0, 0.0)] * 8) == [0.0] * 8


def test_a_path_is_a_pose_every_half_second() -> None:
    message = message_of(PathAdvice(10 * S, ((5.0, 0.0), (5.0, 5.0)), "base_link"), OUTPUTS[PathAdvice][1])
    assert (message.header.stamp.sec, message.header.frame_id) == (10, "base_link")
    first, second = message.poses
    assert (first.header.stamp.sec, first.header.stamp.nanosec) == (10, S // 2)
    assert (second.header.stamp.sec, second.header.frame_id) == (11, "base_link")
    assert (second.pose.position.x, second.pose.position.y) == (5.0, 5.0)
    assert (first.pose.orientation.z, first.pose.orientation.w) == (0.0, 1.0)
    assert (second.pose.orientation.z, second.pose.orientation.w) == pytest.approx((sin(pi / 4), cos(pi / 4)))
