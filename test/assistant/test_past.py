"""Questions about the past: what is told and seen becomes the log that every turn is answered from; and the path."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pytest
import torch

from mm_edge.assistant.advice import PathAdvice
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.offline import OfflineAssistant
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session
from mm_edge.assistant.telling import TOLD
from mm_edge.assistant.topics import LOG_TOPICS
from mm_edge.engine.base import Percept
from mm_edge.feedback.utterance import Kind, Utterance
from mm_edge.memory.report import MemoryReport
from mm_edge.model.events import Event
from mm_edge.model.observation import Observation
from mm_edge.trust.constants import TrustConstants
from mm_edge.world.recall import HISTORY_FAMILIES

S = 1_000_000_000
Tell = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
def asked_about_the_past(parrot) -> None:
    """So that the log is looked at."""
    parrot.about = ("<last_caller>", "call")


@pytest.fixture
def assistant(config: AssistantConfig, parrot, constants: TrustConstants) -> OfflineAssistant:
    return OfflineAssistant(config, parrot, constants)


@pytest.fixture
def tell(assistant: OfflineAssistant, parrot, make: Callable[..., Any]) -> Tell:
    """`tell(topic, at_s, **fields)`: what comes of a message."""
    parrot._clock = assistant.clock
    return lambda topic, at_s, **fields: assistant.receive(topic, make(topic, at_s, **fields), round(at_s * S))


def of(kind: type, outputs: list[Any]) -> list[Any]:
    return [output for output in outputs if isinstance(output, kind)]


def answer(outputs: list[Any]) -> Utterance:
    (said,) = [said for said in of(Utterance, outputs) if said.final]
    return said


def see(tell: Tell, at_s: float, **state: float) -> list[Any]:
    """The vehicle's signals, and a picture for a look of its own."""
    return [*tell("vehicle_state", at_s - 0.05, **state), *tell("image", at_s)]


def test_who_called_is_answered_by_name(tell: Tell, parrot) -> None:
    parrot.answers["how long did i talk to @0"] = "<call_length> You talked for =12 minutes."
    parrot.answers["who called last"] = "<last_caller> @0 called last."
    tell("event", 100.0, name="Aunt Mary")
    asked = "how long did i talk to aunt mary"
    assert answer(tell("request", 101.0, text=asked)).text == "You talked for 12 minutes."
    assert answer(tell("request", 102.0, text="who called last")).text == "Aunt Mary called last."
    assert parrot.logs[-1] == ("call", "@0", "=12", "=0", "=1")


def test_a_doubtful_answer_keeps_the_names_capital(tell: Tell, parrot) -> None:
    parrot.answers["who called last"], parrot.sure = "<last_caller> @0 called last.", 0.6
    tell("event", 100.0)
    assert answer(tell("request", 101.0, text="who called last")).text == "I think Anna called last."


def test_a_name_that_nobody_has_is_not_said(tell: Tell, parrot) -> None:
    parrot.answers["who called last"] = "<last_caller> @7 called last."
    tell("event", 100.0)
    said = answer(tell("request", 101.0, text="who called last"))
    assert "someone" not in said.text.lower()
    assert said.kind == Kind.UNSURE


def test_an_event_is_logged_before_the_request_that_follows(tell: Tell, parrot) -> None:
    for number in range(12):
        tell("event", 100.0, name=f"Person {number}")
    tell("request", 100.0)
    assert [word for word in parrot.logs[-1] if word.startswith("@")] == [f"@{k}" for k in range(12)]


def test_only_what_is_new_is_read_and_on_looks(tell: Tell, parrot) -> None:
    parrot.facts = {}
    see(tell, 99.0)
    tell("event", 100.0)
    see(tell, 100.1)
    assert parrot.reads == [5]
    tell("request", 100.2)
    tell("request", 100.3)
    assert parrot.reads == [5]
    tell("event", 100.4, kind="tunnel", name="", numbers=[])
    tell("request", 100.5)
    assert parrot.reads == [5, 3]
    assert parrot.logs[-1] == ("call", "@0", "=12", "=0", "=1", "tunnel", "=0", "=1")


