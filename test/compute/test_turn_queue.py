"""Who is served next when several wait, played through on a machine whose turns take as long as they may."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.compute.queue import TurnQueue, in_time

COST_S = 1.0


@dataclass(frozen=True)
class Job:
    name: int
    due_s: float
    priority: int


JOBS = st.lists(st.tuples(st.floats(0.1, 30.0), st.integers(0, 2)), max_size=14).map(
    lambda rows: [Job(name, due_s, priority) for name, (due_s, priority) in enumerate(rows)]
)


def queued(jobs: list[Job]) -> TurnQueue[Job]:
    queue: TurnQueue[Job] = TurnQueue()
    queue.cost_s = COST_S
    for job in jobs:
        queue.add(job, job.due_s, job.priority)
    return queue


def served(queue: TurnQueue[Job], greed: float = 1.0) -> dict[Job, float]:
    """When each was done, in order. greed: which share of the time beyond the least every turn takes that it may."""
    now_s, done = 0.0, {}
    while (job := queue.pop(now_s)) is not None:
        assert job not in done
        may_s = min(job.due_s, queue.latest_end_s(now_s)) - now_s
        now_s += COST_S + greed * max(0.0, may_s - COST_S)
        done[job] = now_s
    return done


def punctual(done: dict[Job, float], least: int = 0) -> set[Job]:
    return {job for job, end_s in done.items() if job.priority >= least and end_s <= job.due_s + 1e-6}


def feasible(jobs: list[Job]) -> bool:
    ordered = sorted(jobs, key=lambda job: job.due_s)
    return all(job.due_s >= COST_S * place for place, job in enumerate(ordered, 1))


@given(JOBS, st.floats(0, 1))
def test_everybody_is_served_once(jobs: list[Job], greed: float) -> None:
    assert sorted(served(queued(jobs), greed), key=lambda job: job.name) == jobs


@given(JOBS, st.floats(0, 1))
def test_who_can_be_in_time_together_is_however_much_time_turns_take(jobs: list[Job], greed: float) -> None:
    kept = [jobs[0]] if jobs and feasible(jobs[:1]) else []
    for job in jobs[1:]:
        kept += [job] if feasible([*kept, job]) else []
    assert punctual(served(queued(kept), greed)) == set(kept)


@given(JOBS, st.floats(0, 1))
def test_lower_priorities_cost_higher_ones_nothing(jobs: list[Job], greed: float) -> None:
    done = served(queued(jobs), greed)
    for least in (1, 2):
        alone = served(queued([job for job in jobs if job.priority >= least]))
        assert len(punctual(done, least)) == len(punctual(alone))


@given(JOBS)
def test_within_a_priority_the_earliest_deadline_is_first(jobs: list[Job]) -> None:
    chosen = [entry.item for entry in in_time(queued(jobs)._entries, 0.0, COST_S)]
    order = [job for job in served(queued(jobs)) if job in chosen]
    assert [job.due_s for job in order] == sorted(job.due_s for job in order)


def test_plans_become_cheaper_before_anybody_is_left_out() -> None:
    queue = queued([Job(name, 6.0, 0) for name in range(4)])
    ends_s = [*served(queue).values()]
    assert ends_s == pytest.approx([3.0, 4.0, 5.0, 6.0])


def test_who_comes_meanwhile_shortens_the_turn_in_progress() -> None:
    queue = queued([Job(0, 20.0, 0)])
    queue.pop(0.0)
    before_s = queue.latest_end_s(0.0)
    queue.add(Job(1, 5.0, 0), 5.0)
    assert (before_s, queue.latest_end_s(0.0)) == (inf, 4.0)


def test_who_cannot_be_in_time_is_named_and_waits_behind_the_others() -> None:
    high, low, late = Job(0, 1.5, 2), Job(1, 1.2, 0), Job(2, -1.0, 2)
    queue = queued([late, low, high])
    assert queue.set_aside(0.0) == [low]
    assert [*served(queue)] == [high, low, late]


def test_nobody_begins_before_time() -> None:
    queue: TurnQueue[str] = TurnQueue()
    queue.add("look", 9.0, from_s=5.0)
    assert (queue.pop(4.0), queue.begins_s(), queue.pop(5.0), queue.begins_s()) == (None, 5.0, "look", inf)


def test_a_turn_leaves_a_margin_for_others() -> None:
    queue = queued([Job(0, 10.0, 0), Job(1, 5.0, 0)])
    queue.margin_s = 0.5
    assert queue.latest_end_s(0.0) == 3.5
    assert len(served(queue)) == 2


def test_who_insists_goes_first_and_once() -> None:
    queue = queued([Job(0, 1.0, 2), Job(1, 3.0, 2)])
    for name in (2, 3):
        queue.add(Job(name, 50.0, 3), 50.0, 3, insists=True)
    assert [job.name for job in served(queue, 0.0)] == [2, 1, 3, 0]


def test_who_insists_takes_turns_even_if_it_is_always_late() -> None:
    queue: TurnQueue[str] = TurnQueue()
    queue.cost_s = COST_S
    order = []
    for step in range(6):
        queue.add("request", 100.0)
        if "look" not in [entry.item for entry in queue._entries]:
            queue.add("look", step + 0.2, 3, insists=True)
        order.append(queue.pop(step))
    assert order == ["look", "request"] * 3


def test_without_a_known_cost_only_who_is_late_waits() -> None:
    queue = queued([Job(0, -1.0, 2), Job(1, 3.0, 0), Job(2, 2.0, 0)])
    queue.cost_s = 0.0
    assert [job.name for job in (queue.pop(0.0), queue.pop(0.0), queue.pop(0.0)) if job] == [2, 1, 0]


def test_a_thousand_that_wait_take_less_than_ten_milliseconds() -> None:
    queue = queued([Job(name, name % 37, name % 3) for name in range(1000)])
    began_s = time.process_time()
    queue.pop(0.0)
    queue.latest_end_s(0.0)
    assert time.process_time() - began_s < 0.01
