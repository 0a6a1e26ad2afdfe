"""What a thread asks the operating system for, what it gets, and what it says of that."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from mm_edge.compute import priority as module
from mm_edge.compute.priority import NICEST, NOT_PERMITTED, ORDINARY, end_realtime, request_realtime

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux only")
CHILD = "import os; print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))"


def policy(thread_id: int = 0) -> int:
    return os.sched_getscheduler(thread_id) & ~os.SCHED_RESET_ON_FORK


@pytest.fixture
def apart() -> Iterator[Callable[..., Any]]:
    """`apart(function, *arguments)`: what it returns on a thread of its own."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda *call: thread.submit(*call).result()


@pytest.fixture
def permitted(apart: Callable[..., Any]) -> None:
    if apart(request_realtime, 10) != "SCHED_RR 10":
        pytest.skip("needs the permission for real-time scheduling")


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An operating system that grants up to `most` of SCHED_RR and `nice`; `asked`: what of."""
    made = SimpleNamespace(most=0, limit=0, nice=0, asked=[], error=PermissionError(errno.EPERM, "not yours"))

    def schedule(thread_id: int, policy: int, asked: os.sched_param) -> None:
        made.asked.append((policy & ~os.SCHED_RESET_ON_FORK, asked.sched_priority))
        assert policy & os.SCHED_RESET_ON_FORK
        if asked.sched_priority > made.most:
            raise made.error

    def renice(which: int, thread_id: int, nice: int) -> None:
        if nice < made.nice:
            raise PermissionError(errno.EPERM, "nor that")

    monkeypatch.setattr(module.os, "sched_setscheduler", schedule)
    monkeypatch.setattr(module.os, "setpriority", renice)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (made.limit, made.limit))
    return made


def test_what_is_permitted_is_got_by_the_calling_thread_alone(apart, permitted: None) -> None:
    assert apart(request_realtime, 12) == "SCHED_RR 12"
    assert apart(policy) == os.SCHED_RR
    assert apart(os.sched_getparam, 0).sched_priority == 12
    assert policy() == os.SCHED_OTHER


def test_what_it_begins_is_ordinary(apart, permitted: None) -> None:
    assert apart(request_realtime, 12) == "SCHED_RR 12"
    assert apart(lambda: subprocess.check_output([sys.executable, "-c", CHILD], text=True)).split() == ["0", "0"]
    found: list[int] = []

    def begin() -> None:
        thread = threading.Thread(target=lambda: found.append(policy()))
        thread.start()
        thread.join()

    apart(begin)
    assert found == [os.SCHED_OTHER]


def test_what_a_nice_thread_begins_is_not_as_nice(apart) -> None:
    if apart(_nicest) != NICEST:
        pytest.skip("needs the permission for a negative nice value")
    assert apart(lambda: subprocess.check_output([sys.executable, "-c", CHILD], text=True)).split() == ["0", "0"]


def _nicest() -> int:
    """The nice value, where real-time scheduling is refused."""
    with pytest.MonkeyPatch.context() as patch:
        allowed = os.sched_setscheduler

        def refuse(thread_id: int, policy: int, asked: os.sched_param) -> None:
            if asked.sched_priority:
                raise PermissionError(errno.EPERM, "not yours")
            allowed(thread_id, policy, asked)

        patch.setattr(module.os, "sched_setscheduler", refuse)
        request_realtime(10)
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_it_can_be_given_back_from_another_thread(apart, permitted: None) -> None:
    apart(request_realtime, 12)
    end_realtime(apart(threading.get_native_id))
    assert apart(policy) == os.SCHED_OTHER


def test_a_nice_value_is_given_back_as_well(apart) -> None:
    if apart(_nicest) != NICEST:
        pytest.skip("needs the permission for a negative nice value")
    apart(end_realtime)
    assert apart(os.getpriority, os.PRIO_PROCESS, 0) == 0


def test_a_thread_that_has_ended_has_nothing_to_give_back() -> None:
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    assert ended.native_id is not None
    end_realtime(ended.native_id)
    assert policy() == os.SCHED_OTHER


def test_nothing_is_asked_for_with_0(system: SimpleNamespace) -> None:
    system.most = 99
    assert request_realtime(0) == ORDINARY
    assert system.asked == []


def test_without_real_time_a_nice_value_is_taken(system: SimpleNamespace) -> None:
    system.nice = NICEST
    assert request_realtime(10) == f"nice {NICEST}, as SCHED_RR 10 is {NOT_PERMITTED}"
    assert system.asked == [(os.SCHED_RR, 10), (os.SCHED_OTHER, 0)]


def test_who_may_nothing_goes_on(system: SimpleNamespace) -> None:
    assert request_realtime(10) == f"ordinary: {NOT_PERMITTED}"


def test_as_much_as_the_limit_allows(system: SimpleNamespace) -> None:
    system.most = system.limit = 5
    assert request_realtime(10) == f"SCHED_RR 5, as SCHED_RR 10 is {NOT_PERMITTED}"
    assert system.asked == [(os.SCHED_RR, 10), (os.SCHED_RR, 5)]


def test_another_refusal_is_told_in_the_systems_words(system: SimpleNamespace) -> None:
    system.error = OSError(errno.ENOSYS, "Function not implemented")
    assert "Function not implemented" in request_realtime(10)


def test_other_systems_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert request_realtime(10) == "ordinary: threads have no real-time priority on darwin"
    end_realtime()
