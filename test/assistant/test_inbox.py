"""The newest of every input, and the requests that wait."""

from __future__ import annotations

import itertools
import math
from math import isnan, nan

import numpy as np
import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox, Look, Pending, merge
from mm_edge.assistant.request import Request, Stakes
from mm_edge.assistant.sensors import SensorError
from mm_edge.compute.device import ComputeState, device_name
from mm_edge.model.observation import AUDIO_RATE_HZ, VehicleState

S = 1_000_000_000


@pytest.fixture
def inbox(config: AssistantConfig, clock: ManualClock) -> Inbox:
    return Inbox(config, clock)


def picture(shade: int):
    return lambda: np.full((2, 2, 3), shade, np.uint8)


def request(name: str, at_s: float, deadline_ms: float = 500.0, stakes: Stakes = Stakes.NORMAL) -> Request:
    return Request(round(at_s * S), name, "what is ahead", deadline_ms, stakes)


def faults(inbox: Inbox) -> set[str]:
    return {fault.name for fault in inbox.faults.all()}


def jobs(inbox: Inbox) -> list[str]:
    """What is to be done now, in order: the ids of requests, "look" for a look."""
    done = []
    while (job := inbox.next_job(timeout_s=0.0)) is not None:
        done.append(job.request.id if isinstance(job, Pending) else "look")
    return done


def test_the_newest_picture_is_looked_at_and_the_others_are_counted(inbox: Inbox) -> None:
    for number in range(3):
        inbox.put_image((100 + number) * S, picture(number), "camera")
    job = inbox.next_job(timeout_s=0.0)
    observation, frame_id = inbox.observation()
    assert isinstance(job, Look)
    assert job.skipped == 2
    assert observation.image is not None
    assert observation.image[0, 0, 0] == 2
    assert (observation.stamp_ns, frame_id) == (102 * S, "camera")


def test_requests_go_by_the_earliest_deadline(inbox: Inbox) -> None:
    for name, deadline_ms in (("later", 900.0), ("soon", 100.0), ("between", 500.0)):
        inbox.put_request(request(name, 100.0, deadline_ms))
    assert jobs(inbox) == ["soon", "between", "later"]


