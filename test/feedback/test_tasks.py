"""The book of tasks: messages in any order and number, and what cannot be used is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_steps import began, failed, found, step

from mm_edge.feedback.tasks import CANCELLED, MAX_STEPS, MAX_TASKS, News, TaskBook


def book(*messages: Any) -> tuple[TaskBook, list[News], list[str]]:
    """The book after messages a second apart, the news of each and the names of all faults."""
    made = TaskBook()
    changes = [made.take(message, float(at_s)) for at_s, message in enumerate(messages)]
    return made, [change.news for change in changes], [name for change in changes for name, _ in change.faults]


def test_a_task_from_its_first_step_to_its_last() -> None:
    made, news, faults = book(began(1), found(1, "here"), began(2), found(2), began(3), found(3, "done."))
    (task,) = made
    assert news == [News.STEP, News.RESULT] * 3
    assert (task.over, task.done, task.left, task.missing, faults) == (True, True, 0, [], [])
    assert task.steps[3].result == "done"


def test_the_last_step_first_does_not_end_it_while_another_runs() -> None:
    made, _, faults = book(began(1), found(3))
    (task,) = made
    assert not task.over
    assert (task.missing, faults) == ([2], [])


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ((began(1), began(1)), "task_step_repeated"),
        ((began(1), found(1, "a"), found(1, "a")), "task_step_repeated"),
        ((began(1), found(1), began(1)), "task_step_order"),
        ((began(2), found(2), began(1)), "task_step_order"),
        ((began(1), found(1, "left"), found(1, "right")), "task_step_contradicted"),
        ((began(1), found(1, "left"), failed(1)), "task_step_contradicted"),
        ((began(1), failed(1), found(1)), "task_step_contradicted"),
        ((step(0),), "bad_task_step"),
        ((step(MAX_STEPS + 1),), "bad_task_step"),
        ((step(1, 77),), "bad_task_step"),
        ((began(1, name=" \n"),), "bad_task_step"),
        ((began(1, name="..."),), "bad_task_step"),
        ((began(1, count=None),), "bad_task_step"),
        ((SimpleNamespace(),), "bad_task_step"),
        ((None,), "bad_task_step"),
    ],
)
def test_what_is_wrong_with_a_message_is_named(messages: tuple[Any, ...], fault: str) -> None:
    _, _, faults = book(*messages)
    assert faults == [fault]


def test_a_result_that_comes_twice_changes_nothing_and_another_one_corrects() -> None:
    made, news, _ = book(began(1), found(1, "left"), found(1, "left"), found(1, "right"))
    assert news[2:] == [News.NOTHING, News.CORRECTION]
    assert next(iter(made)).steps[1].result == "right"


def test_a_result_may_come_after_the_success() -> None:
    _, news, faults = book(began(1), found(1), found(1, "left"))
    assert (news[-1], faults) == (News.RESULT, [])


def test_another_try_after_a_failure_goes_on_with_the_task() -> None:
    made, _, faults = book(began(1), failed(1, "no signal"), began(1), found(1))
    (task,) = made
    assert (task.failed, task.succeeded, faults) == (False, 1, [])


def test_a_task_that_ended_may_begin_anew() -> None:
    made, _, _ = book(began(1, count=1), found(1, count=1))
    (task,) = made
    task.closed = True
    assert made.take(began(1, count=1), 9.0).task is not task
    assert len(made.tasks) == 1


def test_a_late_message_does_not_begin_a_task_anew() -> None:
    made, _, _ = book(began(1, count=1), found(1, "yes", count=1))
    (task,) = made
    task.closed = True
    assert made.take(found(1, "yes", count=1), 9.0).task is task
    assert task.closed


def test_the_beginning_of_the_last_step_may_come_after_its_end() -> None:
    made, _, _ = book(began(1, count=2), found(1, count=2), found(2, count=2))
    (task,) = made
    task.closed = True
    change = made.take(began(2, count=2), 4.0)
    assert (change.task, change.news, task.closed) == (task, News.NOTHING, True)
    assert [name for name, _ in change.faults] == ["task_step_order"]


def test_two_tasks_are_kept_apart_and_one_without_an_id_goes_by_its_name() -> None:
    made, _, _ = book(began(1, task_id="a"), began(1, task_id="b"), began(1, task_id="", task="park"))
    assert [*made.tasks] == ["a", "b", "park"]


def test_only_so_many_tasks_are_followed() -> None:
    made, _, faults = book(*(began(1, task_id=str(number)) for number in range(MAX_TASKS + 5)))
    assert len(made.tasks) == MAX_TASKS
    assert faults == ["too_many_tasks"] * 5


def test_a_cancelled_task_is_over() -> None:
    made, news, _ = book(began(1), step(1, CANCELLED))
    assert news[-1] == News.CANCELLED
    assert next(iter(made)).over


def test_confidence_and_options_that_are_none_are_left_out() -> None:
    made, _, _ = book(began(1, options=["home", " ", "office"], confidence=7.0), began(2, confidence=0.5))
    (task,) = made
    assert task.steps[1].options == ("home", "office")
    assert task.steps[1].confidence != task.steps[1].confidence
    assert task.steps[2].confidence == 0.5


MESSAGES = st.builds(
    step,
    index=st.integers(-2, 5),
    status=st.integers(0, 5),
    result=st.sampled_from(["", "a", "b"]),
    count=st.integers(0, 5),
    task_id=st.sampled_from(["t", "u"]),
)


@given(st.lists(MESSAGES, max_size=30))
def test_no_order_of_messages_breaks_the_book(messages: list[Any]) -> None:
    made, news, _ = book(*messages)
    assert len(news) == len(messages)
    for task in made:
        assert task.succeeded + len(task.running) <= len(task.steps)
        assert task.left is None or 0 <= task.left <= task.count