def test_a_reading_that_fails_is_begun_again(assistant: OfflineAssistant, tell: Tell, parrot) -> None:
    tell("event", 100.0)
    read, parrot.read = parrot.read, lambda words, known: 1 / 0
    with pytest.raises(ZeroDivisionError):
        tell("request", 100.1)
    parrot.read = read
    tell("request", 100.2)
    assert parrot.reads == [5]


@pytest.mark.parametrize("watch", [True, False])
def test_what_is_seen_enters_the_log(config, parrot, constants, make, watch: bool) -> None:
    assistant = OfflineAssistant(config.model_copy(update={"watch": watch}), parrot, constants)
    parrot._clock = assistant.clock

    def look(at_s: float, speed_mps: float, limit: str) -> None:
        parrot.facts = {"limit": (limit, 0.95), "light": ("red", 0.95)}
        for topic, fields in (("vehicle_state", {"speed_mps": speed_mps}), ("image", {})):
            assistant.receive(topic, make(topic, at_s, **fields), round(at_s * S))

    for step in range(100):
        look(100 + 0.1 * step, 0.0 if 20 < step < 80 else 10.0, "70" if step < 10 else "none")
    assistant.receive("request", make("request", 111.0), 111 * S)
    assert parrot.logs[-1] == ("limit", "=70", "=0", "=1", "red", "=6", "=0", "=1")


def test_an_alert_that_is_raised_enters_the_log(tell: Tell, parrot) -> None:
    parrot.answers[""] = "<alert:lead_braking> The vehicle ahead is braking hard."
    for step in range(5):
        see(tell, 100 + 0.2 * step)
    tell("request", 102.0)
    assert parrot.logs[-1] == ("brake", "=0", "=1")


def test_tasks_enter_the_log(tell: Tell, parrot) -> None:
    for index, status in itertools.product((1, 2), (0, 1)):
        tell("task_step", 100.0, index=index, status=status)
    tell("request", 100.5)
    assert parrot.logs[-1] == ("task", "@0", "=0", "=1", "done", "@0", "=0", "=1")


def test_times_are_local(config, parrot, constants, make) -> None:
    assistant = OfflineAssistant(config.model_copy(update={"utc_offset_h": 2.0}), parrot, constants)
    assistant.receive("event", make("event", 100.0), 100 * S)
    assistant.receive("task_step", make("task_step", 100.0), 100 * S)
    assistant.receive("request", make("request", 101.0), 101 * S)
    assert parrot.logs[-1] == ("call", "@0", "=12", "=2", "=1", "task", "@1", "=2", "=1")


def test_the_log_ends_with_the_drive(tell: Tell, parrot) -> None:
    see(tell, 100.0)
    tell("event", 100.1)
    see(tell, 5.0)
    tell("event", 5.1, name="Ben")
    parrot.answers["who called last"] = "<last_caller> @0 called last."
    assert answer(tell("request", 5.2, text="who called last")).text == "Ben called last."
    assert parrot.logs[-1] == ("call", "@0", "=12", "=0", "=0")


@pytest.mark.parametrize("fields", [{"kind": "sneeze"}, {"numbers": [float("nan")]}, {"name": "?"}, {"numbers": 3}])
def test_a_bad_event_is_named_and_no_more(assistant, tell: Tell, parrot, fields: dict[str, Any]) -> None:
    assert tell("event", 100.0, **fields) == []
    (fault,) = assistant.inbox.faults.all()
    assert fault.name in ("bad_event", "bad_message")
    assert fault.detail.startswith("event: ")
    tell("request", 100.1)
    assert parrot.logs[-1] == ()


