"""Two pictures of how good probabilities are: what they come to, and what is gained by keeping silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_edge.bench.harness import wilson
from mm_edge.trust.selection import reliability, risk_coverage

INK, DIM = "#111827", "#9ca3af"
COLOURS = ("#2563eb", "#d97706", "#059669")
LOWEST, HIGHEST = 0.6, 0.9995
"""Of the axes of the reliability, on scales of odds: nearly all that is said is nearly sure."""
TICKS = (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
BINS = 8
Curve = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Probabilities, and whether each answer was right."""


@dataclass(frozen=True)
class TrustPlot:
    """raw, calibrated: of all answers; parts: name -> of some; coverage, risk: of what is said plainly; allowed: the
    risk that was promised."""

    raw: Curve
    calibrated: Curve
    parts: Mapping[str, Curve]
    coverage: float
    risk: float
    allowed: float

    def save(self, path: Path) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11, 4.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        self._reliability(left)
        self._selection(right)
        figure.savefig(path, dpi=130)

    def _reliability(self, axes: Any) -> None:
        """With intervals of 95 %; where all are right, these are what there is to see."""
        for curve, colour, marker, name in (
            (self.raw, DIM, "x", "raw confidence"),
            (self.calibrated, COLOURS[0], "o", "calibrated"),
        ):
            bins = reliability(*curve, BINS)
            p = np.array([mean for mean, *_ in bins]).clip(LOWEST, HIGHEST)
            shares = np.array([share for _, share, _ in bins]).clip(LOWEST, HIGHEST)
            spans = np.array([wilson(round(share * n), n) for _, share, n in bins]).clip(LOWEST, HIGHEST)
            axes.vlines(p, spans[:, 0], spans[:, 1], color=colour, linewidth=6, alpha=0.25)
            axes.plot(p, shares, marker, color=colour, label=name, markersize=7)
        axes.plot((LOWEST, HIGHEST), (LOWEST, HIGHEST), color=INK, linewidth=1, linestyle="--", zorder=0)
        axes.set(xscale="logit", yscale="logit", xlim=(LOWEST, HIGHEST), ylim=(LOWEST, 0.9997))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks(TICKS, [f"{tick:g}" for tick in TICKS])
            axis.set_ticks([], minor=True)
        axes.set(xlabel="probability that the facts are right", ylabel="share of answers whose facts are")
        _finish(axes, "Reliability", "lower right")

    def _selection(self, axes: Any) -> None:
        for colour, (name, curve) in zip(COLOURS, self.parts.items(), strict=False):
            coverage, risk = zip(*risk_coverage(*curve), strict=True)
            axes.plot(coverage, risk, color=colour, label=name, linewidth=2)
        axes.axhline(self.allowed, color=INK, linewidth=1, linestyle="--")
        axes.annotate(f"promised: {self.allowed:g}", (0.02, self.allowed), xytext=(0, 4), textcoords="offset points")
        axes.plot([self.coverage], [self.risk], "*", color=INK, markersize=14, label="said plainly", zorder=5)
        wrong = [1.0 - float(right.mean()) for _, right in self.parts.values()]
        axes.set(xlim=(0, 1.02), ylim=(0, max(1.4 * self.allowed, 1.1 * max(wrong))))
        axes.set(xlabel="share of requests answered, the surest first", ylabel="share of these that is wrong")
        _finish(axes, "Risk and coverage", "upper left")


def _finish(axes: Any, title: str, legend: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc=legend)
