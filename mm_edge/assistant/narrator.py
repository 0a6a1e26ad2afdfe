"""What the assistant says of tasks, and how much of anything: progress and policy with the world around them.

Takes in task steps, the user's words about feedback, what became of sentences at the loudspeaker, and everything that
the assistant puts out; gives remarks, the line for a screen and the verbosity of reports. Synchronous; may be used from
several threads. Knows nothing about ROS or about who calls it when.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.inbox import Inbox
from mm_edge.assistant.request import Request, Stakes
from mm_edge.feedback import glance, kept
from mm_edge.feedback.account import About
from mm_edge.feedback.config import FeedbackConfig
from mm_edge.feedback.demand import Demand
from mm_edge.feedback.earcon import TOPIC as EARCON
from mm_edge.feedback.explaining import explained
from mm_edge.feedback.policy import COMMANDS, Moment, Policy, Verbosity
from mm_edge.feedback.progress import HOLD_S, Progress, Remark
from mm_edge.feedback.queue import State
from mm_edge.feedback.remarks import Doubt
from mm_edge.feedback.utterance import Kind, Priority, Utterance
from mm_edge.trust.novelty import ALARM
from mm_edge.trust.report import TrustReport, Verdict

SPOKEN = {
    "be quiet": "mute", "mute": "mute", "speak again": "unmute", "unmute": "unmute",
    "say more": "more", "tell me more": "more", "more": "more", "say less": "less", "less": "less", "normal": "normal",
    "why": "why", "stop": "stop",
}  # fmt: skip
"""Requests that are about feedback itself, and the words of speech/control that they stand for."""
CORRECTION = re.compile(
    r"(no|nope|sorry|but)?[ ,]*(you are|you're|that is|that's|that was|this is|it is|it's)?[ ,]*"
    r"(wrong|incorrect|not (right|true|correct)|false)"
)
"""What people say to a wrong answer, and nothing else."""
WORDS = frozenset({*SPOKEN.values(), "wrong"})
REPLIES = {
    "mute": "OK, I am quiet.", "unmute": "OK, I speak again.", "more": "OK, I say more.", "less": "OK, I say less.",
    "normal": "OK, as usual.", "stop": "OK.", "wrong": "Thank you, I will be more careful.",
}  # fmt: skip
PLAIN = frozenset({About.PLAN, About.RESULT, About.REMAINING, About.STILL, About.BACKGROUND})
"""Remarks that wait behind answers."""
ALARM_LASTS_S = 5.0
"""How long an unfamiliar picture makes everything new."""
PLAIN_FROM, DOUBTFUL_FROM = 0.7, 0.4
"""From which probability up a task's result is said plainly, or with doubt, if nothing else is set."""
KEPT_REQUESTS, SHOWN_KINDS = 256, 8
WATCHING = "watching"
"""The kind of turns that nobody asked for."""


@dataclass(frozen=True)
class Glance:
    """What is going on, in one line; std_msgs/String."""

    data: str


Talk = Callable[[NDArray[np.float32]], bool]
"""Whether somebody speaks in samples, float32 [n], mono at 16 kHz."""


