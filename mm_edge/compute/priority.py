"""How urgent a thread is to the operating system, so that one that keeps deadlines need not wait for a processor.

Linux only: SCHED_RR, else the nice value of the one thread, else nothing. What such a thread begins, threads and
processes, is ordinary again (SCHED_RESET_ON_FORK, sched(7)). The kernel's own limit stays as it is: where ordinary
threads wait, real-time ones get at most 95 % of a processor (sched_rt_runtime_us). Knows nothing about what the
threads do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

ORDINARY = "ordinary"
NOT_PERMITTED = "not permitted (CAP_SYS_NICE or rtprio)"
NICEST = -20
"""Of all ordinary threads."""


def request_realtime(priority: int) -> str:
    """Ask for SCHED_RR with this priority, 1 to 99, for the calling thread, or with what the `rtprio` limit allows. 0
    asks for nothing. To be refused is no error: returns in words what was got, and why it is not more."""
    if priority == 0:
        return ORDINARY
    if sys.platform != "linux":
        return f"{ORDINARY}: threads have no real-time priority on {sys.platform}"
    refusal = ""
    for policy, level, nice in _wishes(priority):
        try:
            _schedule(0, policy, level, nice)
        except OSError as error:
            refusal = refusal or (NOT_PERMITTED if isinstance(error, PermissionError) else f"refused ({error})")
        else:
            got = f"SCHED_RR {level}" if level else f"nice {nice}"
            return f"{got}, as SCHED_RR {priority} is {refusal}" if refusal else got
    return f"{ORDINARY}: {refusal}"


def end_realtime(thread_id: int = 0) -> None:
    """Make a thread of this process ordinary again, by its native id; 0: the calling one. It may have ended."""
    if sys.platform == "linux":
        with suppress(OSError):
            _schedule(thread_id, os.SCHED_OTHER, 0, max(0, os.getpriority(os.PRIO_PROCESS, thread_id)))


def _wishes(priority: int) -> Iterator[tuple[int, int, int]]:
    """Policies with their priority and nice value, the best first."""
    import resource  # not there on Windows

    limit, _ = resource.getrlimit(resource.RLIMIT_RTPRIO)
    yield os.SCHED_RR, priority, 0
    if 0 < limit < priority:
        yield os.SCHED_RR, limit, 0
    yield os.SCHED_OTHER, 0, NICEST


def _schedule(thread_id: int, policy: int, level: int, nice: int) -> None:
    if policy == os.SCHED_OTHER:
        os.setpriority(os.PRIO_PROCESS, thread_id, nice)
    os.sched_setscheduler(thread_id, policy | os.SCHED_RESET_ON_FORK, os.sched_param(level))
