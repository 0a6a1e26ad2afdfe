"""The package's nodes under test, and a probe that talks to them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _initialised(ros: None) -> None:
    pass


class Probe:
    """A node that publishes inputs and keeps everything that the package's nodes say."""

    def __init__(self) -> None:
        import mm_edge.msg as msg
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import QoSProfile

        from mm_edge.assistant.intake import TOPICS
        from mm_edge.nodes.convert import message_class

        self.node = rclpy.create_node("probe")
        self.inputs = {
            topic: self.node.create_publisher(message_class(kind), topic, QoSProfile(depth=1000))
            for topic, kind in TOPICS.items()
        }
        self.utterances: list = []
        self.latency: list = []
        self.statuses: dict = {}
        self.node.create_subscription(msg.Utterance, "utterance", self.utterances.append, 1000)
        self.node.create_subscription(msg.LatencyReport, "latency", self.latency.append, 1000)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._diagnose, 100)

    def publish(self, topic: str, message: object) -> None:
        self.inputs[topic].publish(message)

    def ask(self, text: str, **fields: object) -> None:
        from mm_edge.msg import AssistRequest

        self.publish("request", AssistRequest(text=text, **fields))

    def finals(self) -> list:
        return [utterance for utterance in self.utterances if utterance.final]

    def heard(self) -> bool:
        return all(publisher.get_subscription_count() > 0 for publisher in self.inputs.values())

    def level(self, name: str) -> int:
        return ord(self.statuses[name].level) if name in self.statuses else -1

    def message(self, name: str) -> str:
        return self.statuses[name].message if name in self.statuses else ""

    def value(self, name: str, key: str) -> str:
        """Of a key in a status; "" until there is one."""
        values = self.statuses[name].values if name in self.statuses else []
        return next((entry.value for entry in values if entry.key == key), "")

    def _diagnose(self, array: object) -> None:
        for status in array.status:
            self.statuses[status.name] = status


@pytest.fixture
def probe(ros: None):
    made = Probe()
    yield made
    made.node.destroy_node()


FAST_DIAGNOSTICS = ["--ros-args", "-p", "diagnostics.period_s:=0.1"]


@pytest.fixture
def start(until, probe):
    """`start(cls, *arguments)`: the node, brought up and connected to the probe."""
    made: list = []

    def begin(cls: type, *arguments: str, connected: bool = True):
        node = cls(cli_args=[*FAST_DIAGNOSTICS, *arguments])
        made.append(node)
        if connected:
            until(lambda: node._active and probe.heard(), node, probe.node, timeout_s=30.0)
        return node

    yield begin
    for node in made:
        node.stop()
        node.destroy_node()
