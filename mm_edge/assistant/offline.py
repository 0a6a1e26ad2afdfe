"""A recording through the assistant as fast as it goes, by the recording's own clock, without ROS.

Every job is done at the moment it comes up, so what is said depends only on the recording, the configuration and the
weights: two runs say the same. Only the measured durations in the reports differ. Knows nothing about bag formats.
"""

from __future__ import annotations

import itertools
from math import ceil, isinf
from typing import Any

from mm_edge.assistant.clock import ManualClock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.intake import Intake
from mm_edge.assistant.narrator import Narrator
from mm_edge.assistant.request import Request
from mm_edge.assistant.session import Session
from mm_edge.assistant.worker import TOO_MANY, perform, refused
from mm_edge.compute.planner import Planner, PlanTable
from mm_edge.engine.base import Engine
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.trust.constants import TrustConstants

ROUNDING_NS = 1000
"""More than seconds since 1970 lose as floating-point numbers."""


class OfflineAssistant:
    """The assistant on a clock that the caller moves. `faults` of its inbox tell what was wrong with the recording."""

    def __init__(
        self, config: AssistantConfig, engine: Engine, constants: TrustConstants, table: PlanTable | None = None
    ) -> None:
        """table: what plans are worth. Times are not: by this clock no turn takes any."""
        self.clock = ManualClock()
        self.inbox = Inbox(config, self.clock)
        numbers, planner = itertools.count(1), Planner(table)
        self._session = Session(config, engine, constants, self.inbox, self.clock, numbers, planner=planner)
        self._narrator = Narrator(FeedbackConfig(), config, self.inbox, self._session.name)
        self._intake = Intake(self.inbox, self._submit, self._refuse, self._tell, self._command)
        self._said: list[Any] = []

    def due_ns(self) -> int | None:
        """When something is to be said though nothing comes in; None: never."""
        left_s = self._narrator.left_s()
        return None if isinf(left_s) else self.clock.now_ns() + max(0, ceil(left_s * 1e9)) + ROUNDING_NS

    def advance(self, stamp_ns: int) -> list[Any]:
        """Let time pass until a moment, at most until `due_ns`; returns what is to be said then."""
        self.clock.set(max(stamp_ns, self.clock.now_ns()))
        return self._narrator.due()

    def heard(self, status: Any) -> list[Any]:
        """A SpeechStatus-like message; returns what is to be said of it."""
        return self._narrator.heard(status)

    def receive(self, topic: str, message: Any, stamp_ns: int) -> list[Any]:
        """Take in one message of intake.TOPICS, received at `stamp_ns`; returns the outputs it led to, in order.

        What was due before it has been told by `advance`.
        """
        self.clock.set(max(stamp_ns, self.clock.now_ns()))
        self._intake.receive(topic, message)
        while (job := self.inbox.next_job(timeout_s=0.0)) is not None:
            self._said.extend(self._narrator.completed(output) for output in perform(self._session, job))
        said, self._said = self._said, []
        return said

    def _submit(self, request: Request) -> None:
        if replies := self._narrator.asked(request):
            self._said.extend(replies)
        elif self.inbox.put_request(request) is None:
            self._refuse(request.id, TOO_MANY)

    def _tell(self, step: Any) -> None:
        self._said.extend(self._narrator.tell(step))
        self.inbox.put_step(step)

    def _command(self, word: str) -> None:
        self._said.extend(self._narrator.command(word))

    def _refuse(self, request_id: str, why: str) -> None:
        self._said.append(refused(request_id, why, self.clock))
