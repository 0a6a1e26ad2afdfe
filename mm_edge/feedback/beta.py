"""How reliable something is at least, from how often it worked: quantiles of a Beta distribution.

Knows nothing about what is counted. Pure functions, without SciPy: the runtime does not have it.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p

HALVINGS = 60
TERMS = 500
TINY = 1e-300
PRECISION = 1e-12


@lru_cache(maxsize=1024)
def quantile(share: float, a: float, b: float) -> float:
    """What Beta(a, b) is below with probability `share`. Raises ValueError outside of 0 < share < 1 and a, b > 0."""
    if not (0 < share < 1 and a > 0 and b > 0):
        raise ValueError(f"Beta({a}, {b}) has no quantile {share}")
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, a, b) < share else (low, middle)
    return (low + high) / 2


def below(x: float, a: float, b: float) -> float:
    """The probability that Beta(a, b) is below x: the regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - below(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, by Lentz's method (Press et al., Numerical Recipes, section 6.4)."""
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < PRECISION:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > TINY else TINY
