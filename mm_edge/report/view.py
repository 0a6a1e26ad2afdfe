"""What happens, live in the terminal; without a terminal, one line per sentence.

Knows nothing about where it comes from.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

KINDS = ("answer", "not sure", "better", "alert", "progress", "refused")
COLOURS = ("green", "yellow", "green", "bold red", "cyan", "magenta")
VERDICTS = ("said plainly", "with doubt", "asked", "not said")
BAR, LINES = 20, 8


class View:
    """A context manager; `receive` may be called from any thread."""

    def __init__(self, title: str, duration_s: float, live: bool = True, console: Console | None = None) -> None:
        self._title, self._duration_s = title, duration_s
        self._console = console or Console()
        self._lock = threading.Lock()
        self._newest: dict[str, Any] = {}
        self._said: list[Text] = []
        self._start_s: float | None = None
        self._began_s = time.monotonic()
        self._live = Live(self, console=self._console, refresh_per_second=8) if self._shown(live) else None

    def _shown(self, live: bool) -> bool:
        return live and self._console.is_terminal

    def __enter__(self) -> View:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def receive(self, topic: str, message: Any) -> None:
        """A message by its relative topic."""
        with self._lock:
            self._newest[topic] = message
            if not hasattr(message, "header"):
                return
            stamp_s = message.header.stamp.sec + message.header.stamp.nanosec / 1e9
            self._start_s = stamp_s if self._start_s is None else self._start_s
            if topic == "utterance":
                line = Text(f"{KINDS[message.kind]:>9}  ", COLOURS[message.kind]).append(message.text, "default")
                self._said.append(line)
                if self._live is None:
                    self._console.print(Text(f"{stamp_s - self._start_s:6.1f} s ", "dim") + line)

    def __rich__(self) -> RenderableType:
        with self._lock:
            table = Table.grid(expand=True, padding=(0, 1))
            table.add_column(ratio=1)
            table.add_column(ratio=1)
            table.add_row(Panel(self._scene(), title="what it sees"), Panel(self._turn(), title="last turn"))
            passed_s = min(self._duration_s, time.monotonic() - self._began_s)
            newest = Text("\n", no_wrap=True, overflow="ellipsis").join(self._said[-LINES:])
            glance = self._newest.get("glance")
            doing = f": {glance.data}" if glance is not None and glance.data else ""
            said = Panel(newest, title=Text(f"what it says{doing}"), height=LINES + 2)
            title = Text(f"{self._title}   {passed_s:.0f} s of {self._duration_s:.0f} s", "bold")
            return Group(title, table, said)

    def _scene(self) -> RenderableType:
        scene = self._newest.get("scene")
        if scene is None:
            return Text("nothing yet", "dim")
        rows = Table.grid(padding=(0, 1))
        for name, value, probability in zip(scene.names, scene.values, scene.probabilities, strict=True):
            rows.add_row(
                Text(name.replace("_", " "), "dim"), Text(value), _bar(float(probability), "blue"), f"{probability:.2f}"
            )
        return rows

    def _turn(self) -> RenderableType:
        latency, trust, memory = (self._newest.get(topic) for topic in ("latency", "trust", "memory"))
        rows = Table.grid(padding=(0, 1))
        if latency is not None:
            share = float(latency.total_ms / latency.deadline_ms) if latency.deadline_ms else 0.0
            colour = "green" if latency.deadline_met else "red"
            rows.add_row(
                "deadline", _bar(share, colour), f"{latency.slack_ms:.0f} ms left of {latency.deadline_ms:.0f}"
            )
            for stage in ("queue", "encode", "prefill", "draft", "trust"):
                rows.add_row(Text(stage, "dim"), "", f"{getattr(latency, f'{stage}_ms'):.1f} ms")
        if trust is not None:
            rows.add_row("trust", _bar(float(trust.confidence), "green"), VERDICTS[trust.verdict])
            rows.add_row("novelty", _bar(float(trust.novelty), "yellow"), f"{trust.novelty:.2f}")
        if memory is not None:
            rows.add_row(
                "memory", f"{memory.physical_length} of {memory.capacity} slots", f"{memory.bytes / 1024:.0f} KiB"
            )
        return rows


def _bar(share: float, colour: str) -> Text:
    full = round(BAR * min(1.0, max(0.0, share)))
    return Text("━" * full, colour).append("━" * (BAR - full), "grey30")
