"""How keys are pursued and weights are solved for: right whatever the rank, within the box, no key twice."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mm_edge.memory.matching import Matching, fit_weights, largest_eigenvalue, pursue, solve

PURSUIT = Matching(iterations=0, box=(-20.0, 20.0), select="pursuit")
SEEDS = st.integers(0, 1000)
few = settings(max_examples=25, deadline=None)


# -- pursuit ----------------------------------------------------------------------------------------------------------


def masses(queries: int, keys: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    phi = torch.rand(queries, keys)
    return phi, phi.sum(1)


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """The first row of the keys that each solution goes over."""
    solved: list[list[float]] = []

    def recording(phi: Tensor, mass: Tensor, *limits: float) -> Tensor:
        solved.append(phi[0].tolist())
        return fit_weights(phi, mass, *limits)  # type: ignore[arg-type]

    monkeypatch.setattr("mm_edge.memory.matching.fit_weights", recording)
    return solved


@pytest.mark.parametrize(
    ("schedule", "sizes"),
    [
        (((math.inf, 1, 1),), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (((math.inf, 4, 2),), [8, 9]),
        (((math.inf, 2, 1),), [2, 4, 6, 8, 9]),
        (((math.inf, 1, 3),), [3, 6, 9]),
        (((3, 1, 1), (6, 2, 2), (math.inf, 4, 2)), [1, 2, 3, 5, 9]),
    ],
)
def test_a_schedule_says_how_many_keys_go_into_each_solution(
    schedule: tuple[tuple[float, int, int], ...], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    solved = recorded(monkeypatch)
    phi, mass = masses(200, 30)

    chosen, weights = pursue(phi, mass, 9, replace(PURSUIT, schedule=schedule))

    assert [len(keys) for keys in solved] == sizes
    assert len(chosen) == len({*chosen.tolist()}) == len(weights) == 9


def test_the_first_key_is_the_one_that_goes_best_with_the_mass() -> None:
    phi, mass = masses(200, 30)

    chosen, _ = pursue(phi, mass, 1, PURSUIT)

    assert chosen.tolist() == [int((phi.T @ mass).argmax())]


def test_keys_that_stand_for_nothing_are_dropped_and_never_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key 0 is alone what all others are together: beside it they get weights near nothing."""
    phi, _ = masses(50, 6)
    phi[:, 0] = phi[:, 1:].sum(1) * 3
    solved = recorded(monkeypatch)

    chosen, weights = pursue(phi, phi[:, 0], 3, replace(PURSUIT, dropped=-7.0))

    assert chosen.tolist() == [0]
    assert weights.tolist() == pytest.approx([1.0])
    for key in phi[0].tolist():
        tried = [key in keys for keys in solved]
        assert sum(now and not before for before, now in pairwise([False, *tried])) == 1


@few
@given(st.integers(1, 12), st.sampled_from([1, 2, 4]), SEEDS)
def test_pursuit_keeps_no_key_twice_and_none_that_it_drops(keep: int, at_once: int, seed: int) -> None:
    torch.manual_seed(seed)
    phi = torch.rand(20, 16) ** 4
    how = replace(PURSUIT, box=(-math.inf, 7.0), dropped=-7.0, schedule=((math.inf, at_once, 2),))

    chosen, weights = pursue(phi, phi.sum(1), keep, how)

    assert 1 <= len(chosen) == len({*chosen.tolist()}) == len(weights) <= keep
    assert (weights.log() >= -7).all()


# -- solutions --------------------------------------------------------------------------------------------------------


def ranked(rows: int, columns: int, rank: int) -> Tensor:
    torch.manual_seed(0)
    return torch.rand(rows, rank)[:, torch.arange(columns) % rank]


@pytest.fixture(params=["plain", "normal equations"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On devices, and where a plain solution is of no numbers, the normal equations are solved."""
    if request.param != "plain":
        nothing = SimpleNamespace(solution=torch.tensor(math.nan))
        monkeypatch.setattr(torch.linalg, "lstsq", lambda *_, **__: nothing)
    return str(request.param)


@pytest.mark.parametrize(("rows", "columns", "rank"), [(60, 16, 6), (60, 16, 16), (10, 16, 10), (10, 16, 6), (1, 4, 1)])
def test_a_solution_is_right_whatever_the_rank(way: str, rows: int, columns: int, rank: int) -> None:
    a = ranked(rows, columns, rank)
    wanted = a @ torch.rand(columns, 3)

    solution = solve(a, wanted)

    assert torch.allclose(a @ solution, wanted, atol=1e-2)
    assert solution.abs().max() < 10
    if rank < columns:
        assert solution.norm() <= (torch.linalg.pinv(a.double()) @ wanted.double()).norm() * 1.01


def test_the_normal_equations_give_nearly_the_plain_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ranked(60, 12, 12), torch.rand(60, 2)
    plain = solve(a, b)
    monkeypatch.setattr(torch.linalg, "lstsq", lambda *_, **__: SimpleNamespace(solution=torch.tensor(math.nan)))

    assert torch.allclose(solve(a, b), plain, atol=1e-3)


def test_gradient_steps_come_closer_within_the_box() -> None:
    phi, _ = masses(40, 20)
    mass = phi @ torch.linspace(0, 2, 20)
    fitted = [fit_weights(phi, mass, steps, 0.5, 1.2) for steps in (0, 2, 20)]
    misses = [float((phi @ weights - mass).norm()) for weights in fitted]

    assert misses[0] > misses[1] > misses[2]
    assert all(weights.min() >= 0.5 and weights.max() <= 1.2 for weights in fitted)


@few
@given(st.integers(1, 8), SEEDS)
def test_power_iteration_comes_close_to_the_largest_eigenvalue(size: int, seed: int) -> None:
    torch.manual_seed(seed)
    a = torch.rand(10, size)
    right = float(torch.linalg.matrix_norm(a, 2)) ** 2

    assert 0.95 * right <= float(largest_eigenvalue(a.T @ a)) <= 1.0001 * right
    assert largest_eigenvalue(torch.zeros(size, size)) > 0
