"""A worker that hangs is replaced, its successor remembers what it did, and nothing that it does later counts."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session
from mm_edge.assistant.shift import WITHIN_S, Restarts
from mm_edge.assistant.worker import GAVE_UP, HUNG, Worker
from mm_edge.compute.latency import LatencyReport
from mm_edge.feedback.utterance import Kind
from mm_edge.feedback.wording import NOT_SURE_YET
from mm_edge.model.events import Event
from mm_edge.trust.constants import TrustConstants

FREE = "The road ahead is free."


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What every hung call waits for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def hang(release: threading.Event) -> Callable[[Any, str], threading.Event]:
    """`hang(engine, name)`: its method never returns; gives an event that is set when it is called."""

    def made(engine: Any, name: str) -> threading.Event:
        entered, method = threading.Event(), getattr(engine, name)

        def hung(*args: Any) -> Any:
            entered.set()
            release.wait(30)
            return method(*args)

        setattr(engine, name, hung)
        return entered

    return made


@pytest.fixture
def house(parrot, constants: TrustConstants, said, clock) -> Iterator[SimpleNamespace]:
    """A worker, its first engine, and those of its successors; `change` is made to each of these."""
    config, now = AssistantConfig(watchdog_s=0.3, max_restarts=2), SystemClock()
    inbox, numbers = Inbox(config, now), itertools.count(1)
    made = SimpleNamespace(engines=[parrot], change=lambda engine: None, said=said, inbox=inbox)

    def session(engine: Any) -> Session:
        engine.answers["what is ahead"] = f"<ahead> {FREE}"
        engine.about = ("<last_caller>", "call")  # so that the log is looked at
        return Session(config, engine, constants, inbox, now, numbers)

    def renew(before: Session) -> Session:
        engine = type(parrot)(clock)
        made.change(engine)
        made.engines.append(engine)
        after = session(engine)
        after.take_over(before)
        return after

    made.worker = Worker(session(parrot), said, renew)
    made.worker.start()
    yield made
    made.worker.stop()


def request(name: str, deadline_ms: float = 20_000.0) -> Request:
    return Request(SystemClock().now_ns(), name, "what is ahead", deadline_ms)


def faults(house: SimpleNamespace) -> dict[str, str]:
    return {fault.name: fault.detail for fault in house.inbox.faults.all()}


@pytest.mark.parametrize("stage", ["encode", "look", "understand", "find", "decode", "read"])
def test_the_request_it_hung_at_is_answered_by_its_successor(house, hang, parrot, stage: str) -> None:
    house.inbox.put_event(Event(0.0, "call", "Anna", (12,)))
    hang(parrot, stage)
    house.worker.submit(request("q"))
    (final,) = house.said.until(1)
    assert (final.request_id, final.kind, final.text) == ("q", Kind.ANSWER, FREE)
    assert house.worker.restarts == 1
    assert "no answer for" in faults(house)["worker_restarted"]
    assert "request q" in faults(house)["worker_restarted"]
    assert house.engines[1].logs[-1][:3] == ("call", "@0", "=12")


def test_what_it_returns_later_is_nowhere(house, hang, parrot, release: threading.Event) -> None:
    entered = hang(parrot, "find")
    house.worker.submit(request("q"))
    assert entered.wait(10)
    shift = house.worker._shift
    house.said.until(1)
    latency = house.worker._session._thinker._latency
    published, stages, words = len(house.said.outputs), latency.stages, house.worker._session.logbook.memory.written
    release.set()
    assert shift.join(10)
    assert (len(house.said.outputs), latency.stages) == (published, stages)
    assert house.worker._session.logbook.memory.written == words
    assert "turn_failed" not in faults(house)


@pytest.mark.parametrize("stage", ["path", "ask"])
def test_it_may_hang_between_two_turns(house, hang, parrot, make: Callable[..., Any], stage: str) -> None:
    for _ in range(50):
        house.inbox.put_event(Event(0.0, "call", "Anna", (12,)))
    entered = hang(parrot, stage)
    now_ns = SystemClock().now_ns()
    house.inbox.put_state(now_ns, make("vehicle_state", 1.0))
    house.inbox.put_image(now_ns, lambda: np.full((4, 4, 3), 90, np.uint8))
    assert entered.wait(10)
    house.worker.submit(request("q"))
    (final,) = house.said.until(1)
    assert (final.text, house.worker.restarts) == (FREE, 1)
    assert house.worker._session.history.report(0).observations >= 1


def test_one_that_always_hangs_gives_up_and_says_so(house, hang, parrot) -> None:
    house.change = lambda engine: hang(engine, "decode")
    hang(parrot, "decode")
    for name in ("a", "b", "c", "d"):
        house.worker.submit(request(name, deadline_ms=3000.0))
    house.said.until(4)
    assert house.worker.failure.startswith("gave up after 2 restarts: no answer for")
    assert faults(house)["worker_failed"] == house.worker.failure
    house.worker.submit(request("late"))
    finals = house.said.until(5)
    assert sorted(u.request_id for u in finals) == ["a", "b", "c", "d", "late"]
    assert {u.text for u in finals} == {NOT_SURE_YET, GAVE_UP}
    assert HUNG in {o.reason for o in house.said.outputs if isinstance(o, LatencyReport)}


def test_without_a_successor_it_gives_up_too(house, hang, parrot) -> None:
    def broken(engine: Any) -> None:
        raise OSError("no such weights")

    house.change = broken
    hang(parrot, "decode")
    house.worker.submit(request("q", deadline_ms=3000.0))
    (final,) = house.said.until(1)
    assert final.text == NOT_SURE_YET
    assert "no such weights" in faults(house)["no_successor"]
    assert "the worker ended" in house.worker.failure


def test_a_long_turn_of_quick_stages_does_not_hang(house, parrot) -> None:
    decode = parrot.decode
    parrot.sure, pause = 0.5, threading.Event()
    parrot.decode = lambda *args: (pause.wait(0.05), decode(*args))[1]
    house.worker.submit(request("q"))
    house.said.until(1)
    report = next(o for o in house.said.outputs if isinstance(o, LatencyReport))
    assert report.total_ms > 400
    assert house.worker.restarts == 0


def test_restarts_of_long_ago_are_forgotten() -> None:
    restarts = Restarts()
    assert [restarts.allow(now_s, 2) for now_s in (0.0, 10.0, 20.0, WITHIN_S + 5.0)] == [True, True, False, True]
    assert restarts.count == 3
    assert not Restarts().allow(0.0, 0)
