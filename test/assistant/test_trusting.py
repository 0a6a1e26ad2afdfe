"""What a session does with its judge: questions, refusals, corrections, and what its reports say."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.intake import Intake
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session, Turn
from mm_edge.engine.base import Percept
from mm_edge.feedback.utterance import Kind
from mm_edge.trust.constants import TrustConstants
from mm_edge.trust.options import Options
from mm_edge.trust.report import Verdict

S = 1_000_000_000
LIGHT = "what does the light show"


class Drive:
    """A session with a camera and requests. `trust`: what its constants are to be."""

    def __init__(self, parrot: Any, trust: TrustConstants, clock: ManualClock, make: Callable[..., Any]) -> None:
        config = AssistantConfig()
        parrot.answers[LIGHT] = "<light> The light is red."
        self.clock, self.make = clock, make
        self.session = Session(config, parrot, trust, Inbox(config, clock), clock, itertools.count(1))
        self.intake = Intake(self.session.inbox, lambda _: None, lambda *_: None)

    def ask(self, text: str, at_s: float) -> Turn:
        self.clock.set(round(at_s * S))
        self.intake.receive("image", self.make("image", at_s))
        pending = self.session.inbox.put_request(Request(self.clock.now_ns(), "q", text, 500.0))
        assert pending is not None
        return self.session.answer(pending)


def said(turn: Turn) -> str:
    assert turn.utterance is not None
    return turn.utterance.text


def test_two_possible_colours_are_a_question(parrot, constants, clock, make, monkeypatch) -> None:
    logits = {"light": np.log(np.array((0.01, 0.55, 0.01, 0.43), np.float32))}

    def unsure(observation: Any, encode: Callable[[Any], Percept] = parrot.encode) -> Percept:
        return replace(encode(observation), logits=logits)

    monkeypatch.setattr(parrot, "encode", unsure)
    parrot.sure = 0.6
    trust = replace(constants, options=Options({"light": 0.2}), novelty=_familiar(constants, logits))

    turn = Drive(parrot, trust, clock, make).ask(LIGHT, 100.0)

    assert said(turn) == "The traffic light: red or green? I cannot tell."
    assert turn.utterance is not None
    assert turn.utterance.kind == Kind.UNSURE
    assert turn.trust.verdict == Verdict.ASKED
    assert "red and green" in turn.trust.reasons[-1]


def _familiar(constants: TrustConstants, logits: dict[str, np.ndarray]) -> Any:
    """One that knows a vector with one energy more."""
    mean, scale = constants.novelty.mean, constants.novelty.scale
    energy = np.logaddexp.reduce(logits["light"])
    return replace(
        constants.novelty,
        mean=np.insert(mean, 2, energy),
        scale=np.insert(scale, 2, 1.0),
        whiten=np.eye(len(mean) + 1),
        typical=100.0,
        extreme=200.0,
    )


def test_a_refusal_that_is_no_sentence_is_still_one(parrot, constants, clock, make) -> None:
    parrot.answers["play music"] = "<refuse> I do not."

    turn = Drive(parrot, constants, clock, make).ask("play music", 100.0)

    assert said(turn) == "I can only talk about the drive."
    assert turn.utterance is not None
    assert turn.utterance.kind == Kind.REFUSED


def test_reports_bound_the_risk_once_outcomes_are_known(parrot, constants, clock, make) -> None:
    drive = Drive(parrot, constants, clock, make)

    assert isnan(drive.ask(LIGHT, 100.0).trust.risk_bound)
    confirmed = drive.ask(LIGHT, 120.0).trust.risk_bound
    drive.session.inbox.contradict()
    corrected = drive.ask(LIGHT, 122.0).trust.risk_bound

    assert 0.0 < confirmed < corrected < 1.0


def test_many_corrections_make_it_doubt_itself(parrot, constants, clock, make) -> None:
    drive = Drive(parrot, constants, clock, make)
    for number in range(12):
        drive.ask(LIGHT, 100.0 + 2 * number)
        drive.session.inbox.contradict()

    turn = drive.ask(LIGHT, 200.0)

    assert turn.trust.verdict == Verdict.HEDGED
    assert "wrong more often" in turn.trust.reasons[0]


@pytest.mark.parametrize("stamp_s", [40.0, 5000.0])
def test_stamps_that_jump_leave_a_working_session(parrot, constants, clock, make, stamp_s) -> None:
    drive = Drive(parrot, constants, clock, make)
    drive.ask(LIGHT, 100.0)
    drive.intake.receive("image", make("image", stamp_s))

    turn = drive.ask("how fast are we", 100.5)

    assert turn.utterance is not None
    assert 0.0 <= turn.trust.confidence <= 1.0
    assert not any("old" in reason for reason in turn.trust.reasons)
