"""What is said while tasks run, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from task_steps import CONFIG, SPEECH, Timed, Told, began, failed, found, journey, made, told, trained

from mm_edge.feedback.policy import EVERYTHING, MILESTONES, RESULTS, Policy
from mm_edge.feedback.progress import Progress

# -- timing -----------------------------------------------------------------------------------------------------------


def test_a_task_is_told_from_its_first_step_to_its_last() -> None:
    said = told(made(), journey(each_s=6.0), until_s=30.0)
    assert said.texts == [
        "OK, find Anna first.",
        "Still: find Anna.",
        "Find Anna: Lime Street.",
        "Now: find a charger.",
        "Ionity, six minutes.",
        "Now: plan the route.",
        "Done. 42 minutes.",
    ]


def test_it_is_acknowledged_at_once_and_with_content() -> None:
    at_s, remark = told(made(), [(5.0, began(1))], until_s=6.0).remarks[0]
    assert at_s == 5.0
    assert remark.due_s == pytest.approx(5.25)
    assert "find Anna" in remark.text


@pytest.mark.parametrize("each_s", [2.0, 5.0, 8.0, 15.0])
@pytest.mark.parametrize("runs", [0, 8])
def test_no_silence_is_longer_than_four_seconds(each_s: float, runs: int) -> None:
    said = told(made(trained(runs)), journey(each_s=each_s), until_s=60.0)
    assert said.levels == {EVERYTHING if runs == 0 else RESULTS}
    assert said.longest_silence_s(end_s=3 * each_s) <= CONFIG.quiet_s


def test_results_that_come_close_together_are_told_together() -> None:
    timed = [(0.0, began(1)), (0.0, began(2)), (3.0, found(1, "Lime Street")), (4.2, found(2, "bay four"))]
    said = told(made(), timed, until_s=6.5)
    assert "Lime Street. Bay four." in said.texts
    assert next(at_s for at_s, remark in said.remarks if remark.told == (1, 2)) == 4.5


def test_what_one_clause_does_not_hold_is_told_in_several() -> None:
    results = "Ionity Harburg, six minutes", "forty two minutes now"
    timed = [(0.0, began(1)), (0.0, began(2)), (3.0, found(1, results[0])), (3.1, found(2, results[1]))]
    said = told(made(), timed, until_s=9.0)
    assert [remark.told for _, remark in said.remarks if remark.told] == [(1,), (2,)]


def test_a_silence_after_ten_seconds_is_broken_with_what_is_left() -> None:
    said = told(made(), [(0.0, began(1)), (4.0, found(1)), (4.1, began(2))], until_s=14.0)
    assert said.texts[-1] == "Two steps left."
    assert said.remarks[-1][0] > 10.0


def test_where_only_milestones_are_told_what_is_left_is_one() -> None:
    said = told(made(trained(20)), [(0.0, began(1)), (4.0, found(1)), (4.1, began(2))], until_s=20.0)
    assert [(at_s, remark.text) for at_s, remark in said.remarks] == [
        (0.0, "OK, drive to Anna: three steps."),
        (10.0, "Two steps left."),
    ]


def test_a_long_step_goes_on_in_the_background_and_comes_back() -> None:
    said = told(made(), [(0.0, began(1)), (200.0, found(1, "here"))], until_s=205.0)
    assert [at_s for at_s, remark in said.remarks if remark.about.value == "background"] == [pytest.approx(30.0, abs=3)]
    assert [at_s for at_s, _ in said.remarks if 35.0 < at_s < 200.0] == []
    assert next(remark.text for at_s, remark in said.remarks if at_s >= 200.0) == "Find Anna: here."


def test_other_sentences_count_as_speech() -> None:
    progress = made()
    told(progress, [(0.0, began(1))], until_s=1.0)
    quiet_s = progress.next_s()
    progress.spoke("Careful, a pedestrian is in our lane.", 2.0)
    assert progress.next_s() > quiet_s


def test_a_voice_that_is_never_free_does_not_keep_a_result_back_for_ever() -> None:
    progress, said = made(), []
    progress.take(began(1), 0.0)
    progress.next(0.0)
    progress.take(found(1, "here"), 3.0)
    for at_s in range(3, 12):
        progress.spoke("There is a red light ahead and a siren behind us.", float(at_s))
        remark = progress.next(float(at_s))
        said += [(at_s, remark.text)] if remark else []
    assert said == [(7, "Find Anna: here.")]


@given(st.lists(st.floats(0.2, 14.0), min_size=3, max_size=3), st.sampled_from([0, 8, 20, 120]))
@settings(max_examples=60, deadline=None)
def test_whatever_the_times(each_s: list[float], runs: int) -> None:
    """One clause each, no result before it is there, none twice, and none left out where all are to be told."""
    timed: list[Timed] = []
    at_s = 0.0
    for index, lasts_s in enumerate(each_s, 1):
        timed += [(at_s, began(index)), (at_s + lasts_s, found(index, f"place {index}"))]
        at_s += lasts_s
    there_s = {message.result: when_s for when_s, message in timed if message.result}
    said = told(made(trained(runs)), timed, until_s=at_s + 10.0)
    for when_s, remark in said.remarks:
        assert SPEECH.lasts_s(remark.text) <= CONFIG.clause_s
        assert all(when_s >= there_s[result] for result in there_s if result in remark.text.lower())
    mentions = [sum(result in text.lower() for text in said.texts) for result in there_s]
    assert mentions == ([1, 1, 1] if runs < 20 else [0, 0, 1])
    assert said.about[-1] == "over"


# -- how much ---------------------------------------------------------------------------------------------------------


def test_it_says_less_with_every_level() -> None:
    words = [sum(len(text.split()) for text in told(made(trained(n)), journey(), 30.0).texts) for n in (0, 8, 20, 120)]
    assert words == sorted(words, reverse=True)
    assert words[-1] < words[0] / 3


def test_the_least_is_a_chime_and_the_end() -> None:
    said = told(made(trained(120)), journey(), until_s=30.0)
    assert [remark.chime for _, remark in said.remarks] == [True, False]
    assert said.texts[1] == "Done. 42 minutes."


def test_the_end_does_not_repeat_what_was_said() -> None:
    timed = [*journey()[:-1], (9.2, found(3, "42 minutes"))]
    timed[5] = (9.2, found(3))
    assert told(made(), timed, until_s=30.0).texts[-1] == "Done. Plan the route: done."
    progress = made()
    told(progress, [(0.0, began(1, count=2)), (0.0, began(2, count=2)), (1.0, found(2, "far", count=2))], until_s=5.0)
    assert told(progress, [(6.0, found(1, "here", count=2))], until_s=15.0).texts == ["Done. Find Anna: here."]


def test_a_failure_is_told_at_once_and_brings_everything_back() -> None:
    policy = trained(20)
    first = told(made(policy), [*journey()[:3], (4.0, failed(2, "none free"))], until_s=20.0)
    assert first.remarks[-1][0] == 4.0
    assert first.texts[-1] == "Find a charger failed: none free."
    assert told(made(policy), journey(), until_s=30.0).levels == {EVERYTHING}


@pytest.mark.parametrize("fields", [{"stakes": 2}, {"confidence": 0.5}])
def test_stakes_and_doubt_bring_everything_back(fields: dict[str, Any]) -> None:
    assert told(made(trained(20)), journey(**fields), until_s=30.0).levels == {EVERYTHING}


def test_a_new_step_brings_everything_back_while_it_runs() -> None:
    timed = [*journey()[:2], (3.1, began(2, name="ask the insurer"))]
    said = told(made(trained(20)), timed, until_s=5.0)
    assert [remark.verbosity.level for _, remark in said.remarks] == [MILESTONES, EVERYTHING]
    assert said.texts[-1] == "Now: ask the insurer."


def test_doubt_is_heard_in_the_words() -> None:
    said = told(made(), [(0.0, began(1)), (2.0, found(1, "here", confidence=0.5))], until_s=5.0)
    assert "Find Anna: probably here." in said.texts
    said = told(made(), [(0.0, began(1)), (2.0, found(1, "here", confidence=0.2))], until_s=5.0)
    assert "Find Anna: I am not sure." in said.texts


def test_what_can_be_understood_in_two_ways_is_asked() -> None:
    timed = [(0.0, began(1)), (1.0, began(2, options=["the office", "the gym", "home"]))]
    at_s, remark = told(made(), timed, until_s=1.0).remarks[-1]
    assert (at_s, remark.text) == (1.0, "Do you mean the office or the gym?")


def test_what_nobody_asked_for_waits_until_the_moment_is_over_and_is_not_lost() -> None:
    progress = made()
    progress.demanding = True
    held = told(progress, journey(unsolicited=True)[:4], until_s=20.0)
    assert held.texts == []
    progress.demanding = False
    texts = told(progress, [], until_s=40.0).texts
    assert texts[0].startswith("OK, ")
    assert all(any(result in text for text in texts) for result in ("Lime Street", "Ionity, six minutes"))


def test_what_was_asked_for_does_not_wait() -> None:
    progress = made()
    progress.demanding = progress.talk = True
    assert told(progress, journey(), until_s=30.0).levels == {EVERYTHING}


# -- the user ---------------------------------------------------------------------------------------------------------


def test_a_mute_is_kept_until_it_is_taken_back() -> None:
    policy = Policy(CONFIG)
    policy.command("mute")
    assert told(made(policy), [*journey()[:3], (4.0, failed(2))], until_s=30.0).texts == []
    assert told(made(policy), journey(), until_s=30.0).texts == []
    policy.command("unmute")
    assert told(made(policy), journey(), until_s=30.0).texts != []


def test_a_mute_lets_through_the_failure_of_what_much_depends_on() -> None:
    policy = Policy(CONFIG)
    policy.command("mute")
    said = told(made(policy), [*journey(stakes=2)[:3], (4.0, failed(2, stakes=2))], until_s=30.0)
    assert said.texts == ["Find a charger failed."]


def test_stop_leaves_only_the_end_and_what_was_left_out_can_be_recalled() -> None:
    progress = made()
    told(progress, journey()[:4], until_s=6.2)
    progress.stop()
    assert told(progress, [], until_s=20.0).texts == []
    assert [each.result for each in progress.recall()] == ["Ionity, six minutes"]
    assert progress.recall() == []
    assert told(progress, [(21.0, began(3)), (23.0, found(3, "42 minutes"))], until_s=30.0).texts == [
        "Done. 42 minutes."
    ]


def test_a_result_that_was_not_heard_is_told_again_with_what_came_since() -> None:
    progress = made()
    said = told(progress, [(0.0, began(1)), (3.0, found(1, "Lime Street"))], until_s=5.0)
    (at_s, remark), *_ = [entry for entry in said.remarks if entry[1].told]
    progress.sent(remark, "u7")
    progress.ended("u7", sounded=True, whole=False, now_s=at_s + 0.5)
    again = told(progress, [(5.2, began(2)), (5.3, found(2, "bay four"))], until_s=12.0)
    assert again.texts[0] == "Lime Street. Bay four."


def interrupted(progress: Progress, said: Told, spoken_s: float = 0.3) -> None:
    """The last remark was cut off after so many seconds."""
    at_s, remark = said.remarks[-1]
    progress.sent(remark, "cut")
    progress.ended("cut", sounded=True, whole=False, now_s=at_s + spoken_s, spoken_s=spoken_s)


def test_an_end_that_was_not_heard_is_said_again_and_the_run_counts_once() -> None:
    policy = Policy(CONFIG)
    progress = made(policy)
    said = told(progress, journey(), until_s=12.0)
    assert said.about[-1] == "over"
    runs = policy.state()["kinds"]["drive to anna"]["runs"]
    interrupted(progress, said)
    again = told(progress, [], until_s=20.0)
    assert again.texts == said.texts[-1:]
    assert policy.state()["kinds"]["drive to anna"]["runs"] == runs == 1
    interrupted(progress, again, spoken_s=1.9)
    assert told(progress, [], until_s=40.0).texts == []


@given(st.lists(st.booleans(), max_size=8), st.sampled_from([2.0, 4.0, 9.0]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_is_cut_off_all_results_are_heard_and_it_comes_to_an_end(
    cuts: list[bool], each_s: float, fails: bool
) -> None:
    progress, waiting = made(), journey(each_s=each_s)
    if fails:
        waiting[-1] = (waiting[-1][0], failed(3, "42 minutes"))
    heard: list[str] = []
    said, now_s = 0, 0.0
    while now_s < 100.0:
        now_s = max(now_s, min([progress.next_s(), *(at_s for at_s, _ in waiting[:1])]))
        if waiting and waiting[0][0] <= now_s:
            progress.take(waiting.pop(0)[1], now_s)
        while (remark := progress.next(now_s)) is not None:
            said += 1
            whole = not (cuts and cuts.pop())
            progress.sent(remark, f"u{said}")
            progress.ended(f"u{said}", sounded=True, whole=whole, now_s=now_s + 0.5, spoken_s=0.5)
            heard += [remark.text.lower()] * whole
    assert said < 100
    assert all(any(result in text for text in heard) for result in ("lime street", "ionity"))
    assert ("42 minutes" in heard[-1]) or fails


def test_an_end_that_the_user_stopped_is_not_said_again() -> None:
    progress = made()
    interrupted(progress, told(progress, journey(), until_s=12.0))
    progress.stop()
    assert told(progress, [], until_s=40.0).texts == []
    assert [each.result for each in progress.recall()] == ["42 minutes"]


def test_a_result_that_was_heard_is_not_told_again() -> None:
    progress = made()
    said = told(progress, journey()[:2], until_s=5.0)
    (at_s, remark), *_ = [entry for entry in said.remarks if entry[1].told]
    progress.sent(remark, "u7")
    progress.ended("u7", sounded=True, whole=True, now_s=at_s + 2.0)
    assert all("Lime" not in text for text in told(progress, [], until_s=20.0).texts)
