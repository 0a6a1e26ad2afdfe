"""What the assistant says of tasks and how much of anything: policy and timing with the world around them."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mm_edge.assistant.clock import ManualClock, SystemClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.narration import Narration
from mm_edge.assistant.narrator import REPLIES, Glance, Narrator
from mm_edge.assistant.offline import OfflineAssistant
from mm_edge.assistant.request import Request, Stakes
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.earcon import TOPIC as EARCON
from mm_edge.feedback.queue import State
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.model.observation import VehicleState
from mm_edge.trust.report import TrustReport, Verdict

S = 1_000_000_000


class Narrated:
    """A narrator on a clock that the test moves; `said` keeps everything that came out."""

    def __init__(self, clock: Any, talk: Any = None, **settings: Any) -> None:
        self.clock = clock
        self.inbox = Inbox(AssistantConfig(), clock)
        numbers = itertools.count(1)
        config = FeedbackConfig(**settings)
        self.narrator = Narrator(config, AssistantConfig(), self.inbox, lambda: f"u{next(numbers)}", talk)
        self.said: list[Any] = []

    def at(self, seconds: float) -> Narrated:
        """Let time pass, and what is due be said."""
        until_ns = round(seconds * S)
        while self.narrator.left_s() * S <= until_ns - self.clock.now_ns():
            self.clock.set(self.clock.now_ns() + max(1000, round(self.narrator.left_s() * S) + 1000))
            self.said += self.narrator.due()
        self.clock.set(until_ns)
        return self

    def tell(self, step: Any) -> None:
        self.said += self.narrator.tell(step)

    def texts(self) -> list[str]:
        return [output.text for output in self.said if isinstance(output, Utterance)]

    def faults(self) -> set[str]:
        return {fault.name for fault in self.inbox.faults.all()}


@pytest.fixture
def narrated(clock: ManualClock) -> Narrated:
    return Narrated(clock)


def answer(narrated: Narrated, name: str, verdict: Verdict = Verdict.ACCEPTED, **trust: float) -> TrustReport:
    """The report of a turn that answered the request `name`, as it goes out."""
    said = Utterance(0, "u0", "The light is red.", Kind.ANSWER, Priority.NORMAL, request_id=name, topic="light")
    narrated.narrator.completed(said)
    return narrated.narrator.completed(TrustReport(0, name, verdict=verdict, **trust))


def run(narrated: Narrated, make: Callable[..., Any], times: int) -> None:
    """So many runs of a task of one step, that all work."""
    for number in range(times):
        at_s = narrated.clock.monotonic_s() + 30
        step = {"task_id": f"t{number}", "count": 1}
        narrated.at(at_s).tell(make("task_step", at_s, **step))
        narrated.at(at_s + 2).tell(make("task_step", at_s + 2, **step, status=1, result="by eight"))


def test_a_step_becomes_a_remark_and_a_line(narrated: Narrated, make: Callable[..., Any]) -> None:
    narrated.tell(make("task_step", 99.0, frame_id="car"))
    remark, glance = narrated.said
    assert (remark.text, remark.kind, remark.topic) == ("OK, find first.", Kind.PROGRESS, "task")
    assert (remark.stamp_ns, remark.frame_id) == (99 * S, "car")
    assert remark.expires_ns == 105 * S
    assert glance == Glance("1/2 find")


def test_it_says_less_as_tasks_work_and_begins_with_a_chime_at_last(
    narrated: Narrated, make: Callable[..., Any]
) -> None:
    run(narrated, make, 130)
    remarks = [output for output in narrated.said if isinstance(output, Utterance)]
    assert (remarks[0].text, remarks[0].topic) == ("OK, find first.", "task")
    assert (remarks[-2].text, remarks[-2].topic) == ("OK.", EARCON)
    assert narrated.narrator.standing()["reliability of pizza order"] > 0.9


def test_reports_get_their_verbosity_and_the_reasons(narrated: Narrated) -> None:
    assert (answer(narrated, "q1").verbosity, answer(narrated, "q1").reasons) == (
        3,
        ("verbosity 3: it is a new kind of task",),
    )
    for number in range(20):
        answer(narrated, f"r{number}")
    assert answer(narrated, "q2").verbosity == 1
    assert answer(narrated, "q3", Verdict.HEDGED).verbosity == 3
    assert answer(narrated, "q4", novelty=1.0).verbosity == 3
    assert narrated.narrator.asked(Request(0, "q5", "what is the light", 500.0, Stakes.HIGH)) == []
    assert "much depends on it" in answer(narrated, "q5").reasons[-1]


def test_an_unasked_turn_is_damped_while_the_driver_is_busy(narrated: Narrated) -> None:
    calm = narrated.narrator.completed(TrustReport(0))
    narrated.narrator.completed(Utterance(0, "a", "Brake, it brakes hard.", Kind.ALERT, Priority.URGENT))
    busy = narrated.narrator.completed(TrustReport(0))
    assert (calm.verbosity, busy.verbosity) == (3, 1)
    assert "the driver is busy" in busy.reasons[-1]


def test_a_correction_of_the_user_brings_everything_back(narrated: Narrated) -> None:
    for number in range(21):
        answer(narrated, f"r{number}")
    (reply,) = narrated.narrator.asked(Request(0, "w", "That is wrong!", 500.0))
    assert (reply.text, reply.request_id, reply.final) == (REPLIES["wrong"], "w", True)
    assert answer(narrated, "next").verbosity == 3


@pytest.mark.parametrize("text", ["be quiet", "Mute", "say less", "tell me more", "stop", "normal"])
def test_requests_about_feedback_have_their_final_word_at_once(narrated: Narrated, text: str) -> None:
    (reply,) = narrated.narrator.asked(Request(0, "q", text, 500.0))
    assert (reply.kind, reply.request_id, reply.final) == (Kind.ANSWER, "q", True)


def test_why_tells_where_it_stands_and_what_was_left_out(narrated: Narrated, make: Callable[..., Any]) -> None:
    assert narrated.narrator.asked(Request(0, "q", "why?", 500.0)) == []
    narrated.narrator.command("less")
    narrated.narrator.command("less")
    narrated.tell(make("task_step", 99.0))
    narrated.at(102.0).tell(make("task_step", 102.0, status=1, result="Luigi is open"))
    (reply,) = narrated.narrator.asked(Request(0, "q", "Why?", 500.0))
    assert reply.text == (
        "Pizza order: 1 of 2 steps are done. Find: Luigi is open. I say only milestones, since the user asked for less."
    )
    assert "Luigi" not in narrated.narrator.command("why")[0].text


def test_a_mute_silences_remarks_and_is_shown(narrated: Narrated, make: Callable[..., Any]) -> None:
    assert narrated.narrator.command(" Mute ") == [Glance("muted")]
    narrated.tell(make("task_step", 100.0))
    narrated.at(120.0)
    assert narrated.texts() == []
    assert narrated.narrator.command("sing") == []


def test_what_was_interrupted_is_told_again(narrated: Narrated, make: Callable[..., Any]) -> None:
    narrated.tell(make("task_step", 100.0))
    narrated.at(103.0).tell(make("task_step", 103.0, status=1, result="Luigi is open"))
    narrated.at(105.0)
    told = next(output for output in narrated.said if isinstance(output, Utterance) and "Luigi" in output.text)
    narrated.narrator.heard(SimpleNamespace(utterance_id=told.id, state=State.INTERRUPTED))
    narrated.at(110.0)
    assert sum("Luigi" in text for text in narrated.texts()) == 2


@pytest.mark.parametrize("sign", ["braking", "talk"])
def test_a_task_that_nobody_asked_for_waits(clock: ManualClock, make: Callable[..., Any], sign: str) -> None:
    talking = sign == "talk"
    narrated = Narrated(clock, talk=lambda samples: talking and samples.size > 0)
    narrated.inbox.put_state(clock.now_ns(), VehicleState(acceleration_mps2=0.0 if talking else -5.0))
    narrated.inbox.put_audio(clock.now_ns(), np.zeros(1600, np.float32))
    narrated.tell(make("task_step", 100.0, unsolicited=True))
    assert narrated.texts() == []
    narrated.at(105.0)
    assert narrated.texts()[0] == "OK, find first."
    assert "late_acknowledgement" not in narrated.faults()


def test_an_acknowledgement_that_is_late_is_named(narrated: Narrated, make: Callable[..., Any]) -> None:
    narrated.narrator._progress.take(make("task_step", 100.0), narrated.clock.monotonic_s())
    narrated.clock.set(101 * S)
    narrated.narrator.due()
    assert narrated.faults() == {"late_acknowledgement"}


# -- what a restart remembers -----------------------------------------------------------------------------------------


def test_what_was_learnt_survives_a_restart(clock: ManualClock, make: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "feedback.json"
    first = Narrated(clock, state_file=str(path))
    run(first, make, 20)
    first.narrator.keep()
    assert json.loads(path.read_text())["kinds"]["pizza order"]["runs"] == 20
    again = Narrated(clock, state_file=str(path))
    run(again, make, 1)
    assert again.texts()[0] == "OK, pizza order."


@pytest.mark.parametrize("content", ["{", '{"format": 1, "offset": 0, "kinds": {"x": 7}}', "[]"])
def test_a_damaged_file_is_named_and_a_fresh_start(clock: ManualClock, tmp_path: Path, content: str) -> None:
    path = tmp_path / "feedback.json"
    path.write_text(content)
    narrated = Narrated(clock, state_file=str(path))
    (fault,) = narrated.inbox.faults.all()
    assert fault.name == "feedback_not_restored"
    assert "feedback.json.damaged" in fault.detail
    assert answer(narrated, "q").verbosity == 3
    narrated.narrator.keep()
    assert path.is_file()


def test_a_file_that_cannot_be_written_is_named(clock: ManualClock, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    narrated = Narrated(clock, state_file=str(tmp_path / "file" / "feedback.json"))
    answer(narrated, "q")
    narrated.narrator.keep()
    assert "feedback_not_kept" in narrated.faults()


# -- clocks and threads -----------------------------------------------------------------------------------------------


def test_a_new_drive_forgets_the_tasks(narrated: Narrated, make: Callable[..., Any]) -> None:
    narrated.tell(make("task_step", 100.0))
    narrated.inbox.put_state(100 * S, VehicleState())
    narrated.inbox.put_state(10 * S, VehicleState())
    narrated.at(130.0)
    assert narrated.texts() == ["OK, find first."]
    assert narrated.said[-1] == Glance("")


def test_offline_remarks_come_between_the_messages(parrot, constants, make: Callable[..., Any]) -> None:
    assistant = OfflineAssistant(AssistantConfig(), parrot, constants)
    assistant.receive("task_step", make("task_step", 50.0), 50 * S)
    assistant.receive("task_step", make("task_step", 53.0, status=1, result="Luigi is open"), 53 * S)
    due_ns = assistant.due_ns()
    assert due_ns == pytest.approx(54.5 * S, abs=S / 100)
    (remark,) = assistant.advance(due_ns or 0)
    assert remark.text == "Find: Luigi is open."
    assert assistant.heard(SimpleNamespace(utterance_id=remark.id, state=State.INTERRUPTED)) == []
    assert assistant.advance(assistant.due_ns() or 0)[0].text == "Find: Luigi is open."
    assert assistant.receive("speech/control", SimpleNamespace(data="why"), 91 * S)[0].text.startswith("Pizza order: 1")


class Kept:
    """What was published, and by when."""

    def __init__(self) -> None:
        self.outputs: list[tuple[float, Any]] = []
        self._changed = threading.Condition()

    def __call__(self, output: Any) -> None:
        with self._changed:
            self.outputs.append((SystemClock().monotonic_s(), output))
            self._changed.notify_all()

    def until(self, text: str) -> float:
        def found() -> list[float]:
            return [at_s for at_s, o in self.outputs if isinstance(o, Utterance) and text in o.text]

        with self._changed:
            assert self._changed.wait_for(found, 10.0)
            return found()[0]


def test_the_thread_speaks_when_a_message_comes_and_when_none_does(make: Callable[..., Any]) -> None:
    narrated, kept = Narrated(SystemClock(), merge_s=0.1, quiet_s=1.0), Kept()
    narration = Narration(narrated.narrator, kept)
    narration.start()
    narration.do(lambda: narrated.narrator.tell(make("task_step", 1.0)))
    kept.until("OK, find first.")
    kept.until("Still: find.")
    narration.stop()
    assert narrated.faults() == set()


def test_a_message_of_another_shape_does_not_end_the_thread(make: Callable[..., Any]) -> None:
    narrated, kept = Narrated(SystemClock()), Kept()
    narration = Narration(narrated.narrator, kept)
    narration.start()
    narration.do(lambda: narrated.narrator.heard(object()))
    narration.do(lambda: narrated.narrator.tell(object()))
    narration.do(lambda: narrated.narrator.tell(make("task_step", 1.0)))
    kept.until("OK, find first.")
    narration.stop()
    assert narrated.faults() == {"narration_failed", "bad_task_step"}


@pytest.mark.parametrize(
    "text", ["wrong", "No, that is wrong.", "that's not true", "You are wrong!", "no that's incorrect"]
)
def test_a_correction_reaches_what_watches_the_answers(narrated, text: str) -> None:
    (reply,) = narrated.narrator.asked(Request(0, "w", text, 500.0))

    assert reply.text == REPLIES["wrong"]
    assert len(narrated.inbox.contradictions()) == 1
    assert narrated.inbox.contradictions() == []


@pytest.mark.parametrize("text", ["no", "is anything wrong with the tyres", "what is that", "wrong way round trip", ""])
def test_other_requests_correct_nothing(narrated, text: str) -> None:
    assert narrated.narrator.asked(Request(0, "w", text, 500.0)) == []
    assert narrated.inbox.contradictions() == []
