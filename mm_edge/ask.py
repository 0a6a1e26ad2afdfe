"""One request to running nodes, from the command line, and what comes back."""

from __future__ import annotations

import time
import uuid
from typing import Any

from mm_edge.errors import UserError
from mm_edge.nodes.run import joined

CONNECT_S = 5.0
MARGIN_S = 2.0
"""How long after its deadline an answer is waited for; then something is wrong."""
FOLLOW_UP_S = 2.0
REPORT_S = 0.5
KINDS = ("answer", "not sure", "better answer", "alert", "progress", "refused")
STAGES = ("queue", "encode", "prefill", "draft")
UNSURE, FOLLOW_UP = 1, 2


def run(text: str, deadline_ms: float, namespace: str = "") -> None:
    """Prints the final utterance for this request, and a better one that follows, with their reports.

    Raises UserError when nobody answers.
    """
    with joined():
        _Asker(text, deadline_ms, namespace).run()


class _Asker:
    def __init__(self, text: str, deadline_ms: float, namespace: str) -> None:
        import rclpy

        import mm_edge.msg as msg

        self.id = f"ask-{uuid.uuid4().hex[:8]}"
        self.request = msg.AssistRequest(id=self.id, text=text, deadline_ms=deadline_ms)
        self.node = rclpy.create_node(f"ask_{self.id[4:]}", namespace=namespace or "/")
        self.publisher = self.node.create_publisher(msg.AssistRequest, "request", 10)
        self.utterances: list[Any] = []
        self.reports: dict[str, list[Any]] = {"latency": [], "trust": []}
        self.node.create_subscription(msg.Utterance, "utterance", self._hear, 100)
        for kind, topic in ((msg.LatencyReport, "latency"), (msg.TrustReport, "trust")):
            self.node.create_subscription(kind, topic, lambda report, t=topic: self._report(t, report), 100)

    def run(self) -> None:
        if not self._until(self._connected, CONNECT_S):
            raise UserError("no assistant is running here; start one with: mm-edge up")
        self.publisher.publish(self.request)
        if not self._until(lambda: any(u.final for u in self.utterances), self.request.deadline_ms / 1e3 + MARGIN_S):
            raise UserError(f"no answer within {self.request.deadline_ms / 1e3 + MARGIN_S:g} s; see /diagnostics")
        self._show(0)
        if self.utterances[0].kind == UNSURE and self._until(lambda: len(self.utterances) > 1, FOLLOW_UP_S):
            self._show(1)

    def _connected(self) -> bool:
        return self.publisher.get_subscription_count() > 0 and self.node.count_publishers("utterance") > 0

    def _until(self, done: Any, timeout_s: float) -> bool:
        import rclpy

        end_s = time.monotonic() + timeout_s
        while not done():
            if time.monotonic() > end_s:
                return False
            rclpy.spin_once(self.node, timeout_sec=0.05)
        return True

    def _hear(self, utterance: Any) -> None:
        if utterance.request_id == self.id:
            self.utterances.append(utterance)

    def _report(self, topic: str, report: Any) -> None:
        if report.request_id == self.id:
            self.reports[topic].append(report)

    def _show(self, number: int) -> None:
        """The n-th utterance and the n-th report: they come in pairs."""
        from rich.console import Console
        from rich.text import Text

        self._until(lambda: len(self.reports["latency"]) > number, REPORT_S)
        console, utterance = Console(), self.utterances[number]
        console.print(Text(utterance.text, style="bold"))
        console.print(Text(f"  {KINDS[utterance.kind]}, probability {utterance.confidence:.2f}", style="dim"))
        latency = next(iter(self.reports["latency"][number:]), None)
        trust = next((r for r in self.reports["trust"] if r.header.stamp == utterance.header.stamp), None)
        if latency is not None:
            stages = ", ".join(f"{s} {getattr(latency, f'{s}_ms'):.1f}" for s in STAGES)
            kept = "after it" if utterance.kind == FOLLOW_UP else "in time" if latency.deadline_met else "late"
            passes = "1 pass" if latency.passes == 1 else f"{latency.passes} passes"
            line = f"  {latency.total_ms:.1f} of {latency.deadline_ms:.0f} ms, {kept}: {stages}; {passes}"
            line += f" by {latency.engine}" if latency.engine else ""
            console.print(Text(line, style="dim"), soft_wrap=True)
        if trust is not None and trust.reasons:
            console.print(Text(f"  {'; '.join(trust.reasons)}", style="dim"))
