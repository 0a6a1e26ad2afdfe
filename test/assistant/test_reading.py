"""What a turn reads when time is short, with an engine whose stages take as long as a test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.intake import Intake
from mm_edge.assistant.reading import PERCEPT_REUSE_S, Reader
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session, Turn
from mm_edge.assistant.thinking import Bounds, Thinker
from mm_edge.compute.planner import Plan, Planner, PlanTable, Reading, Worth
from mm_edge.memory.drive import DriveMemory
from mm_edge.model.observation import Observation
from mm_edge.trust.constants import TrustConstants

S = 1_000_000_000
ASKED = "what does the light show"
STAGES_MS = {"encode": 40.0, "understand": 10.0, "find": 30.0, "find:short": 10.0, "pass:flow": 10.0}


def worth(accuracy: float) -> Worth:
    return Worth(accuracy, 1.0, 100)


NOW = {Reading(): worth(0.98), Reading(whole=False): worth(0.98), Reading(0.5): worth(0.90)}
PAST = {Reading(): worth(0.98), Reading(whole=False): worth(0.70), Reading(0.5): worth(0.98)}
TABLE = PlanTable("", {"now": {Plan("flow", 1): worth(0.98)}}, None, {"now": NOW, "past": PAST})


@pytest.fixture
def planner() -> Planner:
    planner = Planner(TABLE)
    for stage, ms in STAGES_MS.items():
        for _ in range(5):
            planner.latency.observe(stage, ms)
    return planner


@pytest.fixture
def house(config: AssistantConfig, parrot, constants: TrustConstants, clock: ManualClock, make, planner) -> House:
    return House(config, parrot, constants, clock, make, planner)


class House:
    """A session that a picture came to, and was looked at, at 100 s."""

    def __init__(self, config, parrot, constants, clock, make: Callable[..., Any], planner: Planner) -> None:
        parrot.answers[ASKED] = "<light> The light is red."
        self.clock, self.make, self.parrot = clock, make, parrot
        numbers = itertools.count(1)
        self.session = Session(config, parrot, constants, Inbox(config, clock), clock, numbers, planner=planner)
        self.intake = Intake(self.session.inbox, lambda _: None, lambda *_: None)
        self.see(100.0)
        self.session.look(self.session.inbox.next_job(timeout_s=0.0))

    def see(self, at_s: float) -> None:
        self.clock.set(round(at_s * S))
        self.intake.receive("image", self.make("image", at_s, frame_id="camera"))

    def ask(self, deadline_ms: float) -> Turn:
        pending = self.session.inbox.put_request(Request(self.clock.now_ns(), "q", ASKED, deadline_ms))
        assert pending is not None
        while self.session.inbox.next_job(timeout_s=0.0) is not pending:
            pass
        return self.session.answer(pending)


def test_a_request_with_time_gets_a_new_picture(house: House) -> None:
    house.see(100.4)
    turn = house.ask(1000.0)
    assert " image=10 " in turn.latency.plan
    assert turn.latency.stamp_ns == 100.4 * S
    assert "; a new picture: right in 98.0%" in turn.latency.reason


def test_a_request_without_time_is_answered_from_the_last_glance_whose_age_is_told(house: House) -> None:
    house.see(100.4)
    turn = house.ask(65.0)
    assert turn.utterance is not None
    assert " image=0 " in turn.latency.plan
    assert "; the glance of 0.40 s ago: right in 94.0%, others do not fit" in turn.latency.reason
    assert turn.utterance.stamp_ns == turn.latency.stamp_ns == 100 * S
    assert turn.trust.image_age_ms == pytest.approx(400)


def test_a_glance_older_than_any_that_was_measured_serves_nobody(house: House) -> None:
    house.see(100.6)
    assert " image=10 " in house.ask(65.0).latency.plan


def test_who_does_not_ask_gets_a_new_picture(house: House) -> None:
    house.see(100.3)
    turn = house.session.look(house.session.inbox.next_job(timeout_s=0.0))
    assert turn is not None
    assert " image=10 " in turn.latency.plan


def test_a_glance_without_a_picture_is_taken_anew(house: House) -> None:
    house.clock.set(102 * S)
    house.ask(1000.0)
    house.see(102.3)
    assert " image=10 " in house.ask(65.0).latency.plan


def test_one_glance_serves_those_who_come_a_moment_later(house: House) -> None:
    house.clock.set(round((100 + PERCEPT_REUSE_S) * S))
    turn = house.ask(1000.0)
    assert " image=0 " in turn.latency.plan
    assert turn.trust.image_age_ms == pytest.approx(1e3 * PERCEPT_REUSE_S)


@pytest.mark.parametrize(
    ("about", "left_ms", "words"),
    [("<last_caller>", 100.0, 150), ("<last_caller>", 45.0, 128), ("<light>", 100.0, 0), ("<summary>", 100.0, 0)],
)
def test_the_end_of_the_log_does_where_time_is_short_and_the_present_needs_none(
    parrot, clock: ManualClock, planner: Planner, about: str, left_ms: float, words: int
) -> None:
    parrot.about = (about, "call")
    memory = DriveMemory(parrot)
    for _ in range(50):
        memory.write(("tunnel", "=14", "=9"))
    reader = Reader(parrot, Thinker(parrot, clock, planner))
    scene = parrot.look(None, parrot.encode(Observation(1)))
    found = reader.find(scene, "who called", 1, memory, Bounds(clock.monotonic_s() + left_ms / 1e3))
    assert len(parrot.logs[-1]) == words
    assert found.slots == (words if words <= 128 else parrot.log_length + parrot.memory_length)
    assert ("the end of the log" in found.why) == (words == 128)


@pytest.mark.parametrize(("lines", "slots"), [(0, 0), (42, 128)])
def test_there_is_no_choice_while_the_log_is_short(
    parrot, clock: ManualClock, planner: Planner, lines: int, slots: int
) -> None:
    parrot.about = ("<last_caller>", "call")
    memory = DriveMemory(parrot)
    for _ in range(lines):
        memory.write(("tunnel", "=14", "=9"))
    reader = Reader(parrot, Thinker(parrot, clock, planner))
    scene = parrot.look(None, parrot.encode(Observation(1)))
    found = reader.find(scene, ASKED, 1, memory, Bounds(clock.monotonic_s()))
    assert (found.slots, found.why) == (slots, "")


def test_without_a_table_everything_is_read(parrot, clock: ManualClock) -> None:
    parrot.about = ("<last_caller>", "call")
    memory = DriveMemory(parrot)
    for _ in range(50):
        memory.write(("tunnel", "=14", "=9"))
    reader = Reader(parrot, Thinker(parrot, clock, Planner()))
    scene = parrot.look(None, parrot.encode(Observation(1)))
    reader.find(scene, ASKED, 1, memory, Bounds(clock.monotonic_s()))
    assert len(parrot.logs[-1]) == 150


@pytest.mark.parametrize(("words", "stage"), [(3, "understand:short"), (12, "understand:short"), (13, "understand")])
def test_long_requests_are_a_stage_of_their_own(parrot, clock: ManualClock, words: int, stage: str) -> None:
    thinker = Thinker(parrot, clock, Planner())
    Reader(parrot, thinker).find(parrot.look(None, parrot.encode(None)), " ".join(["the"] * words), 1, None, Bounds())
    assert stage in thinker.planner.latency.stages
