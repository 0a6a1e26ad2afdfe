"""Which threads are urgent to the operating system: those that keep deadlines, and no others."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from mm_edge.assistant.background import LOWEST, background
from mm_edge.assistant.clock import SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session
from mm_edge.assistant.worker import Worker
from mm_edge.compute.priority import NOT_PERMITTED, request_realtime
from mm_edge.feedback.utterance import Kind
from mm_edge.trust.constants import TrustConstants

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
FREE = "The road ahead is free."


@pytest.fixture
def permitted() -> None:
    with ThreadPoolExecutor(1) as thread:
        if thread.submit(request_realtime, 49).result() != "SCHED_RR 49":
            pytest.skip("needs the permission for real-time scheduling")


@pytest.fixture
def house(parrot, constants: TrustConstants, said, clock) -> Iterator[Callable[..., Worker]]:
    """`house(config)`: a worker that is watched, at work."""
    made: list[Worker] = []

    def begin(config: AssistantConfig) -> Worker:
        now, numbers = SystemClock(), itertools.count(1)
        inbox = Inbox(config, now)

        def session(engine: Any) -> Session:
            engine.answers["what is ahead"] = f"<ahead> {FREE}"
            return Session(config, engine, constants, inbox, now, numbers)

        made.append(Worker(session(parrot), said, lambda _: session(type(parrot)(clock))))
        made[0].start()
        return made[0]

    yield begin
    for worker in made:
        worker.stop()


def ask(worker: Worker) -> None:
    worker.submit(Request(SystemClock().now_ns(), "q", "what is ahead", 20_000.0))


def priorities() -> dict[str, int]:
    """Of all threads, by name: 0 for ordinary ones. Where two have one name, the first of them has a 2 behind it."""
    found: dict[str, int] = {}
    for thread in threading.enumerate():
        if thread.name in found:
            found[f"{thread.name}2"] = found[thread.name]
        found[thread.name] = os.sched_getparam(thread.native_id or 0).sched_priority
    return found


def test_the_worker_is_urgent_and_its_guards_more_so(house, said, permitted: None) -> None:
    worker = house(AssistantConfig(realtime_priority=7))
    ask(worker)
    said.until(1)
    found = priorities()
    assert (found["model_worker"], found["deadline_guard"], found["watchdog"]) == (7, 8, 8)
    assert (found["narration"], found["MainThread"]) == (0, 0)
    assert worker.scheduling == "SCHED_RR 7"


def test_what_the_worker_begins_is_not_urgent(house, said, parrot, permitted: None) -> None:
    begun: list[Future[tuple[int, int]]] = []
    encode = parrot.encode

    def compacting(observation: Any) -> Any:
        begun.append(pool.submit(lambda: (os.sched_getparam(0).sched_priority, os.getpriority(os.PRIO_PROCESS, 0))))
        return encode(observation)

    with background() as pool:
        parrot.encode = compacting
        ask(house(AssistantConfig()))
        said.until(1)
        assert begun[0].result() == (0, LOWEST)


def test_nobody_is_urgent_with_0(house, said, permitted: None) -> None:
    worker = house(AssistantConfig(realtime_priority=0))
    ask(worker)
    said.until(1)
    assert {*priorities().values()} == {0}
    assert worker.scheduling == "ordinary"


def test_who_is_not_permitted_answers_all_the_same(house, said, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "setpriority", refuse)
    worker = house(AssistantConfig())
    ask(worker)
    (final,) = said.until(1)
    assert (final.kind, final.text) == (Kind.ANSWER, FREE)
    assert worker.scheduling == f"ordinary: {NOT_PERMITTED}"


def test_who_hangs_is_not_urgent_any_more_but_its_successor_is(house, said, parrot, permitted: None) -> None:
    release = threading.Event()
    parrot.encode = lambda _: release.wait(30)
    worker = house(AssistantConfig(watchdog_s=0.3))
    ask(worker)
    said.until(1)
    found = priorities()
    assert worker.restarts == 1
    assert (found["model_worker2"], found["model_worker"]) == (0, 10)
    release.set()


def test_a_session_is_made_before_anybody_is_urgent(house, said, parrot, permitted: None) -> None:
    release, found = threading.Event(), []
    parrot.encode = lambda _: release.wait(30)
    worker = house(AssistantConfig(watchdog_s=0.3))
    renew = worker._renew
    worker._renew = lambda before: (found.append(os.sched_getparam(0).sched_priority), renew(before))[1]
    ask(worker)
    said.until(1)
    assert found == [0]
    release.set()
