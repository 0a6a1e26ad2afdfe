"""Attention Matching: a few keys and values that attention cannot tell from all of them (Zweiger, Fu, Guo, Kim 2026).

Of one head, in three steps, each with a closed form: which keys stay, which bias gives them the mass of all, and which
values then give the same outputs. Both are fitted to reference queries. Matching the mass keeps the balance with
whatever is read later. Queries come scaled as the network scales them. All in float32. Knows nothing about layers,
budgets, or where queries come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mm_edge.memory.cache import Slots

SMALLEST = 1e-12
"""Weight of a key that stands for nothing."""
RIDGE = 1e-6
"""Relative, where a plain solution is of no numbers."""
SOUND = 1e-4
"""Smallest pivot, relative to the largest one, at which normal equations in double lose nothing that single has."""
POWER = 3
"""Rounds of power iteration."""
BLOCK = 2**18
"""Scores that are worked on at once: what a core keeps in its own cache."""
REFINEMENTS = 3
"""Times that pursuit may replace keys that turned out to stand for nothing."""
Schedule = tuple[tuple[float, int, int], ...]
"""(until so many keys, keys chosen at once, choices between two solutions)."""
PROGRESSIVE: Schedule = ((300, 1, 1), (1500, 2, 2), (math.inf, 4, 2))


@dataclass(frozen=True)
class Matching:
    """How a head is compacted; section numbers are those of the paper's third version.

    select: "attention", keys of the highest attention, or "pursuit", orthogonal matching pursuit of the mass (algorithm
    1); score: over queries; pool: slots over which a score is averaged; schedule: of the pursuit; iterations: projected
    gradient steps of the bias (algorithm 3); box: its limits; dropped: a key of a lower bias is not worth its slot;
    relative: every query's mass counts alike, rather than by its share of the largest score, which is not in the paper
    but keeps pursuit from fitting few queries; bias, values: False for mere eviction; nearness: how strongly values
    stay near those of the chosen words, relative to the largest squared singular value: without that they fit few
    queries and nothing else (not in the paper, whose ridge pulls to nothing).
    """

    select: Literal["attention", "pursuit"] = "attention"
    score: Literal["rms", "mean", "max"] = "rms"
    pool: int = 1
    schedule: Schedule = ((math.inf, 1, 1),)
    iterations: int = 2
    box: tuple[float, float] = (-3.0, 3.0)
    dropped: float = -math.inf
    relative: bool = False
    bias: bool = True
    values: bool = True
    nearness: float = 0.0


@dataclass(frozen=True)
class Attended:
    """What queries get from all slots of a head. score: [n], how much each slot is attended to; mass: [q], logarithm of
    the sum over slots; outputs: [q, d]."""

    score: Tensor
    mass: Tensor
    outputs: Tensor


def attended(slots: Slots, queries: Tensor, score: str = "rms", pool: int = 1) -> Attended:
    """All that the three steps need of slots that do not stay, in one pass over queries [q, d]: their weights are never
    there at once."""
    slots, queries = slots.float(), queries.float()
    keys = torch.cat([slots.k, slots.bias[:, None]], 1).T  # one product gives scores with their biases
    merged, masses, outputs = slots.bias.new_zeros(len(slots)), [slots.bias[:0]], [slots.v[:0]]
    for block in F.pad(queries, (0, 1), value=1.0).split(max(1, BLOCK // max(1, len(slots)))) if len(slots) else ():
        weights = block @ keys
        peak = weights.amax(1, keepdim=True)
        total = weights.sub_(peak).exp_().sum(1, keepdim=True)
        masses.append((peak + total.log())[:, 0])
        outputs.append(weights @ slots.v / total)
        merged = _merged(merged, weights, total, score)
    if score != "max":
        merged = merged / max(1, len(queries))
    merged = merged.sqrt() if score == "rms" else merged
    if pool > 1:
        merged = F.max_pool1d(merged[None], pool, 1, pool // 2)[0, : len(merged)]
    return Attended(merged, torch.cat(masses), torch.cat(outputs))


def scores(slots: Slots, queries: Tensor, score: str = "rms", pool: int = 1) -> Tensor:
    """How much every slot [n] is attended to by queries [q, d]."""
    return attended(slots, queries, score, pool).score


def attention(slots: Slots, queries: Tensor) -> Tensor:
    """[q, n]."""
    return _logits(slots, queries).softmax(-1)


def match(
    slots: Slots,
    queries: Tensor,
    keep: int,
    how: Matching,
    score: Tensor | None = None,
    whole: Attended | None = None,
) -> Slots:
    """At most `keep` slots that do for queries [q, d] what all of them do; score: [n], what keys are chosen by unless
    by pursuit, else it is made from the queries; whole: what those get from all slots, where that is known.

    Raises ValueError where a key, value, bias or query is no number, or nothing is to be kept of something.
    """
    if not all(part.sum().isfinite() for part in (slots.k, slots.v, slots.bias, queries)):
        raise ValueError("keys, values, biases and queries have to be finite")
    if keep >= len(slots):
        return slots
    if keep < 1:
        raise ValueError(f"{keep} of {len(slots)} slots are none")
    if not len(queries) and (how.bias or how.values or score is None):
        raise ValueError("nothing can be matched without a query")
    slots, queries = slots.float(), queries.float()
    if score is not None and not how.bias and not how.values:
        return slots.at(_highest(score, keep))
    whole = whole or attended(slots, queries, how.score, how.pool)
    weights = None
    if how.select == "pursuit":
        peaks = _peaks(slots, queries, whole, how.relative)
        chosen, weights = pursue(_masses(slots, queries, peaks), (whole.mass - peaks).exp(), keep, how)
    else:
        chosen = _highest(whole.score if score is None else score, keep)
    kept = slots.at(chosen)
    if how.bias:
        if weights is None:
            peaks = _peaks(slots, queries, whole, how.relative)
            phi, mass = _masses(kept, queries, peaks), (whole.mass - peaks).exp()
            weights = fit_weights(phi, mass, how.iterations, *map(math.exp, how.box))
        kept = replace(kept, bias=kept.bias + weights.log())
    if how.values:
        kept = replace(kept, v=fit_values(kept, queries, whole.outputs, how.nearness))
    return kept


def fit_weights(phi: Tensor, mass: Tensor, iterations: int, low: float, high: float) -> Tensor:
    """Weights [t] in a box of about the least squares of phi [q, t] times them against mass [q]: the free solution,
    clamped, then `iterations` projected gradient steps (algorithm 3)."""
    weights = solve(phi, mass[:, None])[:, 0].clamp(max(low, SMALLEST), high)
    if iterations:
        step = 1 / largest_eigenvalue(phi.T @ phi)
        for _ in range(iterations):
            weights = (weights - step * (phi.T @ (phi @ weights - mass))).clamp(max(low, SMALLEST), high)
    return weights


def fit_values(kept: Slots, queries: Tensor, outputs: Tensor, nearness: float = 0.0) -> Tensor:
    """Values [t, d] for which the kept keys give outputs [q, d]; nearness: as in Matching."""
    weights = attention(kept, queries)
    if not nearness:
        return solve(weights, outputs)
    gram = weights.T @ weights
    gram = gram + torch.diag((nearness * largest_eigenvalue(gram)).expand(len(gram)))  # nothing in place: it is learnt
    missing = weights.T @ (outputs - weights @ kept.v)
    return kept.v + torch.cholesky_solve(missing, torch.linalg.cholesky(gram))


def largest_eigenvalue(gram: Tensor) -> Tensor:
    """Of a matrix of no negative numbers, by power iteration: about."""
    direction = gram.sum(1)
    for _ in range(POWER):
        direction = gram @ (direction / direction.norm().clamp(min=SMALLEST))
    return direction.norm().clamp(min=SMALLEST)


def solve(a: Tensor, b: Tensor) -> Tensor:
    """Least squares [t, m] of a [q, t] against b [q, m]; the smallest solution where there are several."""
    if len(a) >= a.shape[1]:
        rows = a.double()
        factor, failed = torch.linalg.cholesky_ex(rows.T @ rows)
        pivots = factor.diagonal()
        if not failed and pivots.amin() > SOUND * pivots.amax():
            return torch.cholesky_solve(rows.T @ b.double(), factor).to(a.dtype)
    if a.device.type == "cpu":
        solution = torch.linalg.lstsq(a, b, driver="gelsd").solution
        if solution.isfinite().all():
            return solution
    wide = len(a) < a.shape[1]
    gram = (a @ a.T if wide else a.T @ a).double()
    gram.diagonal().add_(RIDGE * gram.diagonal().mean().clamp(min=SMALLEST))
    inside = torch.cholesky_solve((b if wide else a.T @ b).double(), torch.linalg.cholesky(gram))
    return (a.T.double() @ inside if wide else inside).to(a.dtype)


def pursue(phi: Tensor, mass: Tensor, keep: int, how: Matching) -> tuple[Tensor, Tensor]:
    """Keys [t <= keep] and their weights by orthogonal matching pursuit (algorithm 1): always those that go best with
    what of the mass [q] is still missing; phi: [q, n]."""
    high = math.exp(how.box[1])
    barred = torch.zeros(phi.shape[1], dtype=torch.bool, device=phi.device)
    chosen = torch.zeros(0, dtype=torch.long, device=phi.device)
    for _ in range(REFINEMENTS + 1):
        chosen, weights = _pursued(phi, mass, keep, how, chosen, barred)
        weak = weights.log() < how.dropped
        if not weak.any() or weak.all():
            break
        barred[chosen[weak]] = True
        chosen = chosen[~weak]
        weights = fit_weights(phi[:, chosen], mass, how.iterations, SMALLEST, high)
    strong = weights.log() >= how.dropped
    return (chosen[strong], weights[strong]) if strong.any() else (chosen, weights)


def _pursued(
    phi: Tensor, mass: Tensor, keep: int, how: Matching, chosen: Tensor, barred: Tensor
) -> tuple[Tensor, Tensor]:
    """Goes on from the chosen keys; the weights are those of a last solution over all of them."""
    high = math.exp(how.box[1])
    weights = fit_weights(phi[:, chosen], mass, how.iterations, SMALLEST, high) if len(chosen) else mass[:0]
    choices = 0
    while len(chosen) < keep:
        at_once, interval = next((k, tau) for until, k, tau in how.schedule if len(chosen) < until)
        gain = phi.T @ (mass - phi[:, chosen] @ weights)
        gain[barred], gain[chosen] = -math.inf, -math.inf
        best = gain.topk(min(at_once, keep - len(chosen))).indices
        best = best[gain[best] > -math.inf]
        if not len(best):
            break
        chosen = torch.cat([chosen, best])
        choices += 1
        if choices % interval == 0 or len(chosen) >= keep:
            weights = fit_weights(phi[:, chosen], mass, how.iterations, SMALLEST, high)
        else:
            weights = torch.cat([weights, weights.new_full((len(best),), SMALLEST)])
    return chosen, weights


def _highest(score: Tensor, keep: int) -> Tensor:
    """The slots of the highest scores [keep], in their order."""
    return score.topk(keep).indices.sort().values


def _merged(so_far: Tensor, weights: Tensor, total: Tensor, score: str) -> Tensor:
    """Of every slot [n], with what more queries attend to it: weights [q, n], used up here, over total [q, 1]."""
    if score == "max":
        return torch.maximum(so_far, weights.div_(total).amax(0))
    if score == "rms":
        return so_far + total[:, 0] ** -2 @ weights.square_()
    return so_far + total[:, 0] ** -1 @ weights


def _peaks(slots: Slots, queries: Tensor, whole: Attended, relative: bool) -> Tensor:
    """Logarithm of what every query's mass is counted in [q]: in itself, or in the largest score without its bias, so
    that a slot of some bias counts as so many slots do."""
    return whole.mass if relative else (queries @ slots.k.T).amax(1)


def _masses(slots: Slots, queries: Tensor, peaks: Tensor) -> Tensor:
    """What every slot contributes to every query's mass [q, n]."""
    return (_logits(slots, queries) - peaks[:, None]).exp()


def _logits(slots: Slots, queries: Tensor) -> Tensor:
    return queries @ slots.k.T + slots.bias
