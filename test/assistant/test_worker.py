"""The thread that owns the session, and the one that watches deadlines: one final word for every request."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mm_edge.assistant.clock import ManualClock, SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.offline import OfflineAssistant
from mm_edge.assistant.request import Request, Stakes
from mm_edge.assistant.session import Session
from mm_edge.assistant.worker import CROWDED, TOO_MANY, Worker
from mm_edge.compute.latency import LatencyReport
from mm_edge.feedback.utterance import Kind, Utterance
from mm_edge.feedback.wording import NOT_SURE_YET
from mm_edge.trust.constants import TrustConstants

S = 1_000_000_000


@pytest.fixture
def worker(parrot, constants: TrustConstants, said) -> Iterator[Worker]:
    config, clock = AssistantConfig(max_waiting=200), SystemClock()
    made = Worker(Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1)), said)
    made.start()
    yield made
    made.stop()


def request(name: str, deadline_ms: float = 5000.0) -> Request:
    return Request(SystemClock().now_ns(), name, "what is ahead", deadline_ms)


def test_a_burst_loses_none(worker: Worker, said) -> None:
    for number in range(100):
        worker.submit(request(str(number)))
    finals = said.until(100)
    assert sorted(int(u.request_id) for u in finals) == list(range(100))


def test_of_more_than_there_is_time_for_each_gets_one_word_and_the_high_ones_an_answer(worker, said, parrot) -> None:
    decode = parrot.decode
    parrot.decode = lambda *args: (time.sleep(0.02), decode(*args))[1]
    parrot.answers["what is ahead"] = "<ahead> The road ahead is free."
    worker.submit(request("first"))
    said.until(1)
    stakes = [Stakes.LOW, Stakes.HIGH, Stakes.NORMAL, Stakes.LOW] * 6
    for number, each in enumerate(stakes):
        worker.submit(replace(request(str(number), deadline_ms=400.0), stakes=each))
    finals = {u.request_id: u for u in said.until(25)}
    worker.stop()
    assert len(said.finals()) == len(finals) == 25
    answered = [int(name) for name, u in finals.items() if u.kind == Kind.ANSWER and name != "first"]
    assert sum(stakes[number] == Stakes.HIGH for number in answered) >= 5  # of 6: the machine may be busy
    assert len(answered) < 24
    reasons = {o.reason for o in said.outputs if isinstance(o, LatencyReport) and o.plan == "none"}
    assert CROWDED in reasons
    overload = next(fault for fault in worker._inbox.faults.all() if fault.name == "overload")
    assert overload.count <= 24 - len(answered)


def test_an_alert_takes_over_after_the_pass_in_progress(worker, said, parrot) -> None:
    decode, begun = parrot.decode, threading.Event()
    parrot.sure = 0.5  # so that many passes are made
    parrot.decode = lambda *args: (begun.set(), time.sleep(0.03), decode(*args))[2]
    parrot.answers[""] = "<alert:lead_braking> The vehicle ahead is braking hard."
    worker.submit(request("long"))
    assert begun.wait(10)
    worker._inbox.put_image(SystemClock().now_ns(), lambda: np.full((4, 6, 3), 90, np.uint8))
    came_s = time.perf_counter()
    until(said, lambda output: isinstance(output, Utterance) and output.kind == Kind.ALERT)
    waited_s = time.perf_counter() - came_s
    assert [u.request_id for u in said.finals()] == ["long"]
    report = next(o for o in said.outputs if isinstance(o, LatencyReport) and o.request_id == "long")
    assert report.reason.endswith("another pass would make others late")
    assert report.passes < worker._config.max_passes
    assert waited_s < 0.6


def until(said: Any, wanted: Callable[[Any], bool]) -> None:
    with said._changed:
        assert said._changed.wait_for(lambda: any(map(wanted, said.outputs)), 10.0)


def test_a_worker_that_hangs_still_gives_an_honest_word_by_the_deadline(worker: Worker, said, parrot) -> None:
    release = threading.Event()
    parrot.encode = lambda _: release.wait(20)
    worker.submit(request("q", deadline_ms=100.0))
    (final,) = said.until(1)
    assert (final.kind, final.text) == (Kind.UNSURE, NOT_SURE_YET)
    assert worker.busy_s > 0
    release.set()


def test_a_slower_answer_may_follow_and_is_not_final(worker: Worker, said, parrot) -> None:
    release, encode = threading.Event(), parrot.encode
    parrot.answers["what is ahead"] = "<ahead> The road ahead is free."
    parrot.encode = lambda observation: (release.wait(20), encode(observation))[1]
    worker.submit(request("q", deadline_ms=100.0))
    said.until(1)
    release.set()
    worker.submit(request("next"))
    said.until(2)
    follow_up = [o for o in said.outputs if isinstance(o, Utterance) and o.kind == Kind.FOLLOW_UP]
    assert [(u.request_id, u.text, u.final) for u in follow_up] == [("q", "The road ahead is free.", False)]


def test_a_turn_that_fails_is_named_and_the_worker_goes_on(worker: Worker, said, parrot) -> None:
    parrot.fails = True
    worker.submit(request("fails", deadline_ms=200.0))
    said.until(1)
    parrot.fails = False
    worker.submit(request("works"))
    assert [u.request_id for u in said.until(2)] == ["fails", "works"]
    fault = worker._inbox.faults.all()[0]
    assert (fault.name, "stalled" in fault.detail) == ("turn_failed", True)


def test_who_still_waits_at_the_end_gets_a_word(parrot, constants: TrustConstants, said) -> None:
    config, clock = AssistantConfig(), SystemClock()
    worker = Worker(Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1)), said)
    for number in range(3):
        worker.submit(request(str(number), deadline_ms=60_000.0))
    worker.start()
    worker.stop()
    assert len(said.finals()) == 3


def test_too_many_are_refused(parrot, constants: TrustConstants, said) -> None:
    config, clock = AssistantConfig(max_waiting=1), SystemClock()
    worker = Worker(Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1)), said)
    for number in range(3):
        worker.submit(request(str(number)))
    assert [u.text for u in said.finals()] == [TOO_MANY, TOO_MANY]


def test_offline_goes_by_the_recordings_clock(
    config: AssistantConfig, clock: ManualClock, parrot, constants: TrustConstants, make: Callable[..., Any]
) -> None:
    assistant = OfflineAssistant(config, parrot, constants)
    outputs = [
        *assistant.receive("image", make("image", 50.0), 50 * S),
        *assistant.receive("request", make("request", 50.1), 50 * S + S // 10),
        *assistant.receive("request", make("request", 50.2, text=""), 50 * S + S // 5),
    ]
    finals = [o for o in outputs if isinstance(o, Utterance) and o.final]
    assert [u.kind for u in finals] == [Kind.REFUSED, Kind.REFUSED]
    assert "empty" in finals[1].text
    assert {fault.name for fault in assistant.inbox.faults.all()} == {"bad_request"}


def test_a_message_of_another_shape_is_a_fault_and_no_more(config, parrot, constants) -> None:
    assistant = OfflineAssistant(config, parrot, constants)
    assert assistant.receive("image", object(), S) == []
    assert [fault.name for fault in assistant.inbox.faults.all()] == ["bad_message"]
