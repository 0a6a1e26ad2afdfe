"""Answers of several sentences: an introduction, then what the log holds."""

from __future__ import annotations

import itertools

import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session, Turn
from mm_edge.assistant.telling import tell
from mm_edge.feedback.utterance import Kind
from mm_edge.generation import DECODERS, IN_TURN
from mm_edge.model.events import Event
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.report import Verdict

ASKED, WHY = "what happened so far", "why did we stop"
NOON_S = 12 * 3600.0


@pytest.fixture
def session(config: AssistantConfig, parrot, constants: TrustConstants, clock: ManualClock) -> Session:
    parrot.answers |= {ASKED: "<summary> Here is what happened.", WHY: "<why> I remember this before the stop."}
    return Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1))


def drive(session: Session) -> None:
    for event in (
        Event(NOON_S, "tunnel"),
        Event(NOON_S + 60, "call", "Anna", (12,)),
        Event(NOON_S + 120, "pedestrian"),
        Event(NOON_S + 180, "stop", numbers=(9,)),
    ):
        session.note(event)


def asked(session: Session, text: str = ASKED, deadline_ms: float = 500.0) -> Turn:
    pending = session.inbox.put_request(Request(session.clock.now_ns(), "q", text, deadline_ms))
    assert pending is not None
    while session.inbox.next_job(timeout_s=0.0) is not pending:  # nobody else waits
        pass
    return session.answer(pending)


def said(turn: Turn) -> str:
    assert turn.utterance is not None
    return turn.utterance.text


WHOLE = (
    "Here is what happened. We passed a tunnel. You talked to Anna for 12 minutes. A pedestrian was in the lane. "
    "We stopped for 9 seconds."
)


def test_a_summary_tells_what_the_log_holds(session: Session) -> None:
    drive(session)
    turn = asked(session)
    assert said(turn) == WHOLE
    assert turn.utterance is not None
    assert (turn.utterance.kind, turn.utterance.topic) == (Kind.ANSWER, "summary")
    assert turn.trust.verdict == Verdict.ACCEPTED


def test_the_sentences_of_a_summary_take_the_passes_of_one(session: Session) -> None:
    drive(session)
    assert asked(session).latency.passes == 2, "one for the introduction, one for all the others"


def test_of_an_empty_log_it_says_that_it_is_empty(session: Session) -> None:
    assert said(asked(session)) == "Here is what happened. There is nothing in my log."


def test_the_reason_of_a_stop_is_what_came_before_it(session: Session) -> None:
    drive(session)
    expected = "I remember this before the stop. A pedestrian was in the lane. We stopped for 9 seconds."
    assert said(asked(session, WHY)) == expected


def test_without_any_time_the_answer_is_still_whole(session: Session, parrot) -> None:
    drive(session)
    parrot.cost_s = 3.0
    turn = asked(session, deadline_ms=50.0)
    assert said(turn) == WHOLE
    assert turn.latency.passes == 2
    assert turn.latency.reason.endswith("; settled")


def test_unsure_sentences_are_not_improved_when_the_time_is_up(session: Session, parrot) -> None:
    drive(session)
    parrot.sure, parrot.cost_s = 0.5, 3.0
    turn = asked(session, deadline_ms=50.0)
    assert turn.latency.passes == 2
    assert said(turn).startswith("I think here is what happened.")
    assert said(turn).endswith("We stopped for 9 seconds.")


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_can_tell(config, parrot, constants, clock, decoder: str) -> None:
    config = config.model_copy(update={"decoder": decoder})
    parrot.answers[ASKED] = "<summary> Here is what happened."
    session = Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1))
    drive(session)
    assert said(asked(session)) == WHOLE


def test_an_answer_is_as_sure_as_its_least_sure_sentence(session: Session, parrot, monkeypatch) -> None:
    drive(session)
    odds = parrot._odds

    def doubtful(context):
        parrot.sure = 0.5 if "tunnel" in parrot.sayings[int(context.stated)] else 0.99
        return odds(context)

    monkeypatch.setattr(parrot, "_odds", doubtful)
    turn = asked(session)
    assert turn.trust.verdict == Verdict.HEDGED
    assert turn.trust.confidence < 0.7


def test_a_sentence_that_the_language_has_not_is_left_out(session: Session, parrot, monkeypatch) -> None:
    drive(session)
    told = parrot._told

    def stammers(claim):
        return "<told> We we passed." if "tunnel" in claim else told(claim)

    monkeypatch.setattr(parrot, "_told", stammers)
    assert said(asked(session)) == WHOLE.replace(" We passed a tunnel.", "")


def test_other_topics_have_one_sentence(session: Session, parrot) -> None:
    drive(session)
    parrot.answers["how fast are we"] = "<speed> The speed is {speed}."
    assert said(asked(session, "how fast are we")).count(".") == 1
    assert [*tell(parrot, "speed", session.logbook.log.lines, 1, "quality", 4, [])] == []


def test_sentences_are_worded_side_by_side(session: Session, parrot) -> None:
    drive(session)
    for decoder in DECODERS:
        *_, last = tell(parrot, "summary", session.logbook.log.lines, 1, decoder, 24, [])
        assert len(last) == 4
        assert all(draft.done and draft.is_sentence for draft in last)
        assert (last[0].passes > 1) == (decoder in IN_TURN)
