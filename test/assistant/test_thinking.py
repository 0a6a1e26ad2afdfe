"""What a deadline buys, with an engine whose passes take as long as a test says."""

from __future__ import annotations

from math import inf

import pytest

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.thinking import Bounds, Made, Task, Thinker
from mm_edge.assistant.topics import request_class
from mm_edge.compute.device import ComputeState
from mm_edge.compute.planner import Plan, Planner, PlanTable, Worth
from mm_edge.world.grammar import sentences

TABLE = PlanTable("", {"now": {Plan("flow", 1): Worth(0.90, 1.0, 500), Plan("quality", 8): Worth(0.97, 3.0, 500)}})
ASKED = "what does the light show"


@pytest.fixture
def thinker(parrot, clock: ManualClock) -> Thinker:
    """On a machine on which a pass takes 10 ms, as it knows already."""
    parrot.answers[ASKED] = "<light> The light is red."
    parrot.cost_s = 0.01
    planner = Planner(TABLE)
    for stage in ("pass:flow", "pass:quality"):
        for _ in range(5):
            planner.latency.observe(stage, 10.0)
    return Thinker(parrot, clock, planner)


def thought(thinker: Thinker, parrot, clock: ManualClock, left_ms: float | None, **bounds: object) -> Made:
    context = parrot.prefill(parrot.look(None, parrot.encode(None)), ASKED, 1)
    due_s = inf if left_ms is None else clock.monotonic_s() + left_ms / 1e3
    return thinker.think(Task(context, ASKED), Bounds(due_s, **bounds))  # type: ignore[arg-type]


@pytest.mark.parametrize(("left_ms", "decoder"), [(15.0, "flow"), (100.0, "quality"), (None, "quality")])
def test_the_deadline_chooses(thinker, parrot, clock, left_ms, decoder) -> None:
    made = thought(thinker, parrot, clock, left_ms)
    assert made.plan.decoder == decoder
    assert made.draft.text == "The light is red."


@pytest.mark.parametrize("left_ms", [-100.0, 0.0, 1.0])
def test_there_is_an_answer_when_it_is_too_late(thinker, parrot, clock, left_ms: float) -> None:
    made = thought(thinker, parrot, clock, left_ms)
    assert made.plan == Plan("flow", 1)
    assert made.draft.is_sentence
    assert made.draft.passes == 1


def test_a_long_sentence_is_no_sign_of_a_slow_machine(thinker, parrot, clock) -> None:
    """It is made in a longer block."""
    parrot.answers[ASKED] = max(
        (each for each in sentences() if len(each.split()) < 14), key=lambda text: len(text.split())
    )
    parrot.cost_s = 0.03
    for _ in range(3):
        thought(thinker, parrot, clock, None)
    latency = thinker.planner.latency
    assert latency.load == 1.0
    assert "pass:quality:long" in latency.stages


def test_passes_stop_in_time_when_the_machine_becomes_slower_on_the_way(thinker, parrot, clock) -> None:
    parrot.sure = 0.5
    parrot.cost_s = 0.03
    made = thought(thinker, parrot, clock, 80.0)
    assert made.plan.decoder == "quality"
    assert made.ms <= 80.0
    assert made.reason.endswith("no time for another pass")


def test_a_machine_that_became_slower_gets_cheaper_plans_afterwards(thinker, parrot, clock) -> None:
    parrot.sure = 0.5
    plans = []
    for cost_s in (0.01, 0.04, 0.04, 0.04):
        parrot.cost_s = cost_s
        plans.append(thought(thinker, parrot, clock, 60.0).plan.decoder)
    assert (plans[0], plans[-1]) == ("quality", "flow")


def test_a_decoder_that_is_set_is_used(thinker, parrot, clock) -> None:
    made = thought(thinker, parrot, clock, 1.0, decoder="voting", max_passes=3)
    assert made.plan == Plan("voting", 3)
    assert made.reason.startswith("set by the parameter decoder; ")


@pytest.mark.parametrize(
    ("text", "asked", "kind"),
    [
        ("", (), "watch"),
        ("what is the limit", ("<limit>", "<eos>"), "now"),
        ("who called", ("<last_caller>", "call"), "past"),
        ("hm", (), "now"),
    ],
)
def test_requests_have_classes(text: str, asked: tuple[str, ...], kind: str) -> None:
    assert request_class(text, asked) == kind


ROUNDS = PlanTable("", {"now": {Plan("fast", 1, 2): Worth(0.97, 1.05, 500)}})


