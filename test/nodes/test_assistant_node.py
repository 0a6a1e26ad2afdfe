"""The assistant as its neighbours see it: requests in, exactly one final word each, diagnostics that name the cause."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

from mm_edge.world.export import Drive, messages

OK, WARN, ERROR = 0, 1, 2


@pytest.fixture
def assistant(start):
    from mm_edge.nodes.assistant import AssistantNode

    return start(AssistantNode)


def state(**values: float):
    from mm_edge.msg import VehicleState

    names = (
        "acceleration_mps2",
        "yaw_rate_rps",
        "steering_angle_rad",
        "throttle",
        "brake",
        "range_m",
        "speed_limit_mps",
    )
    known = dict.fromkeys(names, math.nan) | {"speed_mps": 10.0, "energy_percent": 50.0, "gear": 4} | values
    return stamped(VehicleState(**known))


def stamped(message):
    from mm_edge.nodes.convert import to_time

    message.header.stamp = to_time(time.time_ns())
    return message


def test_an_answer_by_its_deadline(assistant, probe, until) -> None:
    probe.publish("vehicle_state", state(speed_mps=10.0))
    until(lambda: assistant._inbox.ages_ms()["state"] >= 0, assistant, probe.node)
    probe.ask("how fast are we", id="q1", deadline_ms=2000.0)
    until(lambda: probe.finals() and probe.latency, assistant, probe.node)
    (answer,) = probe.finals()
    assert answer.request_id == "q1"
    assert answer.topic == "speed"
    assert "36" in answer.text
    assert probe.latency[-1].deadline_met


def test_a_burst_loses_none(assistant, probe, until) -> None:
    for number in range(100):
        probe.ask("what is ahead", id=f"q{number}", deadline_ms=3000.0)
    until(lambda: len(probe.finals()) >= 100, assistant, probe.node, timeout_s=20.0)
    assert sorted(u.request_id for u in probe.finals()) == sorted(f"q{number}" for number in range(100))


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"text": ""}, "empty"),
        ({"text": "a" * 100_000}, "characters"),
        ({"text": "what is ahead", "deadline_ms": -5.0}, "deadline"),
        ({"text": "what is ahead", "deadline_ms": math.nan}, "deadline"),
        ({"text": "what is ahead", "stakes": 9}, "stakes"),
    ],
)
def test_an_impossible_request_is_refused_and_named(assistant, probe, until, fields, cause) -> None:
    probe.ask(id="bad", **fields)
    until(lambda: probe.finals() and probe.level("assistant: inputs") == WARN, assistant, probe.node)
    from mm_edge.msg import Utterance

    (refusal,) = probe.finals()
    assert refusal.kind == Utterance.REFUSED
    assert cause in refusal.text
    assert "bad_request" in probe.message("assistant: inputs")


def test_a_request_whose_deadline_has_passed_is_answered_at_once(assistant, probe, until) -> None:
    from mm_edge.msg import AssistRequest

    from mm_edge.nodes.convert import to_time

    request = AssistRequest(id="late", text="what is ahead", deadline_ms=100.0)
    request.header.stamp = to_time(assistant.clock.now_ns() - 5_000_000_000)
    probe.publish("request", request)
    until(lambda: probe.finals() and "late_request" in probe.message("assistant: inputs"), assistant, probe.node)
    assert [u.request_id for u in probe.finals()] == ["late"]


def image(**fields: object):
    from sensor_msgs.msg import Image

    values = {"height": 4, "width": 4, "encoding": "rgb8", "step": 12, "data": bytes(48)} | fields
    return Image(**values)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"encoding": "jpeg9000"}, "unknown_encoding"),
        ({"height": 4000}, "corrupt_image"),
        ({"encoding": "rgb8"}, "zero_stamp"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(assistant, probe, until, fields, fault) -> None:
    def seen() -> bool:
        probe.publish("image", image(**fields) if fault == "zero_stamp" else stamped(image(**fields)))
        return fault in probe.message("assistant: inputs")

    until(seen, assistant, probe.node)
    assert probe.level("assistant: inputs") == WARN


def test_a_corrupt_jpeg_is_named_and_the_next_frame_is_used(assistant, probe, until) -> None:
    from sensor_msgs.msg import CompressedImage

    def seen() -> bool:
        probe.publish("image/compressed", stamped(CompressedImage(format="jpeg", data=b"\xff\xd8 not a picture")))
        return "corrupt_image" in probe.message("assistant: inputs")

    until(seen, assistant, probe.node)
    good = next(entry for entry in messages(Drive(1_600_001, 2.0)) if entry.topic == "image/compressed")
    frame = CompressedImage(format="jpeg", data=np.asarray(good.message().data))
    frame.header.frame_id = "camera"
    turns = len(probe.latency)

    def evaluated() -> bool:
        probe.publish("image/compressed", stamped(frame))
        return any(report.header.frame_id == "camera" for report in probe.latency[turns:])

    until(evaluated, assistant, probe.node)
    assert probe.latency[-1].header.frame_id == "camera"


@pytest.mark.parametrize(
    ("value", "fault"), [(math.nan, "nan_telemetry"), (4000.0, "absurd_telemetry"), (math.inf, "absurd_telemetry")]
)
def test_telemetry_that_cannot_be_is_unknown_and_named(assistant, probe, until, value, fault) -> None:
    probe.publish("vehicle_state", state(speed_mps=value))
    until(lambda: fault in probe.message("assistant: inputs"), assistant, probe.node)
    probe.ask("how fast are we", deadline_ms=2000.0)
    until(probe.finals, assistant, probe.node)
    assert not any(letter.isdigit() for letter in probe.finals()[0].text)


def test_stamps_that_jump_back_begin_the_memory_anew(assistant, probe, until) -> None:
    from mm_edge.nodes.convert import to_time

    for sec in (2_000, 1_000):
        message = state()
        message.header.stamp = to_time(sec * 1_000_000_000)
        probe.publish("vehicle_state", message)
    until(lambda: "clock_jumped_back" in probe.message("assistant: inputs"), assistant, probe.node)
    assert assistant._inbox.epoch == 1


def test_a_topic_that_stops_is_named(start, probe, until) -> None:
    from mm_edge.nodes.assistant import AssistantNode

    node = start(AssistantNode, "-p", "state_timeout_s:=0.2")
    message = state()
    message.header.stamp = node.get_clock().now().to_msg()
    probe.publish("vehicle_state", message)
    until(lambda: "nothing new from: state" in probe.message("assistant: inputs"), node, probe.node)
    assert probe.level("assistant: inputs") == WARN


def test_a_wrong_parameter_leaves_the_default_and_is_named(start, probe, until) -> None:
    from mm_edge.nodes.assistant import AssistantNode

    node = start(AssistantNode, "-p", "max_passes:=999", "-p", "watch_rate_hz:=often")
    until(lambda: probe.level("assistant: configuration") == WARN, node, probe.node)
    assert node.get_parameter("max_passes").value == 24
    assert node.get_parameter("watch_rate_hz").value == 5.0


def test_a_parameter_that_does_not_fit_is_refused_later(assistant) -> None:
    from rclpy.parameter import Parameter

    for name, value in (("hedge_probability", 1.5), ("max_passes", 0), ("rung", "huge")):
        assert not assistant.set_parameters([Parameter(name, value=value)])[0].successful
    assert assistant.set_parameters([Parameter("max_passes", value=2)])[0].successful
    assert assistant._worker._session.config.max_passes == 2
    assert not assistant.set_parameters([Parameter("feedback.end_from", value=0.1)])[0].successful
    assert assistant.set_parameters([Parameter("feedback.quiet_s", value=2.0)])[0].successful
    assert assistant._worker.narrator.policy.config.quiet_s == 2.0


def test_missing_weights_are_named_and_the_node_stays(start, probe, until, monkeypatch) -> None:
    import mm_edge.nodes.assistant as room
    from mm_edge.engine.base import EngineError

    def missing(*_: object) -> None:
        raise EngineError("small.safetensors: no such file")

    monkeypatch.setattr(room, "engine_of", missing)
    node = start(room.AssistantNode, connected=False)
    until(lambda: probe.level("assistant: configuration") == ERROR, node, probe.node)
    assert "small.safetensors" in probe.message("assistant: configuration")
    monkeypatch.undo()
    node.trigger_configure()
    node.trigger_activate()
    until(lambda: probe.level("assistant: configuration") == OK, node, probe.node)
    assert node._active


def test_it_can_be_taken_down_and_up_again(assistant, probe, until) -> None:
    assistant.trigger_deactivate()
    assistant.trigger_cleanup()
    assistant.trigger_configure()
    assistant.trigger_activate()
    until(probe.heard, assistant, probe.node)
    probe.ask("what gear are we in", deadline_ms=2000.0)
    until(probe.finals, assistant, probe.node)
    assert len(probe.finals()) == 1


def test_processing_time_status_has_autowares_keys(assistant, probe, until) -> None:
    name = "assistant: processing_time_status"
    until(lambda: name in probe.statuses, assistant, probe.node)
    before = {pair.key: pair.value for pair in probe.statuses[name].values}
    assert before["processing_time_ms"] == "n/a"
    probe.ask("what is ahead", deadline_ms=2000.0)
    until(lambda: probe.finals() and "n/a" not in {p.value for p in probe.statuses[name].values}, assistant, probe.node)
    values = {pair.key: pair.value for pair in probe.statuses[name].values}
    assert float(values["processing_time_ms"]) > 0
    assert {"encode_time_ms", "prefill_time_ms", "draft_time_ms", "consecutive_processing_delay_ms"} <= set(values)
    assert probe.statuses[name].hardware_id


def test_the_last_plan_and_why_are_in_the_diagnostics(assistant, probe, until) -> None:
    until(lambda: "assistant: worker" in probe.statuses, assistant, probe.node)
    probe.ask("what is ahead", deadline_ms=2000.0)
    until(lambda: "slots=" in probe.value("assistant: worker", "plan"), assistant, probe.node)
    assert " image=" in probe.value("assistant: worker", "plan")
    assert "; " in probe.value("assistant: worker", "plan_reason")


def test_events_are_logged_and_bad_ones_named(assistant, probe, until) -> None:
    from mm_edge.msg import DriveEvent

    for kind, name, numbers in (("call", "Anna", [12.0]), ("sneeze", "", [])):
        probe.publish("event", stamped(DriveEvent(kind=kind, name=name, numbers=numbers)))
    until(lambda: probe.level("assistant: inputs") == WARN, assistant, probe.node)
    assert "bad_event" in probe.message("assistant: inputs")
    until(lambda: assistant._worker._session.logbook.log.lines, assistant, probe.node)
    assert assistant._worker._session.logbook.log.lines[0][:3] == ["call", "@0", "=12"]


def test_the_path_is_published_for_what_is_seen(assistant, probe, until) -> None:
    from nav_msgs.msg import Path

    paths: list = []
    probe.node.create_subscription(Path, "advice/path", paths.append, 10)

    def seen() -> bool:
        probe.publish("vehicle_state", state(speed_mps=10.0))
        probe.publish("image", stamped(image()))
        return bool(paths)

    until(seen, assistant, probe.node)
    assert paths[0].header.frame_id == "base_link"
    assert len(paths[0].poses) == 8


def test_an_engine_that_hangs_is_replaced_and_the_drive_goes_on(start, probe, until) -> None:
    from mm_edge.msg import DriveEvent

    from mm_edge.nodes.assistant import AssistantNode

    node = start(AssistantNode, "-p", "watchdog_s:=0.5")
    release, hung = threading.Event(), node._engine
    probe.publish("event", stamped(DriveEvent(kind="call", name="Anna", numbers=[12.0])))
    until(lambda: node._worker._session.logbook.log.lines, node, probe.node)
    hung.find = lambda *_: release.wait(60)
    probe.ask("who called last", id="q", deadline_ms=60_000.0)
    until(lambda: "worker_restarted" in probe.message("assistant: worker"), node, probe.node)
    assert probe.level("assistant: worker") == WARN
    until(probe.finals, node, probe.node, timeout_s=60.0)
    release.set()
    assert [(u.request_id, "Anna" in u.text) for u in probe.finals()] == [("q", True)]
    assert node._engine is not hung
    until(lambda: probe.level("assistant: worker") == OK, node, probe.node, timeout_s=20.0)


def test_a_backend_that_hangs_again_is_left_for_the_next_one(start, probe, until, monkeypatch) -> None:
    import mm_edge.assistant.opening as opening
    import mm_edge.nodes.assistant as room

    release, begun, real = threading.Event(), [], opening.load

    def load(rung: str, threads: int, backend: str, precision: str):
        begun.append(backend)
        engine = real(rung, threads, backend, precision)
        if len(begun) == 2:
            engine.find = lambda *_: release.wait(60)
        return engine

    monkeypatch.setattr(opening, "load", load)
    monkeypatch.setattr(room, "next_backend", lambda engine: f"behind {engine.name}")
    node = start(room.AssistantNode, "-p", "watchdog_s:=1.0", "-p", "engine:=torch")
    node._engine.find = lambda *_: release.wait(60)
    for name in ("a", "b"):
        probe.ask("what is ahead", id=name, deadline_ms=30_000.0)
    until(lambda: len(probe.finals()) == 2, node, probe.node, timeout_s=60.0)
    release.set()
    assert begun == ["torch", "torch", "behind torch/fp32"]
    assert sorted(u.request_id for u in probe.finals()) == ["a", "b"]
    assert node._worker.restarts == 2


def test_a_node_that_gives_up_says_so(start, probe, until) -> None:
    from mm_edge.nodes.assistant import AssistantNode

    node = start(AssistantNode, "-p", "watchdog_s:=0.3", "-p", "max_restarts:=0")
    release = threading.Event()
    node._engine.find = lambda *_: release.wait(60)
    probe.ask("what is ahead", id="q", deadline_ms=60_000.0)
    until(lambda: probe.level("assistant: worker") == ERROR, node, probe.node)
    assert "gave up" in probe.message("assistant: worker")
    probe.ask("what is ahead", id="next")
    until(lambda: len(probe.finals()) == 2, node, probe.node)
    assert "does not respond" in probe.finals()[1].text
    release.set()


def test_being_refused_a_priority_is_told_and_no_fault(start, probe, until, monkeypatch) -> None:
    from mm_edge.nodes.assistant import AssistantNode

    def refuse(*_: object) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr("os.sched_setscheduler", refuse)
    monkeypatch.setattr("os.setpriority", refuse)
    node = start(AssistantNode)
    until(lambda: "not permitted" in probe.value("assistant: worker", "scheduling"), node, probe.node)
    assert probe.value("assistant: worker", "scheduling") == "ordinary: not permitted (CAP_SYS_NICE or rtprio)"
    assert probe.level("assistant: worker") == OK


def test_a_throttled_machine_is_named_and_expected_to_be_slow(assistant, probe, until) -> None:
    from mm_edge.msg import ComputeState

    from mm_edge.compute.device import device_name

    publisher = probe.node.create_publisher(ComputeState, "compute_state", 10)
    until(lambda: publisher.get_subscription_count() > 0, assistant, probe.node)
    unknown = dict.fromkeys(("gpu_load", "memory_used", "temperature_c", "power_w", "gpu_clock_ratio"), math.nan)
    state = ComputeState(device=device_name(), cpu_load=0.6, clock_ratio=0.5, throttled=True, **unknown)

    def named() -> bool:
        publisher.publish(state)
        return "throttled" in probe.message("assistant: worker")

    until(named, assistant, probe.node)
    assert probe.level("assistant: worker") == WARN
    probe.ask("what is ahead", deadline_ms=2000.0)
    until(probe.finals, assistant, probe.node)
    assert assistant._planner.latency.slowdown > 1.0
    publisher.publish(ComputeState(device="another", throttled=True, **unknown))
    until(lambda: "foreign_compute_state" in probe.message("assistant: inputs"), assistant, probe.node)


def test_a_state_of_no_numbers_changes_nothing(assistant, probe, until) -> None:
    from mm_edge.msg import ComputeState

    from mm_edge.compute.device import device_name

    publisher = probe.node.create_publisher(ComputeState, "compute_state", 10)
    until(lambda: publisher.get_subscription_count() > 0, assistant, probe.node)
    figures = ("cpu_load", "gpu_load", "memory_used", "temperature_c", "power_w", "clock_ratio", "gpu_clock_ratio")
    publisher.publish(ComputeState(device=device_name(), **dict.fromkeys(figures, math.nan)))
    until(lambda: assistant._inbox.machine() is not None, assistant, probe.node)
    probe.ask("what is ahead", deadline_ms=2000.0)
    until(probe.finals, assistant, probe.node)
    assert assistant._planner.latency.slowdown == 1.0


def test_a_task_is_told_shown_and_diagnosed(assistant, probe, until) -> None:
    from mm_edge.msg import SpeechStatus, TaskStep, Utterance
    from std_msgs.msg import String

    glances: list[str] = []
    probe.node.create_subscription(String, "glance", lambda message: glances.append(message.data), 10)
    statuses = probe.node.create_publisher(SpeechStatus, "speech/status", 10)
    until(lambda: probe.node.count_publishers("glance") and statuses.get_subscription_count(), assistant, probe.node)
    probe.publish("task_step", stamped(TaskStep(task_id="t", task="pizza", index=1, count=2, name="find Luigi")))
    until(lambda: glances and probe.utterances, assistant, probe.node)
    (remark,) = probe.utterances
    assert (remark.text, remark.kind) == ("OK, find Luigi first.", Utterance.PROGRESS)
    assert glances == ["1/2 find Luigi"]
    shown = lambda: {pair.key: pair.value for pair in probe.statuses["assistant: feedback"].values}  # noqa: E731
    until(lambda: shown().get("verbosity of pizza") == "3", assistant, probe.node)
    probe.publish("speech/control", String(data="mute"))
    until(lambda: probe.message("assistant: feedback") == "muted by the user", assistant, probe.node)
    statuses.publish(SpeechStatus(utterance_id=remark.id, state=SpeechStatus.MUTED))
    until(lambda: glances[-1] == "muted, 1/2 find Luigi", assistant, probe.node)
