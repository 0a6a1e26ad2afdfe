"""What is watched while a drive lasts: how often accepted answers turn out wrong, and what that says of probabilities.

Bounds and alarms hold however often they are looked at: they are won by betting (Waudby-Smith & Ramdas 2024,
"Estimating means of bounded random variables by betting", section 4; Ville's inequality). Time is passed in, in seconds
that never go back. Knows nothing about ROS, wording or the model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite, log, nan

import numpy as np

from mm_edge.trust.judge import Doubt

LEVEL = 0.1
"""The bound of a drive is wrong with at most this probability."""
BETS = np.linspace(0.05, 1.0, 20)
"""Shares of the wealth that are bet: the mean over all of them grows like the best one."""
PATIENCE_S = 10.0
"""An accepted answer that nothing contradicted for so long counts as right: people correct what is wrong."""
LASTING = frozenset({"road", "weather", "daylight"})
"""Facts that do not change within PATIENCE_S: later pictures verify what was said of them."""
SURE, AGREED = 0.9, 5
"""A fact contradicts what was said when so many looks in a row are this sure of another value."""
QUIET = 1000.0
"""Answers until a false alarm of the drift, on average, at least."""
DISTRUST = Doubt("answers were wrong more often than their probabilities say", 0.7)


class Risk:
    """Share of wrong answers, bounded from above at any time."""

    def __init__(self) -> None:
        self.wrong = self.n = 0

    def add(self, wrong: bool) -> None:
        self.wrong += wrong
        self.n += 1

    def bound(self, level: float = LEVEL) -> float:
        """The share of wrong answers is above this with a probability of at most `level`; NaN before the first one."""
        return _bound(self.wrong, self.n, level) if self.n else nan


@lru_cache(maxsize=4)
def _bound(wrong: int, n: int, level: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if _wealth(wrong, n, middle) >= -log(level) else (middle, high)
    return high


def _wealth(wrong: int, n: int, share: float) -> float:
    """Logarithm of what bets against "at least this share is wrong" have become: they win by every right answer, and
    the game is fair if it is so. Grows with the share."""
    odds = share / max(1.0 - share, 1e-12)
    with np.errstate(divide="ignore"):
        lost = wrong * np.log1p(-BETS) if wrong else 0.0
    return float(np.logaddexp.reduce((n - wrong) * np.log1p(BETS * odds) + lost) - log(len(BETS)))


class Drift:
    """Whether answers are wrong more often than their probabilities say: an e-detector (Shin, Ramdas & Rinaldo 2024,
    "E-detectors", section 2), whose bets begin anew where they have lost, so that good times are forgotten."""

    def __init__(self) -> None:
        self._wealth = np.ones(len(BETS))

    def add(self, probability: float, wrong: bool) -> None:
        """probability: that it would be right; what is no number is not counted."""
        if isfinite(probability):
            share = float(np.clip(1.0 - probability, 1e-3, 1.0 - 1e-3))
            won = (1.0 - share) / share if wrong else -1.0
            self._wealth = np.maximum(self._wealth, 1.0) * (1.0 + BETS / 2 * won)

    @property
    def alarm(self) -> bool:
        return bool(self._wealth.mean() >= QUIET)


@dataclass
class Said:
    """An accepted answer whose outcome is not known yet. value: what was seen of its topic, "" where that is nothing;
    against: looks in a row that were sure of something else."""

    at_s: float
    probability: float
    topic: str
    value: str
    against: int = 0


class Outcomes:
    """Finds out which accepted answers were right: every one counts once."""

    def __init__(self) -> None:
        self.risk, self.drift = Risk(), Drift()
        self._open: deque[Said] = deque()

    def said(self, probability: float, topic: str, facts: Mapping[str, tuple[str, float]], now_s: float) -> None:
        """An answer was accepted. facts: what was seen then, name -> (value, its probability)."""
        value = facts[topic][0] if topic in LASTING and topic in facts else ""
        self._open.append(Said(now_s, probability, topic, value))

    def corrected(self, now_s: float) -> bool:
        """Somebody said that the last answer is wrong; whether there was one that this can be about."""
        self._settle(now_s)
        if not self._open:
            return False
        self._count(self._open.pop(), wrong=True)
        return True

    def look(self, facts: Mapping[str, tuple[str, float]], now_s: float) -> None:
        """What a look sees may contradict what was said."""
        self._settle(now_s)
        for each in [*self._open]:
            value, probability = facts.get(each.topic, ("", 0.0))
            other = bool(each.value) and value != each.value and probability >= SURE
            each.against = each.against + 1 if other else 0
            if each.against >= AGREED:
                self._open.remove(each)
                self._count(each, wrong=True)

    def doubts(self) -> tuple[Doubt, ...]:
        return (DISTRUST,) if self.drift.alarm else ()

    def clear(self) -> None:
        """Time began anew: what is still open cannot be found out any more. What was counted stays."""
        self._open.clear()

    def _settle(self, now_s: float) -> None:
        while self._open and now_s - self._open[0].at_s > PATIENCE_S:
            self._count(self._open.popleft(), wrong=False)

    def _count(self, said: Said, wrong: bool) -> None:
        self.risk.add(wrong)
        self.drift.add(said.probability, wrong)
