"""What is expected of durations that have been seen."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.compute.device import ComputeState
from mm_edge.compute.latency_model import Identity, LatencyModel, ProfileError, quantile

HERE = Identity("a processor", 2, 1, "torch/fp32", "abc")
TURN = {"encode": 1, "prefill": 1, "pass:quality": 2}
USUAL_MS = {"encode": 3.0, "prefill": 10.0, "pass:quality": 4.0}


def turn(model: LatencyModel, rng: random.Random, load: float) -> tuple[float, float]:
    """One turn as a machine of that load takes it: what was the 99th percentile, and what it took."""
    foreseen = model.predict(TURN, "turn")
    taken_ms = 0.0
    for stage, times in TURN.items():
        for _ in range(times):
            ms = USUAL_MS[stage] * load * rng.lognormvariate(0, 0.1)
            model.observe(stage, ms)
            taken_ms += ms
    model.settle(foreseen, taken_ms)
    return foreseen.p99_ms, taken_ms


def test_a_plan_takes_the_sum_of_its_stages() -> None:
    model = LatencyModel()
    for _ in range(5):
        for stage, ms in USUAL_MS.items():
            model.observe(stage, ms)
    assert model.predict(TURN, "turn").usual_ms == pytest.approx(21.0)


def test_one_turn_in_a_hundred_takes_longer_than_the_99th_percentile() -> None:
    model, rng = LatencyModel(), random.Random(1)
    for _ in range(300):
        turn(model, rng, 1.0)
    turns = [turn(model, rng, 1.0) for _ in range(1000)]
    assert 0.002 < sum(taken > p99 for p99, taken in turns) / 1000 < 0.025


def test_a_busy_machine_is_believed_at_once_and_slows_stages_that_were_not_seen_since() -> None:
    model, rng = LatencyModel(), random.Random(2)
    for _ in range(100):
        turn(model, rng, 1.0)
    before_ms = model.predict({"pass:quality": 1}, "pass").usual_ms
    for stage in ("encode", "prefill"):
        model.observe(stage, 2.5 * USUAL_MS[stage])
    assert model.predict({"pass:quality": 1}, "pass").usual_ms == pytest.approx(2.5 * before_ms, rel=0.1)


def test_one_hiccup_is_no_load() -> None:
    model = LatencyModel()
    for ms in (4.0, 4.0, 4.0, 40.0):
        model.observe("encode", ms)
    assert model.load == 1.0


def test_a_quiet_machine_is_believed_gradually() -> None:
    model, rng = LatencyModel(), random.Random(3)
    for load in [1.0] * 100 + [3.0] * 30:
        turn(model, rng, load)
    turn(model, rng, 1.0)
    assert 1.5 < model.load < 3.3
    for _ in range(50):
        turn(model, rng, 1.0)
    assert model.load == pytest.approx(1.0, abs=0.15)


def test_load_does_not_drift_into_the_sample() -> None:
    model, rng = LatencyModel(), random.Random(4)
    for _ in range(3000):
        turn(model, rng, 1.0)
    assert model.load == pytest.approx(1.0, abs=0.3)
    assert model.predict(TURN, "turn").p50_ms == pytest.approx(21.0, rel=0.15)


def test_an_unseen_pass_takes_as_long_as_the_longest_of_other_decoders() -> None:
    model = LatencyModel()
    assert model.predict({"pass:flow": 1}, "pass").p99_ms == 0.0
    model.observe("pass:quality", 4.0)
    model.observe("pass:autoregressive", 2.0)
    model.observe("encode", 9.0)
    assert model.predict({"pass:flow": 3}, "pass").usual_ms == pytest.approx(12.0)


@pytest.mark.parametrize("ms", [-1.0, float("nan"), float("inf")])
def test_what_is_no_duration_is_refused(ms: float) -> None:
    model = LatencyModel()
    with pytest.raises(ValueError, match="cannot have taken"):
        model.observe("encode", ms)
    with pytest.raises(ValueError, match="cannot have taken"):
        model.settle(model.predict({"encode": 1}, "turn"), ms)


def test_a_clock_that_stands_still_makes_everything_possible() -> None:
    model = LatencyModel()
    for _ in range(10):
        model.observe("pass:quality", 0.0)
        model.settle(model.predict({"pass:quality": 1}, "pass"), 0.0)
    assert model.predict({"pass:quality": 24}, "pass").p99_ms < 1.0


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    model, rng, path = LatencyModel(), random.Random(5), tmp_path / "profiles" / "p.json"
    for _ in range(80):
        turn(model, rng, 1.0)
    model.save(path, HERE)
    read = LatencyModel.load_profile(path, HERE)
    expected = model.predict(TURN, "turn").p99_ms / model.load
    assert read.predict(TURN, "turn").p99_ms == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "change", [{"machine": "another"}, {"cores": 4}, {"threads": 2}, {"engine": "int8"}, {"weights_sha256": "x"}]
)
def test_a_profile_of_something_else_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    model = LatencyModel()
    model.observe("encode", 1.0)
    model.save(tmp_path / "p.json", HERE)
    with pytest.raises(ProfileError, match=f"of another {next(iter(change))}"):
        LatencyModel.load_profile(tmp_path / "p.json", replace(HERE, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damage", ["", "[]", "{}", '{"stages_ms": 3}', json.dumps({"identity": {}, "format": 1, "stages_ms": {"a": [-1]}})]
)
def test_a_damaged_profile_is_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "p.json").write_text(damage)
    with pytest.raises(ProfileError):
        LatencyModel.load_profile(tmp_path / "p.json", HERE)


def test_no_profile_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ProfileError):
        LatencyModel.load_profile(tmp_path / "none.json", HERE)


def test_a_prediction_is_quick() -> None:
    model, rng = LatencyModel(), random.Random(6)
    for _ in range(400):
        turn(model, rng, 1.0)
    began_s = time.process_time()
    for _ in range(100):
        model.predict(TURN, "turn")
    assert (time.process_time() - began_s) / 100 < 0.5e-3


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_lies_between_the_least_and_the_most(values: list[float], share: float) -> None:
    ordered = sorted(values)
    assert ordered[0] - 1e-9 <= quantile(ordered, share) <= ordered[-1] + 1e-9


@given(st.lists(st.floats(0.0, 1e4), min_size=1, max_size=80))
def test_predictions_are_ordered_and_never_negative(durations: list[float]) -> None:
    model = LatencyModel()
    for ms in durations:
        foreseen = model.predict({"encode": 1}, "turn")
        model.observe("encode", ms)
        model.settle(foreseen, ms)
    foreseen = model.predict({"encode": 1}, "turn")
    assert 0 <= foreseen.p50_ms <= foreseen.p99_ms


def test_a_clock_of_coarse_ticks_breaks_no_prediction() -> None:
    """Of 15.6 ms, so that most stages seem to take no time, and some a whole tick."""
    model, rng, now_ms, tick_ms = LatencyModel(), random.Random(7), 0.0, 15.6
    foreseen, taken = [], []
    for _ in range(400):
        foreseen.append(model.predict(TURN, "turn"))
        began_ms = now_ms // tick_ms * tick_ms
        for stage, times in TURN.items():
            for _ in range(times):
                before_ms = now_ms // tick_ms * tick_ms
                now_ms += USUAL_MS[stage] * rng.lognormvariate(0, 0.1)
                model.observe(stage, now_ms // tick_ms * tick_ms - before_ms)
        taken.append(now_ms // tick_ms * tick_ms - began_ms)
        model.settle(foreseen[-1], taken[-1])
        now_ms += rng.uniform(0, 50)
    late = [ms > each.p99_ms + 1e-6 for each, ms in zip(foreseen[100:], taken[100:], strict=True)]
    assert all(7 < each.p50_ms < 63 for each in foreseen[100:])
    assert all(each.p99_ms < 8 * 21 for each in foreseen[100:])
    assert sum(late) / len(late) < 0.06


# -- what is known of the machine -------------------------------------------------------------------------------------


def usual(model: LatencyModel) -> float:
    return model.predict(TURN, "turn").usual_ms


def settled(seed: int = 8) -> LatencyModel:
    model, rng = LatencyModel(), random.Random(seed)
    model.machine(state())
    for _ in range(50):
        turn(model, rng, 1.0)
    return model


def state(**figures: object) -> ComputeState:
    """A busy processor at its highest clock, unless told otherwise."""
    return replace(ComputeState(0, "a processor", cpu_load=0.7, clock_ratio=1.0), **figures)  # type: ignore[arg-type]


def test_a_throttled_machine_is_slower_before_anything_was_late() -> None:
    model = settled()
    before_ms = usual(model)
    model.machine(state(clock_ratio=0.4, throttled=True))
    assert usual(model) == pytest.approx(2.5 * before_ms)
    assert model.slowdown == pytest.approx(2.5)


def test_durations_confirm_a_throttle_and_do_not_add_to_it() -> None:
    model, rng = settled(), random.Random(9)
    before_ms = usual(model)
    for _ in range(40):
        model.machine(state(clock_ratio=0.4, throttled=True))
        turn(model, rng, 2.5)
    assert usual(model) == pytest.approx(2.5 * before_ms, rel=0.15)
    model.machine(state())
    assert usual(model) == pytest.approx(before_ms, rel=0.15)
    for _ in range(40):
        turn(model, rng, 1.0)
    assert usual(model) == pytest.approx(before_ms, rel=0.15)


def test_a_throttle_without_effect_is_forgotten_and_its_end_makes_nothing_fast() -> None:
    model, rng = settled(), random.Random(10)
    before_ms = usual(model)
    model.machine(state(clock_ratio=0.4, throttled=True))
    for _ in range(40):
        turn(model, rng, 1.0)
    assert usual(model) == pytest.approx(before_ms, rel=0.15)
    assert model.slowdown == pytest.approx(1.0, abs=0.15)
    model.machine(state())
    assert usual(model) >= 0.85 * before_ms


def test_a_throttle_that_comes_and_goes_does_not_pile_up() -> None:
    model = settled()
    before_ms = usual(model)
    for _ in range(50):
        model.machine(state(clock_ratio=0.5, throttled=True))
        model.machine(state())
    assert usual(model) == pytest.approx(before_ms)


def test_the_clock_under_which_durations_were_learnt_counts() -> None:
    model, rng = LatencyModel(), random.Random(11)
    for _ in range(50):
        model.machine(state(clock_ratio=0.6))
        turn(model, rng, 1.0)
    before_ms = usual(model)
    model.machine(state(clock_ratio=0.3, throttled=True))
    assert usual(model) == pytest.approx(2 * before_ms)


@pytest.mark.parametrize(
    "figures",
    [
        {"clock_ratio": 0.2, "cpu_load": 0.05},  # idle
        {"clock_ratio": float("nan")},
        {"clock_ratio": 0.0},
        {"clock_ratio": 0.2, "cpu_load": float("nan")},
        {"gpu_clock_ratio": 0.1, "gpu_load": 0.0},
    ],
)
def test_a_clock_that_says_nothing_changes_nothing(figures: dict[str, object]) -> None:
    model = settled()
    before = model.predict(TURN, "turn")
    model.machine(state(**figures))
    assert model.predict(TURN, "turn") == before
    model.machine(None)
    assert model.predict(TURN, "turn") == before


def test_the_slower_of_processor_and_gpu_counts() -> None:
    model = settled()
    before_ms = usual(model)
    model.machine(state(gpu_load=0.9, gpu_clock_ratio=0.9))
    model.machine(state(gpu_load=0.9, gpu_clock_ratio=0.3))
    assert usual(model) == pytest.approx(3 * before_ms)


def test_a_power_mode_gets_back_the_load_that_it_had() -> None:
    model, rng = LatencyModel(), random.Random(12)
    expected = {}
    for mode, load in (("MAXN", 1.0), ("15W", 3.0)):
        model.machine(state(power_mode=mode))
        for _ in range(60):
            turn(model, rng, load)
        expected[mode] = usual(model)
    for mode in ("MAXN", "15W", "MAXN"):
        model.machine(state(power_mode=mode))
        assert usual(model) == pytest.approx(expected[mode], rel=0.1)


@pytest.mark.parametrize("figures", [{"cpu_load": 1.0}, {"throttled": True}])
def test_a_strained_machine_may_take_as_long_as_it_ever_did(figures: dict[str, object]) -> None:
    model = settled()
    foreseen = model.predict(TURN, "turn")
    for ratio in [1.0] * 198 + [3.0]:
        model.settle(foreseen, ratio * foreseen.usual_ms)
    before = model.predict(TURN, "turn")
    model.machine(state(**figures))
    strained = model.predict(TURN, "turn")
    assert strained.p50_ms == before.p50_ms
    assert strained.p99_ms == pytest.approx(3.0 * foreseen.usual_ms)
    assert before.p99_ms < 2.0 * foreseen.usual_ms
    model.machine(state())
    assert model.predict(TURN, "turn") == before


def test_a_profile_of_another_power_mode_is_refused(tmp_path: Path) -> None:
    model = LatencyModel()
    model.observe("encode", 1.0)
    model.save(tmp_path / "p.json", HERE)
    with pytest.raises(ProfileError, match="of another power_mode"):
        LatencyModel.load_profile(tmp_path / "p.json", replace(HERE, power_mode="15W"))


SHARES = st.one_of(st.just(float("nan")), st.floats(0, 1))
STATES = st.builds(
    ComputeState,
    stamp_ns=st.just(0),
    device=st.just(""),
    cpu_load=SHARES,
    gpu_load=SHARES,
    clock_ratio=SHARES,
    gpu_clock_ratio=SHARES,
    power_mode=st.sampled_from(["", "MAXN", "15W"]),
    throttled=st.booleans(),
)


@given(st.lists(st.tuples(st.one_of(st.none(), STATES), st.floats(1.0, 50.0)), max_size=60))
def test_whatever_the_machine_tells_predictions_stay_durations(told: list[tuple[ComputeState | None, float]]) -> None:
    model = LatencyModel()
    for each, ms in told:
        model.machine(each)
        foreseen = model.predict({"encode": 1}, "turn")
        assert 0 <= foreseen.p50_ms <= foreseen.p99_ms < float("inf")
        assert 1.0 <= model.slowdown < float("inf")
        model.observe("encode", ms)
        model.settle(foreseen, ms)


def test_a_machine_that_varies_more_than_it_did_is_soon_allowed_for() -> None:
    model, rng = settled(), random.Random(3)
    beyond = []
    for _ in range(400):
        foreseen = model.predict(TURN, "turn")
        taken_ms = foreseen.usual_ms * rng.lognormvariate(0, 0.3)
        beyond.append(taken_ms > foreseen.p99_ms)
        model.settle(foreseen, taken_ms)

    assert sum(beyond[100:]) / 300 <= 0.025


def test_a_99th_percentile_that_is_never_reached_shrinks_but_never_below_what_is_usual() -> None:
    model = settled()
    before = model.predict(TURN, "turn")
    for _ in range(200):
        model.settle(model.predict(TURN, "turn"), before.p50_ms)
    after = model.predict(TURN, "turn")

    assert after.p50_ms <= after.p99_ms < before.p99_ms


def test_what_was_tracked_is_kept(tmp_path: Path) -> None:
    model = settled()
    for _ in range(3):
        foreseen = model.predict(TURN, "turn")
        model.settle(foreseen, 1.01 * foreseen.p99_ms)
    model.save(tmp_path / "profile.json", HERE)

    loaded = LatencyModel.load_profile(tmp_path / "profile.json", HERE)

    known, kept = (each.predict(TURN, "turn") for each in (model, loaded))
    assert kept.p99_ms / kept.usual_ms == pytest.approx(known.p99_ms / known.usual_ms, rel=1e-3)