def test_looks_and_requests_take_turns(inbox: Inbox, clock: ManualClock) -> None:
    for name in "abc":
        inbox.put_request(request(name, 100.0))
    order = []
    for frame in range(3):
        inbox.put_image((100 + frame) * S, picture(0))
        clock.set(clock.now_ns() + S // 20)
        order += [inbox.next_job(0.0), inbox.next_job(0.0)]
    assert sorted(isinstance(job, Look) for job in order) == [False] * 3 + [True] * 3
    assert all(isinstance(one, Look) != isinstance(two, Look) for one, two in itertools.pairwise(order))


def test_pictures_are_looked_at_no_more_often_than_asked_for(clock: ManualClock) -> None:
    inbox = Inbox(AssistantConfig(watch_rate_hz=2.0), clock)
    looks = []
    for step in range(20):
        clock.set(round((100 + 0.1 * step) * S))
        inbox.put_image(clock.now_ns(), picture(0))
        looks += [step for _ in jobs(inbox)]
    assert looks == [0, 5, 10, 15]


def test_what_is_old_is_not_shown(inbox: Inbox, clock: ManualClock) -> None:
    inbox.put_image(100 * S, picture(0))
    inbox.put_state(100 * S, VehicleState(speed_mps=3.0))
    clock.set(103 * S)
    observation, _ = inbox.observation()
    assert observation.image is None
    assert isnan(observation.state.speed_mps)
    assert inbox.ages_ms()["image"] == pytest.approx(3000)


def test_a_picture_that_cannot_be_decoded_is_named_and_left_out(inbox: Inbox) -> None:
    def broken() -> np.ndarray:
        raise SensorError("corrupt_image", "half a JPEG")

    inbox.put_image(100 * S, broken)
    assert inbox.observation()[0].image is None
    assert "corrupt_image" in faults(inbox)


def test_an_unset_stamp_is_named_and_replaced(inbox: Inbox) -> None:
    inbox.put_image(0, picture(0))
    assert inbox.observation()[0].stamp_ns == 100 * S
    assert "zero_stamp" in faults(inbox)


def test_a_message_out_of_order_is_left_out(inbox: Inbox) -> None:
    inbox.put_image(100 * S, picture(1))
    inbox.put_image(100 * S - 1000, picture(2))
    assert inbox.observation()[0].image[0, 0, 0] == 1  # type: ignore[index]
    assert "out_of_order" in faults(inbox)


def test_a_clock_that_jumps_back_begins_a_new_drive(inbox: Inbox) -> None:
    inbox.put_state(100 * S, VehicleState(speed_mps=30.0))
    inbox.put_image(100 * S, picture(1))
    inbox.put_image(7 * S, picture(2))
    observation, _ = inbox.observation()
    assert inbox.epoch == 1
    assert isnan(observation.state.speed_mps)
    assert "clock_jumped_back" in faults(inbox)


def test_sound_is_joined_to_one_second(inbox: Inbox) -> None:
    for piece in range(12):
        inbox.put_audio((100 + piece) * S, np.full(AUDIO_RATE_HZ // 10, piece / 100, np.float32))
    heard = inbox.observation()[0].audio
    assert heard is not None
    assert heard.size == AUDIO_RATE_HZ
    assert (heard[0], heard[-1]) == (np.float32(0.02), np.float32(0.11))


def test_more_requests_than_may_wait_are_refused(clock: ManualClock) -> None:
    inbox = Inbox(AssistantConfig(max_waiting=2), clock)
    taken = [inbox.put_request(request(str(number), 100.0)) is not None for number in range(4)]
    assert taken == [True, True, False, False]
    assert "too_many_requests" in faults(inbox)


def test_a_request_stamped_by_a_foreign_clock_counts_from_receipt(inbox: Inbox) -> None:
    pending = inbox.put_request(request("old", at_s=-10_000.0))
    assert pending is not None
    assert pending.due_s == pytest.approx(100.5)


def test_only_the_first_claim_counts(inbox: Inbox) -> None:
    pending = inbox.put_request(request("q", 100.0))
    assert pending is not None
    assert [pending.claim(), pending.claim()] == [True, False]


def test_the_more_trusted_source_wins_and_the_others_fill_in() -> None:
    can, odometry = VehicleState(speed_mps=nan, gear=4), VehicleState(speed_mps=5.0, gear=0)
    assert (merge([can, odometry]).speed_mps, merge([can, odometry]).gear) == (5.0, 4)
    assert merge([]).gear == 0


def test_a_request_that_is_late_anyway_does_not_hold_up_the_others(inbox: Inbox, clock: ManualClock) -> None:
    for number in range(3):
        inbox.put_request(request(f"late{number}", 100.0, deadline_ms=100.0))
    clock.set(101 * S)
    inbox.put_request(request("new", 101.0))
    inbox.put_image(101 * S, picture(0))
    assert jobs(inbox) == ["look", "new", "late0", "late1", "late2"]


def test_when_not_all_can_be_in_time_stakes_decide_who_is(inbox: Inbox, clock: ManualClock) -> None:
    inbox.expect(0.1)
    waiting = [
        inbox.put_request(request(name, 100.0, deadline_ms, Stakes(stakes)))
        for name, deadline_ms, stakes in (("low", 130.0, 0), ("high", 140.0, 2), ("next", 250.0, 1))
    ]
    order = []
    while (job := inbox.next_job(timeout_s=0.0)) is not None:
        order.append(job.request.id)
        clock.set(clock.now_ns() + S // 10)
    assert order == ["high", "next", "low"]
    assert [pending.crowded for pending in waiting if pending] == [True, False, False]


def test_requests_do_not_make_a_look_late(inbox: Inbox, clock: ManualClock) -> None:
    inbox.expect(0.1)
    for number in range(20):
        inbox.put_request(request(str(number), 100.0, 250.0 + number))
    inbox.put_image(100 * S, picture(0))
    begins_s = {}
    while (job := inbox.next_job(timeout_s=0.0)) is not None:
        begins_s["look" if isinstance(job, Look) else job.request.id] = clock.monotonic_s()
        clock.set(clock.now_ns() + S // 10)
    assert begins_s["look"] + 0.1 <= 100.2
    assert len(begins_s) == 21


def test_a_turn_has_the_time_that_others_leave_it(inbox: Inbox, clock: ManualClock) -> None:
    inbox.expect(0.1)
    inbox.put_request(request("q", 100.0, 5000.0))
    inbox.next_job(timeout_s=0.0)
    latest_s = [inbox.latest_end_s()]
    inbox.put_request(request("soon", 100.0, 320.0))
    latest_s.append(inbox.latest_end_s())
    inbox.put_image(100 * S, picture(0))
    latest_s.append(inbox.latest_end_s())
    assert latest_s == pytest.approx([math.inf, 100.2, 100.08])


def test_a_machine_too_slow_for_looks_still_looks(clock: ManualClock) -> None:
    inbox = Inbox(AssistantConfig(watch_rate_hz=30.0), clock)
    inbox.expect(0.5)
    order = []
    for number in range(6):
        inbox.put_request(request(str(number), 100.0, 60_000.0))
        inbox.put_image(clock.now_ns(), picture(0))
        order.append(type(inbox.next_job(timeout_s=0.0)))
        clock.set(clock.now_ns() + S // 2)
    assert order == [Look, Pending] * 3


def test_a_state_of_the_computer_is_believed_while_it_is_fresh(inbox: Inbox, clock: ManualClock) -> None:
    assert inbox.machine() is None
    inbox.put_machine(ComputeState(1, device_name(), cpu_load=0.5))
    clock.set(104 * S)
    assert inbox.machine() == ComputeState(1, device_name(), cpu_load=0.5)
    clock.set(106 * S)
    assert inbox.machine() is None


def test_the_state_of_another_computer_is_named_and_left_out(inbox: Inbox) -> None:
    inbox.put_machine(ComputeState(1, "a Jetson in the next room", throttled=True))
    assert inbox.machine() is None
    assert "foreign_compute_state" in faults(inbox)
