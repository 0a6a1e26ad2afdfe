"""What is spoken next, and what is not spoken at all: priorities, expiry, mute, pause.

Every sentence that comes in is answered for: each change of its state is returned as an Event, and each sentence ends
in exactly one of the states after STARTED. Pure bookkeeping: knows nothing about threads, sound or ROS, and time comes
in as an argument. Not thread-safe; the playback guards it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import IntEnum

from mm_edge.feedback.utterance import Kind, Priority, Utterance

JUMP_BACK_NS = 1_000_000_000
"""ROS time that goes back by more than this began anew; what waits belongs to the time before."""


class State(IntEnum):
    """Those of msg/SpeechStatus.msg."""

    QUEUED = 0
    STARTED = 1
    FINISHED = 2
    INTERRUPTED = 3
    EXPIRED = 4
    MUTED = 5
    FAILED = 6


class Control(IntEnum):
    """What speech/control can ask for; the words are the names in lower case."""

    STOP = 0
    MUTE = 1
    UNMUTE = 2
    PAUSE = 3
    RESUME = 4


CONTROLS = {control.name.lower(): control for control in Control}


@dataclass(frozen=True)
class Item:
    """A sentence that waits. `received_s`: monotonic; `order`: counts up in order of arrival."""

    utterance: Utterance
    received_s: float
    order: int


@dataclass(frozen=True)
class Event:
    """`item` reached `state`; `detail` says why, in plain words."""

    item: Item
    state: State
    detail: str = ""


class SpeechQueue:
    def __init__(self, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self.muted = False
        self.paused = False
        self.listening = False
        """Somebody speaks, or has just spoken: only what is urgent does not wait."""
        self._waiting: list[Item] = []
        self._order = itertools.count()
        self._newest_ns = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, utterance: Utterance, now_ns: int, now_s: float) -> tuple[Item, list[Event]]:
        """Take in a sentence, received at `now_s` on the monotonic clock."""
        item = Item(utterance, now_s, next(self._order))
        if self.muted and utterance.priority < Priority.URGENT:
            return item, [Event(item, State.MUTED, "speech is muted")]
        events = [*self.expire(now_ns), *self._overtaken(utterance)]
        self._waiting.append(item)
        events.append(Event(item, State.QUEUED))
        if len(self._waiting) > self.max_waiting:
            least = min(self._waiting, key=lambda waiting: (waiting.utterance.priority, waiting.order))
            events.append(self._drop(least, State.EXPIRED, f"more than {self.max_waiting} sentences wait"))
        return item, events

    def next(self, now_ns: int) -> tuple[Item | None, list[Event]]:
        """The sentence to speak now, the most urgent first and then the oldest; None when there is none."""
        events = self.expire(now_ns)
        allowed = [item for item in self._waiting if not self.held or item.utterance.priority >= Priority.URGENT]
        if not allowed:
            return None, events
        chosen = min(allowed, key=lambda item: (-item.utterance.priority, item.order))
        self._waiting.remove(chosen)
        return chosen, events

    @property
    def held(self) -> bool:
        """Whether only urgent sentences are spoken."""
        return self.paused or self.listening

    def newest_order(self) -> int:
        """That of the answer, or what is as urgent, that came last and waits; -1 for none."""
        waiting = (item.order for item in self._waiting if item.utterance.priority >= Priority.NORMAL)
        return max(waiting, default=-1)

    def expire(self, now_ns: int) -> list[Event]:
        """Drop what is not worth saying any more."""
        restarted = now_ns + JUMP_BACK_NS < self._newest_ns
        self._newest_ns = now_ns if restarted else max(now_ns, self._newest_ns)
        events = []
        for item in list(self._waiting):
            expires_ns = item.utterance.expires_ns
            if restarted:
                events.append(self._drop(item, State.EXPIRED, "the clock jumped back"))
            elif 0 < expires_ns < now_ns:
                late_s = (now_ns - expires_ns) / 1e9
                events.append(self._drop(item, State.EXPIRED, f"stale by {late_s:.1f} s before speech could begin"))
        return events

    def control(self, control: Control) -> list[Event]:
        """What becomes of the waiting sentences; the one being spoken is the playback's."""
        if control in (Control.MUTE, Control.UNMUTE):
            self.muted = control == Control.MUTE
        if control in (Control.PAUSE, Control.RESUME):
            self.paused = control == Control.PAUSE
        if control == Control.STOP:
            return [self._drop(item, State.INTERRUPTED, "stopped by speech/control") for item in list(self._waiting)]
        if control == Control.MUTE:
            quiet = [item for item in self._waiting if item.utterance.priority < Priority.URGENT]
            return [self._drop(item, State.MUTED, "speech is muted") for item in quiet]
        return []

    def _overtaken(self, utterance: Utterance) -> list[Event]:
        """Of progress that has to wait, only the newest is worth hearing; whoever tells it sums up what was dropped."""
        if not self.held or utterance.kind != Kind.PROGRESS:
            return []
        old = [i for i in self._waiting if i.utterance.kind == Kind.PROGRESS and i.utterance.priority == Priority.LOW]
        return [self._drop(item, State.EXPIRED, f"overtaken by {utterance.id}") for item in old]

    def _drop(self, item: Item, state: State, detail: str) -> Event:
        self._waiting.remove(item)
        return Event(item, state, detail)


def interrupts(new: Utterance, current: Utterance) -> bool:
    """Whether a sentence that comes in cuts off the one being spoken."""
    if new.priority >= Priority.URGENT:
        return True
    return new.priority >= Priority.HIGH and new.priority > current.priority