def test_the_memory_report_counts_the_log(tell: Tell) -> None:
    before = of(MemoryReport, see(tell, 100.0))[-1]
    for number in range(20):
        tell("event", 100.02, name=f"Person {number}")
    (after,) = of(MemoryReport, tell("request", 100.05))
    assert after.capacity == before.capacity
    assert after.logical_length - before.logical_length == 100
    assert after.physical_length - before.physical_length == 100
    assert after.bytes > before.bytes
    assert isnan(after.compaction_ms)
    for number in range(20):
        tell("event", 100.06, name=f"Person {number}")
    (later,) = of(MemoryReport, tell("request", 100.1))
    assert later.logical_length - before.logical_length == 200
    assert later.physical_length - before.physical_length < 16 + 192
    assert later.compaction_ms > 0


def test_what_is_counted_is_answered_by_the_ledger(tell: Tell, parrot) -> None:
    tell("event", 100.0, kind="place", name="Ulm", numbers=[])
    for _ in range(3):
        tell("event", 100.0, kind="stop", name="", numbers=[9])
    parrot.answers["how many stops since @0"] = "<stops_since> We have stopped =7 times since then."
    parrot.about = ("<stops_since>", "@0")
    assert "3" in answer(tell("request", 101.0, text="how many stops since ulm")).text


def test_every_topic_of_the_past_is_known_to_need_no_eyes() -> None:
    assert {*HISTORY_FAMILIES, *TOLD, "told"} == LOG_TOPICS


def test_a_look_says_where_the_vehicle_will_go(tell: Tell, parrot) -> None:
    for step in range(3):
        (advice,) = of(PathAdvice, see(tell, 100.0 + step / 2, speed_mps=10.0)[-1:])
    assert parrot.ways == [(0, 10.0), (1, 10.0), (2, 10.0)], "one path for each picture"
    assert (advice.stamp_ns, advice.frame_id) == (101 * S, "base_link")
    assert advice.positions_m[0] == (5.0, 0.0)
    assert len(advice.positions_m) == 8


def test_no_path_without_a_picture_a_speed_or_when_reversing(tell: Tell, parrot) -> None:
    assert of(PathAdvice, tell("vehicle_state", 100.0)) == []
    assert of(PathAdvice, see(tell, 100.5, speed_mps=float("nan"))) == []
    assert of(PathAdvice, see(tell, 101.0, speed_mps=-3.0)) == []
    assert of(PathAdvice, tell("request", 101.2)) == []
    assert parrot.ways == []


