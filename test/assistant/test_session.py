"""One turn at a time, with an engine that says what it is told to."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox, Look
from mm_edge.assistant.intake import Intake
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session, Turn
from mm_edge.compute.planner import Plan, Planner, PlanTable, Worth
from mm_edge.feedback.utterance import Kind, Priority
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.report import Verdict

S = 1_000_000_000


@pytest.fixture
def session(config: AssistantConfig, parrot, constants: TrustConstants, clock: ManualClock) -> Session:
    return Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1))


@pytest.fixture
def see(session: Session, clock: ManualClock, make: Callable[..., Any]) -> Callable[[float], None]:
    """`see(at_s)`: a camera frame and the vehicle's signals at that time."""
    intake = Intake(session.inbox, lambda _: None, lambda *_: None)

    def seen(at_s: float) -> None:
        clock.set(round(at_s * S))
        intake.receive("vehicle_state", make("vehicle_state", at_s))
        intake.receive("image", make("image", at_s, frame_id="camera"))

    return seen


def asked(session: Session, text: str = "how fast are we", deadline_ms: float = 500.0) -> Turn:
    pending = session.inbox.put_request(Request(session.clock.now_ns(), "q", text, deadline_ms))
    assert pending is not None
    while session.inbox.next_job(timeout_s=0.0) is not pending:  # nobody else waits
        pass
    return session.answer(pending)


def looked(session: Session) -> Turn | None:
    job = session.inbox.next_job(timeout_s=0.0)
    assert isinstance(job, Look)
    return session.look(job)


def test_numbers_come_from_the_vehicle(session: Session, parrot, see) -> None:
    parrot.answers["how fast are we"] = "<speed> The speed is {speed}."
    see(100.0)
    said = asked(session).utterance
    assert said is not None
    assert said.text == "The speed is 36."
    assert (said.kind, said.final, said.request_id) == (Kind.ANSWER, True, "q")


