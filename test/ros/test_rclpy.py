"""The parts of rclpy that nodes use: topics, services, parameters, timers, time, life cycle."""

from __future__ import annotations

import time

import pytest


def test_a_message_arrives(node, until) -> None:
    from std_msgs.msg import String

    heard: list[str] = []
    node.create_subscription(String, "chatter", lambda message: heard.append(message.data), 10)
    publisher = node.create_publisher(String, "chatter", 10)
    until(lambda: publisher.get_subscription_count() == 1, node)
    publisher.publish(String(data="hello"))
    until(lambda: heard, node)
    assert heard == ["hello"]


def test_publishing_another_type_is_refused(node) -> None:
    from std_msgs.msg import Int32, String

    publisher = node.create_publisher(String, "chatter", 10)
    with pytest.raises(TypeError):
        publisher.publish(Int32(data=1))


def test_a_late_subscriber_gets_a_latched_message(node, until) -> None:
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import String

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_publisher(String, "map", latched).publish(String(data="kept"))
    heard: list[str] = []
    node.create_subscription(String, "map", lambda message: heard.append(message.data), latched)
    until(lambda: heard, node)
    assert heard == ["kept"]


def test_a_large_image_is_not_lost(node, until) -> None:
    from sensor_msgs.msg import Image

    sizes: list[int] = []
    node.create_subscription(Image, "image", lambda message: sizes.append(len(message.data)), 10)
    publisher = node.create_publisher(Image, "image", 10)
    until(lambda: publisher.get_subscription_count() == 1, node)
    publisher.publish(Image(height=1080, width=1920, encoding="rgb8", step=5760, data=bytes(1080 * 5760)))
    until(lambda: sizes, node)
    assert sizes == [1080 * 5760]


def test_service_call(node, until) -> None:
    from std_srvs.srv import Trigger

    def serve(request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = True, "done"
        return response

    node.create_service(Trigger, "do_it", serve)
    client = node.create_client(Trigger, "do_it")
    until(client.service_is_ready, node)
    future = client.call_async(Trigger.Request())
    until(future.done, node)
    assert future.result().message == "done"


def test_a_parameter_keeps_its_type_and_range(node) -> None:
    from rcl_interfaces.msg import IntegerRange, ParameterDescriptor
    from rclpy.parameter import Parameter

    described = ParameterDescriptor(integer_range=[IntegerRange(from_value=1, to_value=9, step=1)])
    node.declare_parameter("count", 5, described)
    good, above, text = node.set_parameters([Parameter("count", value=v) for v in (7, 10, "many")])
    assert (good.successful, above.successful, text.successful) == (True, False, False)
    assert node.get_parameter("count").value == 7


def test_a_callback_may_refuse_a_parameter(node) -> None:
    from rcl_interfaces.msg import SetParametersResult
    from rclpy.parameter import Parameter

    node.declare_parameter("speed", 1.0)
    node.add_on_set_parameters_callback(lambda _: SetParametersResult(successful=False, reason="not today"))
    result = node.set_parameters([Parameter("speed", value=2.0)])[0]
    assert result.reason == "not today"
    assert node.get_parameter("speed").value == 1.0


def test_parameter_services(node, until) -> None:
    from rcl_interfaces.srv import GetParameters, ListParameters

    node.declare_parameter("colour", "red")
    client = node.create_client(GetParameters, "tester/get_parameters")
    listing = node.create_client(ListParameters, "tester/list_parameters")
    until(lambda: client.service_is_ready() and listing.service_is_ready(), node)
    value, names = (
        client.call_async(GetParameters.Request(names=["colour"])),
        listing.call_async(ListParameters.Request()),
    )
    until(lambda: value.done() and names.done(), node)
    assert value.result().values[0].string_value == "red"
    assert "colour" in names.result().result.names


def test_timers_call_back(node, until) -> None:
    ticks: list[int] = []
    node.create_timer(0.01, lambda: ticks.append(1))
    until(lambda: len(ticks) >= 3, node)
    assert len(ticks) >= 3


def test_simulated_time_follows_the_clock_topic(until) -> None:
    import rclpy
    from builtin_interfaces.msg import Time
    from rclpy.parameter import Parameter
    from rosgraph_msgs.msg import Clock

    made = rclpy.create_node("sim", parameter_overrides=[Parameter("use_sim_time", value=True)])
    publisher = made.create_publisher(Clock, "/clock", 10)
    until(lambda: publisher.get_subscription_count() > 0, made)
    publisher.publish(Clock(clock=Time(sec=1234, nanosec=5)))
    until(lambda: made.get_clock().now().nanoseconds > 0, made)
    assert made.get_clock().now().nanoseconds == 1_234_000_000_005


def test_names_are_remapped_and_put_into_the_namespace() -> None:
    import rclpy
    from std_msgs.msg import String

    made = rclpy.create_node("camera", cli_args=["--ros-args", "-r", "__ns:=/car", "-r", "image:=picture"])
    assert made.get_fully_qualified_name() == "/car/camera"
    assert made.create_publisher(String, "image", 10).topic_name == "/car/picture"


def test_lifecycle_states(until) -> None:
    from lifecycle_msgs.srv import ChangeState, GetState
    from rclpy.lifecycle import LifecycleNode

    made = LifecycleNode("managed")
    change, get = (
        made.create_client(kind, f"managed/{name}")
        for kind, name in ((ChangeState, "change_state"), (GetState, "get_state"))
    )
    until(lambda: change.service_is_ready() and get.service_is_ready(), made)
    request = ChangeState.Request()
    request.transition.id = 1
    changed = change.call_async(request)
    until(changed.done, made)
    state = get.call_async(GetState.Request())
    until(state.done, made)
    assert changed.result().success
    assert state.result().current_state.label == "inactive"


def test_a_lifecycle_publisher_is_silent_until_active(until) -> None:
    from rclpy.lifecycle import LifecycleNode
    from std_msgs.msg import String

    made, heard = LifecycleNode("quiet"), []
    made.create_subscription(String, "said", lambda message: heard.append(message.data), 10)
    publisher = made.create_lifecycle_publisher(String, "said", 10)
    until(lambda: publisher.get_subscription_count() == 1, made)
    publisher.publish(String(data="too early"))
    made.trigger_configure()
    made.trigger_activate()
    publisher.publish(String(data="now"))
    until(lambda: heard, made)
    assert heard == ["now"]


def test_what_is_left_out_says_so() -> None:
    from rclpy.executors import SingleThreadedExecutor

    from mm_edge.ros import ensure_rclpy

    if ensure_rclpy() == "ros":
        pytest.skip("a real ROS 2 is installed: nothing is left out")
    with pytest.raises(NotImplementedError, match="timer or a thread"):
        SingleThreadedExecutor().create_task(print)


def test_spinning_once_waits(node) -> None:
    import rclpy

    rclpy.spin_once(node, timeout_sec=0.0)
    began_s, count = time.monotonic(), 0
    while time.monotonic() < began_s + 0.5:
        rclpy.spin_once(node, timeout_sec=0.1)
        count += 1
    assert count < 20


def test_ros_can_be_joined_again() -> None:
    import rclpy

    for name in ("first", "second"):
        rclpy.try_shutdown()
        rclpy.init(args=[])
        node = rclpy.create_node(name)
        rclpy.spin_once(node, timeout_sec=0.0)
        node.destroy_node()