@pytest.fixture
def reviser(parrot, clock: ManualClock) -> Thinker:
    """As `thinker`, with rounds; what it wrote at first is no sentence."""
    parrot.answers[ASKED] = "<light> The light light."
    parrot.cost_s = 0.01
    planner = Planner(ROUNDS)
    for _ in range(5):
        planner.latency.observe("pass:fast", 10.0)
    return Thinker(parrot, clock, planner)


def test_a_draft_in_doubt_is_worded_from_its_claims_alone(reviser, parrot, clock) -> None:
    parrot.claims = "<told> tunnel"
    made = thought(reviser, parrot, clock, None)
    assert made.draft.is_sentence
    assert "tunnel" in made.draft.text
    assert made.draft.passes == 2
    assert made.reason.endswith("revised 1 times, borne out")


def test_rounds_end_when_none_is_left_and_the_best_counts(reviser, parrot, clock) -> None:
    made = thought(reviser, parrot, clock, None)
    assert made.draft.passes == 3
    assert made.reason.endswith("revised 2 times, still in doubt: no sentence of the language")


def test_no_round_is_made_for_which_there_is_no_time(reviser, parrot, clock) -> None:
    made = thought(reviser, parrot, clock, 15.0)
    assert made.draft.passes == 1
    assert made.reason.endswith("no time for another pass")


def test_what_is_borne_out_is_not_revised(reviser, parrot, clock) -> None:
    parrot.answers[ASKED] = "<light> The light is red."
    made = thought(reviser, parrot, clock, None)
    assert made.draft.passes == 1
    assert made.reason.endswith("settled")


def test_passes_end_for_those_who_wait(thinker, parrot, clock) -> None:
    parrot.sure = 0.5
    came_s = clock.monotonic_s() + 0.025
    latest_s = lambda: inf if clock.monotonic_s() < came_s else came_s + 0.02  # noqa: E731
    made = thought(thinker, parrot, clock, 1000.0, latest_s=latest_s)
    assert made.plan.decoder == "quality"
    assert made.reason.endswith("another pass would make others late")
    assert clock.monotonic_s() <= came_s + 0.02


def test_a_plan_that_others_leave_time_for(thinker, parrot, clock) -> None:
    now_s = clock.monotonic_s()
    made = thought(thinker, parrot, clock, 1000.0, latest_s=lambda: now_s + 0.015)
    assert made.plan.decoder == "flow"
    assert "as others wait" in made.reason


def test_what_a_turn_takes_at_least_is_the_cheapest_plan_and_what_comes_before(thinker, parrot, clock) -> None:
    for _ in range(3):
        with thinker.reading(), thinker.measured("encode"):
            clock.set(clock.now_ns() + 20_000_000)
    likely_ms, most_ms = thinker.least_ms(Bounds())
    assert likely_ms == pytest.approx(1.2 * 10 + 20, rel=0.3)
    assert likely_ms <= most_ms < 2 * likely_ms


def test_a_throttled_machine_gets_cheaper_plans_at_once_and_says_why(thinker, parrot, clock) -> None:
    hot = ComputeState(0, "", cpu_load=0.8, clock_ratio=0.25, throttled=True)
    thinker.machine(ComputeState(0, "", cpu_load=0.8, clock_ratio=1.0))
    assert thought(thinker, parrot, clock, 100.0).plan.decoder == "quality"
    thinker.machine(hot)
    made = thought(thinker, parrot, clock, 100.0)
    assert made.plan.decoder == "flow"
    assert ", the machine is throttled; " in made.reason
    assert "throttled" not in thought(thinker, parrot, clock, 1000.0).reason
    assert "throttled" not in thought(thinker, parrot, clock, None).reason


def test_a_clock_of_coarse_ticks_keeps_deadlines(parrot, clock: ManualClock) -> None:
    """Of 15.6 ms, on which a pass of 4 ms mostly seems to take no time."""

    class Coarse:
        now_ns = clock.now_ns

        def monotonic_s(self) -> float:
            return clock.monotonic_s() // 0.0156 * 0.0156

    parrot.answers[ASKED], parrot.cost_s, parrot.sure = "<light> The light is red.", 0.004, 0.5
    thinker, late = Thinker(parrot, Coarse(), Planner(TABLE)), []
    for number in range(60):
        due_s = clock.monotonic_s() + 0.08
        context = parrot.prefill(parrot.look(None, parrot.encode(None)), ASKED, 1)
        made = thinker.think(Task(context, ASKED), Bounds(due_s))
        assert made.draft.is_sentence
        late.append(clock.monotonic_s() > due_s + 0.0156)
        clock.set(clock.now_ns() + 7_000_000 + 1_000_000 * number)
    assert sum(late) <= 1