def test_outputs_carry_the_stamp_of_the_input(session: Session, see) -> None:
    see(100.0)
    session.clock.set(100 * S + S // 5)  # type: ignore[attr-defined]
    turn = asked(session)
    stamps = {turn.utterance.stamp_ns, turn.latency.stamp_ns, turn.trust.stamp_ns, turn.scene.stamp_ns}  # type: ignore[union-attr]
    assert stamps == {100 * S}
    assert turn.trust.image_age_ms == pytest.approx(200)
    assert turn.latency.frame_id == "camera"


@pytest.mark.parametrize(
    ("sure", "kind", "verdict", "said"),
    [
        (0.95, Kind.ANSWER, Verdict.ACCEPTED, "The light is red."),
        (0.60, Kind.ANSWER, Verdict.HEDGED, "I think the light is red."),
        (0.30, Kind.UNSURE, Verdict.ABSTAINED, "I am not sure"),
    ],
)
def test_confidence_decides_the_wording(session: Session, parrot, see, sure, kind, verdict, said) -> None:
    parrot.answers["what does the light show"], parrot.sure = "<light> The light is red.", sure
    see(100.0)
    turn = asked(session, "what does the light show")
    assert turn.utterance is not None
    assert turn.utterance.kind == kind
    assert turn.trust.verdict == verdict
    assert turn.utterance.text.startswith(said)


def test_passes_end_when_the_time_is_up(session: Session, parrot, see) -> None:
    parrot.sure, parrot.cost_s = 0.5, 0.1
    see(100.0)
    turn = asked(session, deadline_ms=250.0)
    assert turn.latency.passes == 2
    assert turn.latency.reason.endswith("; no time for another pass")


def test_the_first_pass_always_counts(session: Session, parrot, see) -> None:
    parrot.cost_s = 3.0
    see(100.0)
    turn = asked(session, deadline_ms=50.0)
    assert turn.utterance is not None
    assert turn.utterance.text
    assert turn.latency.passes == 1


def test_every_report_says_which_plan_and_why(config, parrot, constants, clock, see, session: Session) -> None:
    parrot.cost_s = 0.05
    worths = {Plan("flow", 1): Worth(0.9, 1.0, 500), Plan("quality", 8): Worth(0.97, 2.0, 500)}
    planner = Planner(PlanTable("", {"now": worths, "watch": worths}))
    for plan in worths:
        planner.latency.observe(f"pass:{plan.decoder}", 50.0)
    planned = Session(config, parrot, constants, session.inbox, clock, itertools.count(1), planner=planner)
    see(100.0)
    unasked = looked(planned)
    assert unasked is not None
    reports = [unasked.latency, *(asked(planned, deadline_ms=ms).latency for ms in (1000.0, 90.0, 5.0))]
    seen = "image=10 slots=0", "image=0 slots=0", "image=0 slots=0", "image=10 slots=0"
    words = "quality passes<=8", "quality passes<=8", "flow passes<=1", "flow passes<=1"
    assert [report.plan for report in reports] == [
        f"small/{how} {where}" for how, where in zip(words, seen, strict=True)
    ]
    whys = (
        "right in 97.0% of 'watch'",
        "right in 97.0% of 'now'",
        "right in 90.0% of 'now'",
        "no plan fits",
    )
    assert all(report.reason.startswith(why) for report, why in zip(reports, whys, strict=True))


def test_an_alert_is_said_once_and_urgently(session: Session, parrot, see) -> None:
    parrot.answers[""] = "<alert:lead_braking> The vehicle ahead is braking hard."
    turns = []
    for step in range(5):
        see(100.0 + 0.2 * step)
        turns.append(looked(session))
    said = [turn.utterance for turn in turns if turn and turn.utterance]
    assert [(u.kind, u.priority, u.topic) for u in said] == [(Kind.ALERT, Priority.URGENT, "lead_braking")]
    assert said[0].expires_ns == 100 * S + 2 * S


def test_nothing_is_said_when_nothing_is_worth_it(session: Session, see) -> None:
    see(100.0)
    turn = looked(session)
    assert turn is not None
    assert turn.utterance is None
    assert turn.scene.values == ("red",)


def test_a_late_frame_only_enters_the_history(session: Session, parrot, see) -> None:
    see(100.0)
    job = session.inbox.next_job(timeout_s=0.0)
    session.clock.set(100 * S + S // 2)  # type: ignore[attr-defined]
    assert session.look(job) is None
    assert session.history.report(0).observations == 1
    see(101.0)
    turn = looked(session)
    assert turn is not None
    assert turn.latency.dropped_frames == 1


def test_the_history_grows_and_ends_with_the_drive(session: Session, parrot, see) -> None:
    for step in range(6):
        see(100.0 + 0.5 * step)
        looked(session)
    assert parrot.histories == [0, 1, 2, 3, 4, 4]
    session.inbox.put_image(5 * S, lambda: None)  # type: ignore[arg-type,return-value]
    assert session.inbox.epoch == 1
    asked(session)
    assert session.history.report(0).observations == 1


def test_the_same_seed_says_the_same_words(config, parrot, constants, clock) -> None:
    styles: list[list[int]] = []
    for _ in range(2):
        session = Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1))
        styles.append([session._style() for _ in range(20)])
    assert styles[0] == styles[1]
    assert len(set(styles[0])) > 3


def test_a_request_is_never_answered_with_an_alert_or_with_silence(session: Session, parrot, see) -> None:
    for said in ("<silent>", "<alert:siren> I hear a siren."):
        parrot.answers["hi"] = said
        see(100.0)
        utterance = asked(session, "hi").utterance
        assert utterance is not None
        assert utterance.text
        assert utterance.topic not in ("silent", "alert:siren")


def test_what_is_no_sentence_is_not_said(session: Session, parrot, see) -> None:
    parrot.answers["what colour is the light"] = "<light> The light light is."
    see(100.0)
    turn = asked(session, "what colour is the light")
    assert turn.utterance is not None
    assert turn.utterance.kind == Kind.UNSURE
    assert turn.utterance.text == "I am not sure about the traffic light."
    assert "no sentence" in turn.trust.reasons[0]
