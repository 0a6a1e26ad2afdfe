"""The common frame of every benchmark: one run measures both sides, prints a table and writes one JSON file.

A benchmark is a module `mm_edge.bench.NAME` with `measure(seed, quick) -> Result`. This file knows nothing of what is
measured.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import pkgutil
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Protocol

import psutil

from mm_edge.errors import UserError

DEFAULT_SEED = 1_500_000
NARROWEST = 140
"""Columns of what is printed into a file."""
HELD_OUT_SEEDS = range(1_000_000, sys.maxsize)


class Drawing(Protocol):
    """What can be drawn beside the JSON."""

    def save(self, path: Path) -> None: ...


@dataclass(frozen=True)
class Plot:
    """Named points (name, x, y); those of the same name are joined."""

    x: str
    y: str
    points: list[tuple[str, float, float]]
    log_x: bool = False

    def save(self, path: Path) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot(xlabel=self.x, ylabel=self.y, xscale="log" if self.log_x else "linear")
        names = dict.fromkeys(name for name, _, _ in self.points)
        for marker, name in zip(cycle("osD^vP"), names, strict=False):
            axes.plot(*zip(*(at for of, *at in self.points if of == name), strict=True), f"{marker}-", label=name)
        axes.grid(alpha=0.3)
        axes.margins(0.08)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        figure.savefig(path, dpi=120)


@dataclass(frozen=True)
class Result:
    """What one benchmark found. `headline`: the figures that may be quoted; `table`: rows; `plot`: what is drawn beside
    the JSON."""

    headline: dict[str, float]
    table: list[dict[str, object]]
    notes: list[str] = field(default_factory=list)
    plot: Drawing | None = None


def names() -> list[str]:
    """The benchmarks that exist."""
    package = importlib.import_module("mm_edge.bench")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name != "harness" and m.name[0] != "_")


def run(
    name: str,
    seed: int = DEFAULT_SEED,
    quick: bool = False,
    json_path: Path | None = None,
    weights: Path | None = None,
) -> Result:
    """Run one benchmark, print its table and write the JSON. weights: others, to be measured beside the shipped ones.

    Raises UserError when there is no such benchmark, the seed belongs to the training drives, or other weights are
    nothing that it measures.
    """
    if name not in names():
        raise UserError(f"no benchmark named {name!r}; there are: {', '.join(names())}")
    if seed not in HELD_OUT_SEEDS:
        raise UserError(f"seed {seed} belongs to the training drives; held-out seeds begin at {HELD_OUT_SEEDS.start}")
    measure = importlib.import_module(f"mm_edge.bench.{name}").measure
    if weights is not None and "weights" not in inspect.signature(measure).parameters:
        raise UserError(f"{name} measures the shipped weights alone")
    began = time.perf_counter()
    result = measure(seed, quick) if weights is None else measure(seed, quick, weights)
    conditions = {
        "bench": name,
        "command": f"mm-edge bench {name} --seed {seed}"
        + (" --quick" if quick else "")
        + (f" --weights {weights}" if weights else ""),
        "machine": machine(),
        "commit": commit(),
        "date": date.today().isoformat(),
        "seconds": round(time.perf_counter() - began, 1),
    }
    show(result, conditions)
    if json_path is not None:
        write_json(json_path, result, conditions)
    return result


def write_json(path: Path, result: Result, conditions: dict[str, object]) -> None:
    """Raises UserError when the file cannot be written."""
    document = {**conditions, "headline": result.headline, "table": result.table, "notes": result.notes}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, allow_nan=True, default=float) + "\n")
        if result.plot is not None:
            result.plot.save(path.with_suffix(".png"))
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def machine() -> str:
    """Processor, cores, memory and Python in one line."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")


def commit() -> str:
    """The checked-out commit, with "+" behind it when the tree has changes; "unknown" outside a checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*args: str) -> str:
        return subprocess.run(["git", "-C", root, *args], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def show(result: Result, conditions: dict[str, object]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=NARROWEST)
    if result.table:
        table = Table(title=f"mm-edge bench {conditions['bench']}", title_justify="left")
        for number, (key, first) in enumerate(result.table[0].items()):
            table.add_column(key, justify="left" if isinstance(first, str) else "right", no_wrap=number == 0)
        for row in result.table:
            table.add_row(*(_cell(row.get(key, "")) for key in result.table[0]))
        console.print(table)
    for key, value in result.headline.items():
        console.print(f"  {key:<40} [bold]{_cell(value)}[/bold]")
    for note in result.notes:
        console.print(f"  [dim]{note}[/dim]")
    console.print(f"  [dim]{conditions['machine']}; commit {conditions['commit']}; {conditions['seconds']} s[/dim]")


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "n/a" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def percentile(values: Sequence[float], q: float) -> float:
    """The q-th percentile (0..100) by the nearest-rank method; NaN for no values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(q / 100 * len(ordered)) - 1))]


def wilson(successes: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927, eq. 1); (NaN, NaN) for n = 0."""
    if n == 0:
        return math.nan, math.nan
    share, zz = successes / n, z * z
    centre = (share + zz / (2 * n)) / (1 + zz / n)
    half = z / (1 + zz / n) * math.sqrt(share * (1 - share) / n + zz / (4 * n * n))
    return centre - half, centre + half