class Narrator:
    """`name` gives every utterance its id; `talk`: None where nobody can tell."""

    def __init__(
        self,
        settings: FeedbackConfig,
        config: AssistantConfig,
        inbox: Inbox,
        name: Callable[[], str],
        talk: Talk | None = None,
    ) -> None:
        self.policy = Policy(settings)
        self._inbox = inbox
        self._clock = inbox.clock
        self._name = name
        self._talk = talk
        self._lock = threading.Lock()
        self._progress = Progress(settings, self.policy, _doubt(config))
        self._demand = Demand()
        self._novel_until_s = self._listened_s = -inf
        self._stakes: dict[str, Stakes] = {}
        self._topics: dict[str, str] = {}
        self._latest: tuple[str, Verbosity] | None = None
        self._glance = ""
        self._epoch = inbox.epoch
        self._kept = 0
        self._restore(settings)

    def configure(self, settings: FeedbackConfig, config: AssistantConfig) -> None:
        """Go on with other settings."""
        with self._lock:
            self.policy.config = settings
            self._progress.configure(settings)
            self._progress.doubt = _doubt(config)

    # -- what comes in ------------------------------------------------------------------------------------------------

    def tell(self, step: Any) -> list[Any]:
        """A TaskStep-like message; returns what to publish now."""
        with self._lock:
            self._progress.take(step, self._clock.monotonic_s())
        return self.due()

    def asked(self, request: Request) -> list[Any]:
        """The final word for a request about feedback itself; nothing for any other, which is remembered."""
        text = " ".join(request.text.lower().split()).rstrip("?.!")
        word = SPOKEN.get(text) or ("wrong" if CORRECTION.fullmatch(text) else "")
        reply = self._obeyed(word) if word else ""
        if reply:
            return [self._reply(reply, Kind.ANSWER, request_id=request.id, final=True)]
        with self._lock:
            _remember(self._stakes, request.id, request.stakes)
        return []

    def command(self, word: str) -> list[Any]:
        """A word of speech/control; only an explanation is said, the rest is plain to whoever pressed a button."""
        word = word.strip().lower()
        reply = self._obeyed(word) if word in WORDS else ""
        said = [self._reply(reply, Kind.FOLLOW_UP)] if reply and word == "why" else []
        return [*said, *self.due()]

    def heard(self, status: Any) -> list[Any]:
        """A SpeechStatus-like message: what became of a sentence."""
        state = int(status.state)
        if state > State.STARTED:
            sounded = state in (State.FINISHED, State.INTERRUPTED)
            with self._lock:
                now_s = self._clock.monotonic_s()
                spoken_s = float(getattr(status, "spoken_s", 0.0))
                self._progress.ended(str(status.utterance_id), sounded, state == State.FINISHED, now_s, spoken_s)
        return self.due()

    def completed(self, output: Any) -> Any:
        """An output of a turn on its way out: sentences are noted, reports get their verbosity."""
        if isinstance(output, Utterance):
            self._note(output)
        return replace(output, **self._judged(output)) if isinstance(output, TrustReport) else output

    # -- what goes out ------------------------------------------------------------------------------------------------

    def due(self) -> list[Any]:
        """Remarks that are to be made now, and the line for the screen if it changed."""
        with self._lock:
            if self._epoch != self._inbox.epoch:
                self._epoch = self._inbox.epoch
                self._progress.forget()
            now_s = self._clock.monotonic_s()
            self._look_around(now_s)
            outputs: list[Any] = []
            while (remark := self._progress.next(now_s)) is not None:
                outputs.append(self._said(remark, now_s))
            for name, detail in self._progress.faults:
                self._inbox.faults.add(name, detail, now_s)
            self._progress.faults.clear()
            line = glance.line(self._progress.tasks, now_s, self.policy.muted)
            if line != self._glance:
                self._glance = line
                outputs.append(Glance(line))
            return outputs

    def left_s(self) -> float:
        """In how many seconds `due` has to be called if nothing comes in; infinity: never."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            return min(self._progress.next_s(), glance.until_s(self._progress.tasks, now_s)) - now_s

    def keep(self) -> None:
        """Write the state if it changed and a file is configured."""
        path, changes = self.policy.config.state_file, self.policy.changes
        if not path or changes == self._kept:
            return
        self._kept = changes
        try:
            kept.write(Path(path).expanduser(), self.policy.state())
        except OSError as error:
            self.fault("feedback_not_kept", f"{path}: {error.strerror or error}")

    def fault(self, name: str, detail: str) -> None:
        """Something went wrong with feedback."""
        self._inbox.faults.add(name, detail, self._clock.monotonic_s())

    def standing(self) -> dict[str, object]:
        """For the diagnostics."""
        with self._lock:
            running = [task for task in self._progress.tasks if not task.closed]
            values: dict[str, object] = {"muted": self.policy.muted, "running_tasks": len(running)}
            values |= {f"verbosity of {task.name}": self._progress.verbosity(task).level for task in running}
        newest = [*self.policy.reliabilities().items()][-SHOWN_KINDS:]
        return values | {f"reliability of {kind}": value for kind, value in newest}

    # -- inside -------------------------------------------------------------------------------------------------------

    def _restore(self, settings: FeedbackConfig) -> None:
        if settings.state_file:
            try:
                kept.read(Path(settings.state_file).expanduser(), self.policy.restore)
            except (kept.KeptError, OSError) as error:
                self.fault("feedback_not_restored", str(error))

    def _obeyed(self, word: str) -> str:
        """What to reply; "" when there is nothing to explain."""
        with self._lock:
            if word == "why":
                return self._explanation()
            if word == "stop":
                self._progress.stop()
            if word == "wrong":
                self._inbox.contradict()
            if word == "wrong" and self._latest is not None:
                self.policy.failed(self._latest[0])
        if word in COMMANDS:
            self.policy.command(word)
        return REPLIES[word]

    def _explanation(self) -> str:
        task = next((task for task in reversed(self._progress.tasks) if not task.closed), None)
        if task is not None:
            verbosity = self._progress.verbosity(task)
        elif self._latest is not None:
            verbosity = self._latest[1]
        else:
            return ""
        return explained(task, self._progress.recall(), verbosity.level, verbosity.reasons)

    def _look_around(self, now_s: float) -> None:
        """Only tasks that nobody asked for have to wait for a better moment."""
        self._progress.novel = now_s < self._novel_until_s
        if any(task.unsolicited and not task.closed for task in self._progress.tasks):
            self._demand.look(self._inbox.state(), now_s)
            if self._talk is not None and now_s - self._listened_s >= HOLD_S:
                self._listened_s, sound = now_s, self._inbox.sound()
                self._progress.talk = sound is not None and self._talk(sound)
        self._progress.demanding = self._demand.high(now_s)

    def _note(self, utterance: Utterance) -> None:
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._progress.spoke(utterance.text, now_s)
            if utterance.kind == Kind.ALERT and utterance.priority >= Priority.HIGH:
                self._demand.mark(now_s)
            if utterance.request_id:
                _remember(self._topics, utterance.request_id, f"about {utterance.topic or 'anything'}")

    def _judged(self, report: TrustReport) -> dict[str, Any]:
        """The verbosity of a turn; an answer that was said plainly counts as one that worked, until it is corrected."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            novel = not report.novelty <= ALARM  # NaN: nobody knows
            if novel:
                self._novel_until_s = now_s + ALARM_LASTS_S
            kind = self._topics.pop(report.request_id, WATCHING)
            moment = Moment(
                high_stakes=self._stakes.pop(report.request_id, Stakes.NORMAL) == Stakes.HIGH,
                novel=novel,
                ambiguous=report.verdict == Verdict.ASKED,
                unsure=report.verdict != Verdict.ACCEPTED,
                unsolicited=not report.request_id,
                demanding=self._demand.high(now_s),
                talk=self._progress.talk,
            )
            verbosity = self.policy(kind, moment)
            if report.request_id and kind != WATCHING:
                self._latest = (kind, verbosity)
                if report.verdict == Verdict.ACCEPTED:
                    self.policy.worked(kind)
        said = f"verbosity {verbosity.level}: {'; '.join(verbosity.reasons)}"
        return {"verbosity": verbosity.level, "reasons": (*report.reasons, said)}

    def _said(self, remark: Remark, now_s: float) -> Utterance:
        if now_s > remark.due_s:
            self.fault("late_acknowledgement", f"{remark.task.name}: {now_s - remark.due_s:.2f} s after it was due")
        self._latest = (remark.task.kind, remark.verbosity)
        utterance = self._utterance(
            remark.text,
            Kind.PROGRESS,
            priority=Priority.LOW if remark.about in PLAIN else Priority.NORMAL,
            topic=EARCON if remark.chime else "task",
            stamp_ns=remark.task.stamp_ns,
            frame_id=remark.task.frame_id,
        )
        self._progress.sent(remark, utterance.id)
        return utterance

    def _reply(self, text: str, kind: Kind, **fields: Any) -> Utterance:
        with self._lock:
            self._progress.spoke(text, self._clock.monotonic_s())
        return self._utterance(text, kind, **fields)

    def _utterance(self, text: str, kind: Kind, stamp_ns: int = 0, **fields: Any) -> Utterance:
        now_ns = self._clock.now_ns()
        expires_ns = now_ns + round(self.policy.config.expires_s * 1e9)
        given: dict[str, Any] = {"priority": Priority.NORMAL} | fields
        return Utterance(stamp_ns or now_ns, self._name(), text, kind, expires_ns=expires_ns, **given)


def _doubt(config: AssistantConfig) -> Doubt:
    """What is told of tasks was found by others, and nothing was fitted to their probabilities."""
    return Doubt(config.accept_probability or PLAIN_FROM, config.hedge_probability or DOUBTFUL_FROM)


def _remember(known: dict[str, Any], key: str, value: Any) -> None:
    """The oldest entries go when there are too many."""
    known[key] = value
    if len(known) > KEPT_REQUESTS:
        known.pop(next(iter(known)))
