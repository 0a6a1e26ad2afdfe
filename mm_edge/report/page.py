"""One self-contained page about a recorded drive: figures, what was said when, where the time went, trust, misses.

Knows nothing about how the drive was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader

from mm_edge import __version__
from mm_edge.report import timeline
from mm_edge.report.belief import SIZE, charts
from mm_edge.report.recording import Recording
from mm_edge.trust.constants import Belief

KINDS = ("answer", "unsure", "follow-up", "alert", "progress", "refused")
STAGES = ("queue", "encode", "prefill", "draft", "trust")
SPEECH = ("waiting", "started", "spoken", "interrupted", "expired", "muted", "failed")
VERDICTS = ("said plainly", "said with doubt", "asked", "not said")
CHART_W, CHART_H = 640, 120


def write_page(
    recording: Recording, path: Path, title: str = "", notes: Sequence[str] = (), belief: Belief | None = None
) -> None:
    """Write `path`; belief: what is known of the probabilities in it. Raises OSError."""
    environment = Environment(loader=PackageLoader("mm_edge.report", "."), autoescape=True)
    template = environment.get_template("report.html.j2")
    path.write_text(
        template.render(
            title=title or recording.path.stem,
            notes=notes,
            version=__version__,
            figures=figures(recording),
            said=[_sentence(recording, t_s, utterance) for t_s, utterance in recording.of("/utterance")],
            turns=[_turn(report) for _, report in recording.of("/latency") if report.request_id],
            misses=[_turn(r) for _, r in recording.of("/latency") if r.request_id and not r.deadline_met],
            confidence=curve(recording, "/trust", "confidence", 1.0),
            novelty=curve(recording, "/trust", "novelty", 1.0),
            bound=curve(recording, "/trust", "risk_bound", 1.0),
            charts=charts(belief, [report.confidence for _, report in recording.of("/trust")]),
            size=SIZE,
            verdicts=verdicts(recording),
            memory=curve(recording, "/memory", "physical_length", None),
            problems=problems(recording),
            tasks=timeline.lines(recording, KINDS),
            stages=STAGES,
        ),
        encoding="utf-8",
    )


def figures(recording: Recording) -> list[tuple[str, str]]:
    """The key figures: name and value in words."""
    reports = [report for _, report in recording.of("/latency") if report.request_id]
    requests = [*{report.request_id: report for report in reversed(reports)}.values()]  # the first one of each
    utterances = [utterance for _, utterance in recording.of("/utterance")]
    totals = [report.total_ms for report in requests]
    finals = [u for u in utterances if u.final]
    spoken = [s.first_audio_ms for _, s in recording.of("/speech/status") if s.state == 1]
    unsure = sum(u.kind == 1 for u in finals)
    return [
        ("drive", f"{recording.duration_s:.0f} s"),
        ("requests answered", str(len(finals))),
        ("missed deadlines", str(sum(not report.deadline_met for report in requests))),
        ("latency, median", _ms(totals, 50)),
        ("latency, 95\u00a0%", _ms(totals, 95)),
        ("slack, median", _ms([report.slack_ms for report in requests], 50)),
        ("not sure", f"{unsure} of {len(finals)}"),
        ("alerts", str(sum(u.kind == 3 for u in utterances))),
        ("first sound, median", _ms(spoken, 50)),
    ]


def curve(recording: Recording, topic: str, name: str, top: float | None) -> str:
    """Points of an SVG line in a box of CHART_W x CHART_H; "" without data."""
    points = [(t_s, float(getattr(m, name))) for t_s, m in recording.of(topic) if getattr(m, name) == getattr(m, name)]
    if not points:
        return ""
    high = top or max(value for _, value in points) or 1.0
    long_s = max(recording.duration_s, 1e-9)
    return " ".join(f"{CHART_W * t / long_s:.1f},{CHART_H * (1 - min(v / high, 1.0)):.1f}" for t, v in points)


def verdicts(recording: Recording) -> list[tuple[str, int]]:
    """What was made of the answers to requests, and how often."""
    found = Counter(report.verdict for _, report in recording.of("/trust") if report.request_id)
    return [(VERDICTS[verdict], found[verdict]) for verdict in sorted(found)]


def problems(recording: Recording) -> list[dict[str, Any]]:
    """Every warning and error on /diagnostics: name, message, first and last seconds, count."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for t_s, array in recording.of("/diagnostics"):
        for status in array.status:
            if status.level in (1, 2):
                entry = found.setdefault(
                    (status.name, status.message),
                    {"name": status.name, "message": status.message, "level": status.level, "first": t_s, "count": 0},
                )
                entry["last"] = t_s
                entry["count"] += 1
    return list(found.values())


def _sentence(recording: Recording, t_s: float, utterance: Any) -> dict[str, Any]:
    asked = {request.id: request.text for _, request in recording.of("/request")}
    ends = [s.state for _, s in recording.of("/speech/status") if s.utterance_id == utterance.id]
    reports = [r for _, r in recording.of("/latency") if utterance.request_id and r.request_id == utterance.request_id]
    return {
        "at": timeline.clock(t_s, 1),
        "picture": recording.picture(t_s),
        "kind": KINDS[utterance.kind],
        "question": asked.get(utterance.request_id, "")[:200],
        "text": utterance.text,
        "judged": KINDS[utterance.kind] != "progress",
        "confidence": f"{utterance.confidence:.2f}",
        "turn": _turn(reports[0]) if reports else None,
        "speech": SPEECH[max(ends)] if ends else "",
    }


def _turn(report: Any) -> dict[str, Any]:
    width = max(report.deadline_ms, report.total_ms, 1e-9)
    return {
        "id": report.request_id,
        "total": f"{report.total_ms:.0f}",
        "deadline": f"{report.deadline_ms:.0f}",
        "met": report.deadline_met,
        "mark": 100 * report.deadline_ms / width,
        "parts": [(stage, 100 * max(0.0, getattr(report, f"{stage}_ms")) / width) for stage in STAGES],
    }


def _ms(values: Sequence[float], q: float) -> str:
    finite = [value for value in values if value == value]
    return f"{np.percentile(finite, q):.0f} ms" if finite else "n/a"
