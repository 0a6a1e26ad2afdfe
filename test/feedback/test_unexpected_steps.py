"""Task steps that nobody expects: out of order, twice, lost, contradicted, of several tasks, and at any time."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from task_steps import CONFIG, SPEECH, Timed, began, found, journey, made, step, told, trained

from mm_edge.feedback.account import LEAD_S
from mm_edge.feedback.policy import END, EVERYTHING, MILESTONES, RESULTS
from mm_edge.feedback.tasks import CANCELLED, MAX_TASKS


def test_steps_out_of_order_are_told_as_they_come() -> None:
    timed = [(0.0, began(2)), (2.0, found(2, "near")), (2.1, began(1)), (4.0, found(1, "here")), (4.1, began(3))]
    progress = made()
    said = told(progress, [*timed, (6.0, found(3, "42"))], until_s=20.0)
    assert said.texts[-1] == "Done. Plan the route: 42."
    assert [name for name, _ in progress.faults] == ["task_step_order"]


def test_what_comes_twice_is_said_once() -> None:
    progress = made()
    twice = [entry for entry in journey() for _ in range(2)]
    assert told(progress, twice, until_s=30.0).texts == told(made(), journey(), until_s=30.0).texts
    assert {name for name, _ in progress.faults} == {"task_step_repeated"}


def test_the_end_owns_up_to_a_step_that_nothing_was_heard_of() -> None:
    progress = made()
    said = told(progress, [*journey()[:2], *journey()[4:]], until_s=30.0)
    assert said.texts[-1] == "Done, but step 2 is unknown."
    assert "Plan the route: 42 minutes." in said.texts
    assert [name for name, _ in progress.faults] == ["task_step_missing"]


def test_a_contradiction_is_corrected_at_once_and_costs_trust() -> None:
    policy = trained(20)
    progress = made(policy)
    policy.command("more")
    told(progress, [(0.0, began(1)), (1.0, found(1, "here"))], until_s=6.0)
    at_s, remark = told(progress, [(6.5, found(1, "there"))], until_s=6.5).remarks[0]
    assert (at_s, remark.text) == (6.5, "Correction: find Anna: there.")
    policy.command("normal")
    assert told(made(policy), journey(), until_s=30.0).levels == {EVERYTHING}


def test_a_contradiction_before_it_was_said_needs_no_correction() -> None:
    timed = [(0.0, began(1)), (2.0, found(1, "here")), (2.5, found(1, "there"))]
    said = told(made(), timed, until_s=6.0)
    assert said.texts.count("Find Anna: there.") == 1
    assert all("here" not in text.split() for text in said.texts)


def test_a_task_that_never_ends_is_given_up_and_costs_trust() -> None:
    policy = trained(20)
    progress = made(policy)
    said = told(progress, [(0.0, began(1))], until_s=2000.0)
    assert [name for name, _ in progress.faults] == ["task_never_ended"]
    assert len(said.remarks) < 20
    assert said.texts[-1] == "Drive to Anna: I heard no more."
    assert told(made(policy), journey(), until_s=30.0).levels == {EVERYTHING}


def test_two_tasks_at_once_are_both_told_to_their_ends_and_the_voice_is_one() -> None:
    other = {"task_id": "u", "task": "table for two", "name": "call the inn", "count": 1}
    timed = [*journey(each_s=6.0), (2.0, began(1, **other)), (12.0, found(1, "at eight", **other))]
    said = told(made(), timed, until_s=60.0)
    assert said.texts.count("Done. Call the inn: at eight.") == 1
    assert said.texts[-1] == "Done. 42 minutes."
    assert said.longest_silence_s(end_s=18.0) <= CONFIG.quiet_s
    spoken = [(at_s, at_s + SPEECH.lasts_s(r.text)) for at_s, r in said.remarks if r.about.value in ("still", "plan")]
    assert all(end_s <= begin_s for (_, end_s), (begin_s, _) in pairwise(spoken))


def test_with_two_tasks_what_is_left_is_said_of_one() -> None:
    other = {"task_id": "u", "task": "table for two", "name": "call the inn"}
    said = told(made(trained(20)), [(0.0, began(1)), (0.5, began(1, **other))], until_s=12.0)
    assert "Drive to Anna: three steps left." in said.texts


def test_a_cancelled_task_says_so_and_nothing_else() -> None:
    said = told(made(), [*journey()[:3], (3.2, step(2, CANCELLED))], until_s=30.0)
    assert said.texts[-1] == "Drive to Anna was cancelled."


def test_a_task_of_unknown_length_is_told_and_does_not_claim_an_end() -> None:
    said = told(made(), [(0.0, began(1, count=0)), (2.0, found(1, "here", count=0))], until_s=60.0)
    assert said.texts == ["OK, find Anna first.", "Find Anna: here."]


def test_a_clock_that_jumps_back_or_far_ahead_makes_no_burst() -> None:
    progress = made()
    told(progress, [(100.0, began(1))], until_s=101.0)
    progress.take(found(1, "here"), 3.0)
    assert progress.next(3.0) is None
    assert progress.next_s() > 100.0
    after = []
    while (remark := progress.next(100.0 + 3600.0)) is not None:
        after.append(remark.about.value)
    assert after == ["given up"]
    assert [name for name, _ in progress.faults] == ["task_never_ended"]


def test_endless_words_are_told_in_one_clause() -> None:
    long = "and then we turn left at the second light behind the old town hall " * 20
    timed = [(0.0, began(1, name=long, task=long)), (2.0, found(1, long, name=long, task=long)), (2.1, began(2))]
    said = told(made(), timed, until_s=40.0)
    assert all(SPEECH.lasts_s(text) <= CONFIG.clause_s for text in said.texts)


MESSAGES = st.builds(
    step,
    index=st.integers(0, 4),
    status=st.integers(0, 4),
    result=st.sampled_from(["", "here", "a long way around the old town with no end in sight"]),
    count=st.integers(0, 4),
    task_id=st.sampled_from(["t", "u"]),
    stakes=st.sampled_from([0, 2]),
    confidence=st.sampled_from([0.0, 0.5, 1.0]),
    unsolicited=st.booleans(),
)


@given(st.lists(st.tuples(st.floats(0, 60), MESSAGES), max_size=25), st.sampled_from([0, 8, 20, 120]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_no_messages_in_any_order_bring_it_to_a_stop(timed: list[Timed], runs: int, busy: bool) -> None:
    progress = made(trained(runs))
    progress.demanding = busy
    said = told(progress, timed, until_s=1500.0)
    assert len(said.remarks) < 40 * (len(timed) + 1)
    assert all(SPEECH.lasts_s(text) <= CONFIG.clause_s for text in said.texts)
    assert len(progress.tasks) <= MAX_TASKS
    assert CONFIG.quiet_s > LEAD_S


def test_levels_are_ordered() -> None:
    assert END < MILESTONES < RESULTS < EVERYTHING
