"""How much is said: less as a kind of task proves itself, everything again after a failure, and what the user wants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.policy import (
    COMMANDS,
    END,
    EVERYTHING,
    MAX_KINDS,
    MAX_STEPS,
    MILESTONES,
    RESULTS,
    Moment,
    Policy,
)

CALM = Moment()


def trained(runs: int, **settings: float) -> Policy:
    policy = Policy(FeedbackConfig(**settings))
    for _ in range(runs):
        policy.worked("route")
    return policy


def level(policy: Policy, moment: Moment = CALM, kind: str = "route") -> int:
    return policy(kind, moment).level


def test_it_says_less_as_a_kind_of_task_proves_itself() -> None:
    levels = [level(trained(runs)) for runs in (0, 2, 5, 20, 120)]
    assert levels == [EVERYTHING, EVERYTHING, RESULTS, MILESTONES, END]


def test_every_kind_has_to_prove_itself() -> None:
    assert level(trained(20), kind="email") == EVERYTHING


def test_a_failure_brings_everything_back_at_once_and_the_way_down_begins_again() -> None:
    policy = trained(20)
    policy.failed("route")
    assert level(policy) == EVERYTHING
    assert "failed" in policy("route", CALM).reasons[0]
    after = []
    for _ in range(60):
        policy.worked("route")
        after.append(level(policy))
    assert after[:2] == [EVERYTHING, EVERYTHING]
    assert after[-1] == MILESTONES
    assert after == sorted(after, reverse=True)


@pytest.mark.parametrize("cause", ["high_stakes", "novel", "ambiguous", "unsure"])
def test_a_moment_can_ask_for_everything(cause: str) -> None:
    found = trained(60)("route", Moment(**{cause: True}))
    assert found.level == EVERYTHING
    assert len(found.reasons) == 2


@pytest.mark.parametrize("busy", [{"demanding": True}, {"talk": True}])
def test_a_busy_moment_holds_back_only_what_nobody_asked_for(busy: dict[str, bool]) -> None:
    policy = trained(0)
    unasked = policy("route", Moment(unsolicited=True, **busy))
    assert (unasked.level, unasked.hold) == (MILESTONES, True)
    asked = policy("route", Moment(**busy))
    assert (asked.level, asked.hold) == (EVERYTHING, False)


def test_what_much_depends_on_is_never_held_back() -> None:
    found = trained(20)("route", Moment(high_stakes=True, unsolicited=True, demanding=True))
    assert (found.level, found.hold) == (EVERYTHING, False)


def test_the_user_has_the_last_word() -> None:
    policy = trained(20)
    assert policy.command("more")
    assert level(policy) == RESULTS
    for _ in range(9):
        policy.command("less")
    assert level(policy) == END
    assert level(policy, Moment(high_stakes=True)) == MILESTONES
    policy.command("normal")
    assert level(policy) == MILESTONES
    policy.command("mute")
    assert (level(policy), policy("route", CALM).hold) == (END, True)
    policy.command("more")
    assert not policy.muted
    assert not policy.command("sing")


def test_a_step_that_no_run_had_is_new() -> None:
    policy = Policy(FeedbackConfig())
    assert not policy.is_new_step("route", "find Anna")
    policy.worked("route", ("Find  anna", "plan"))
    assert not policy.is_new_step("route", "find Anna")
    assert policy.is_new_step("route", "send an email")


def test_its_state_can_be_restored_but_a_mute_was_for_a_moment() -> None:
    policy = trained(20)
    policy.command("less")
    policy.command("mute")
    other = Policy(FeedbackConfig())
    other.restore(policy.state())
    assert level(other) == END
    assert not other.muted
    assert other.reliability("route") == policy.reliability("route")


KIND = {"worked": 1.0, "failed": 0.0, "runs": 1, "watched": 0, "steps": []}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"offset": 0},
        {"offset": "much", "kinds": {}},
        {"offset": 0, "kinds": []},
        {"offset": 0, "kinds": {"route": None}},
        {"offset": 0, "kinds": {"route": KIND | {"failed": -1.0}}},
        {"offset": 0, "kinds": {"route": KIND | {"worked": float("nan")}}},
        {"offset": 0, "kinds": {"route": KIND | {"runs": float("inf")}}},
        {"offset": 0, "kinds": {"route": KIND | {"steps": 7}}},
    ],
)
def test_a_state_that_is_none_is_refused_and_changes_nothing(state: dict) -> None:
    policy = trained(20)
    with pytest.raises(ValueError, match="no state of feedback"):
        policy.restore(state)
    assert level(policy) == MILESTONES


def test_what_it_remembers_is_bounded() -> None:
    policy = Policy(FeedbackConfig())
    for number in range(3 * MAX_KINDS):
        policy.worked(f"kind {number}", tuple(f"step {index}" for index in range(3 * MAX_STEPS)))
    kinds = policy.state()["kinds"]
    assert len(kinds) == MAX_KINDS
    assert all(len(kind["steps"]) == MAX_STEPS for kind in kinds.values())


@given(st.lists(st.sampled_from(["worked", "failed", *COMMANDS]), max_size=40))
def test_whatever_happens_a_failure_is_followed_by_more_not_less(history: list[str]) -> None:
    policy = Policy(FeedbackConfig())
    for word in history:
        if word in COMMANDS:
            policy.command(word)
        else:
            getattr(policy, word)("route")
    before, reliability = level(policy), policy.reliability("route")
    policy.failed("route")
    assert level(policy) >= before
    assert 0 <= policy.reliability("route") <= reliability + 1e-6


@pytest.mark.parametrize("values", [{"results_from": 0.9}, {"end_from": 0.5}, {"quiet_s": 0.0}, {"unknown": 1}])
def test_settings_that_contradict_each_other_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        FeedbackConfig(**values)