@pytest.mark.parametrize(("settings", "count"), [({"advise": False}, 0), ({"watch": False}, 1)])
def test_paths_are_given_if_they_are_wanted_also_without_alerts(
    config, parrot, constants, make, settings: dict[str, bool], count: int
) -> None:
    assistant = OfflineAssistant(config.model_copy(update=settings), parrot, constants)
    assistant.receive("vehicle_state", make("vehicle_state", 99.9), 100 * S - S // 10)
    outputs = assistant.receive("image", make("image", 100.0), 100 * S)
    assert (len(of(PathAdvice, outputs)), len(parrot.ways)) == (count, count)


def test_a_path_makes_no_request_wait(assistant: OfflineAssistant, tell: Tell, parrot) -> None:
    encode = parrot.encode

    def interrupted(observation: Observation) -> Percept:
        assistant.inbox.put_request(Request(100 * S, "q", "what is ahead", 500.0))
        return encode(observation)

    tell("vehicle_state", 99.9, speed_mps=10.0)
    parrot.encode = interrupted
    assert of(PathAdvice, tell("image", 100.0)) == []
    parrot.encode = encode
    assert len(of(PathAdvice, tell("image", 100.5))) == 1


def test_a_path_of_no_numbers_is_named_and_left_out(assistant: OfflineAssistant, tell: Tell, parrot) -> None:
    parrot.way = torch.full((8, 2), float("nan"))
    assert of(PathAdvice, see(tell, 100.0)) == []
    assert [fault.name for fault in assistant.inbox.faults.all()] == ["bad_path"]


@pytest.fixture
def kept(config: AssistantConfig, tmp_path: Path) -> AssistantConfig:
    """Settings with which the memory is kept in a file."""
    return config.model_copy(update={"memory_file": str(tmp_path / "memory"), "memory_save_s": 0.5})


Drive = Callable[..., OfflineAssistant]


@pytest.fixture
def drive(parrot, constants: TrustConstants, make: Callable[..., Any]) -> Drive:
    """`drive(config, at_s, *people)`: an assistant that has just been started, sees something, and notes calls."""

    def driven(config: AssistantConfig, at_s: float, *people: str) -> OfflineAssistant:
        assistant = OfflineAssistant(config, parrot, constants)
        parrot._clock = assistant.clock
        for who in people:
            assistant.receive("event", make("event", at_s, name=who), round(at_s * S))
        for step in range(3):
            moment_s = at_s + step
            assistant.receive("image", make("image", moment_s), round(moment_s * S))
        return assistant

    return driven


def names_asked(assistant: OfflineAssistant, parrot, make: Callable[..., Any], at_s: float) -> list[str]:
    """The names in the log that a request is answered from."""
    assistant.receive("request", make("request", at_s), round(at_s * S))
    return [word for word in parrot.logs[-1] if word.startswith("@")]


def test_a_drive_goes_on_after_a_restart(kept, drive: Drive, parrot, make) -> None:
    drive(kept, 100.0, "Anna", "Ben")
    again = drive(kept, 110.0, "Ben", "Clara")
    assert names_asked(again, parrot, make, 113.0) == ["@0", "@1", "@1", "@2"]
    assert again.inbox.faults.all() == []


def test_another_drive_begins_with_nothing(kept, drive: Drive, parrot, make) -> None:
    drive(kept, 100.0, "Anna")
    later = drive(kept, 100.0 + kept.memory_resume_s + 60, "Ben")
    assert names_asked(later, parrot, make, 4000.0) == ["@0"]


def test_a_damaged_memory_is_named_and_set_aside(kept, drive: Drive, parrot, make) -> None:
    drive(kept, 100.0, "Anna")
    path = Path(kept.memory_file)
    path.write_bytes(path.read_bytes()[:-1])
    again = drive(kept, 110.0, "Ben")
    assert names_asked(again, parrot, make, 113.0) == ["@0"]
    assert [fault.name for fault in again.inbox.faults.all()] == ["memory_not_restored"]
    assert path.with_name("memory.damaged").exists()


def test_the_memory_of_other_weights_is_named_and_not_used(kept, drive: Drive, parrot, constants, make) -> None:
    drive(kept, 100.0, "Anna")
    other = OfflineAssistant(kept, parrot, replace(constants, weights_sha256="others"))
    parrot._clock = other.clock
    assert names_asked(other, parrot, make, 110.0) == []
    assert [fault.name for fault in other.inbox.faults.all()] == ["memory_not_restored"]


def test_a_disk_that_takes_nothing_is_named(config, drive: Drive) -> None:
    full = config.model_copy(update={"memory_file": "/dev/full/memory", "memory_save_s": 0.5})
    assistant = drive(full, 100.0, "Anna")
    assert {fault.name for fault in assistant.inbox.faults.all()} == {"memory_not_restored", "memory_not_kept"}


def test_a_successor_remembers_and_its_predecessor_keeps_no_file_any_more(config, parrot, constants, clock, tmp_path):
    config = config.model_copy(update={"memory_file": str(tmp_path / "drive.memory")})
    before, after = (
        Session(config, parrot, constants, Inbox(config, clock), clock, itertools.count(1)) for _ in range(2)
    )
    before.note(Event(0.0, "call", "Anna", (12,)))
    after.take_over(before)
    before.note(Event(1.0, "call", "Ben", (3,)))
    before.close()
    assert not (tmp_path / "drive.memory").exists()
    assert [words[:2] for words in after.logbook.log.lines] == [["call", "@0"]]
    assert after.logbook.log.marked("who is anna and ben") == "who is @0 and ben"
    after.note(Event(2.0, "call", "Carl", (1,)))
    after.close()
    assert (tmp_path / "drive.memory").exists()
