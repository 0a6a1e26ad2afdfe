"""The newest of every input, and the requests that wait: what callbacks write and the worker reads.

Callbacks only put; nothing here thinks. A slot holds the newest value, an older one is overwritten. Freshness is judged
by when a message arrived, since stamps may come from another clock. Knows nothing about the model.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from math import inf, isnan, nan
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from mm_edge.assistant.clock import Clock
from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.faults import Faults
from mm_edge.assistant.request import Request, Stakes
from mm_edge.assistant.sensors import SensorError
from mm_edge.compute.device import ComputeState, device_name
from mm_edge.compute.queue import TurnQueue
from mm_edge.model.events import Event
from mm_edge.model.observation import AUDIO_RATE_HZ, AUDIO_WINDOW_S, Observation, VehicleState

T = TypeVar("T")

MOST_CONTRADICTIONS = 16
"""That wait for the worker."""
JUMP_BACK_NS = 1_000_000_000
"""A stamp this far behind the newest one means that time began anew; less is a message out of order."""
FOREIGN_CLOCK_S = 600.0
"""A request stamped this far from the node's clock was stamped by another one: its time counts from receipt."""
STATE_SOURCES = ("vehicle_state", "odom", "imu")
"""Where vehicle signals come from, the most trusted first; a later one fills what the earlier leave unknown."""
LOOK_PRIORITY = max(Stakes) + 1
"""A look may find what needs an alert: no request makes it late."""


@dataclass(frozen=True)
class Slot(Generic[T]):
    """The newest value of one input. `arrival_s`: monotonic."""

    stamp_ns: int
    arrival_s: float
    value: T
    frame_id: str = ""


class Pending:
    """A request on its way. Whoever claims it first, the worker or the deadline guard, says its final word.

    crowded: those before it take too long for it to be answered in time; again: the worker hung at it once.
    """

    def __init__(self, request: Request, start_s: float) -> None:
        self.request = request
        self.start_s = start_s
        self.due_s = start_s + request.deadline_ms / 1e3
        self.crowded = self.again = False
        self._lock = threading.Lock()
        self._claimed = False

    def claim(self) -> bool:
        """True for the first caller only."""
        with self._lock:
            first, self._claimed = not self._claimed, True
            return first


@dataclass(frozen=True)
class Look:
    """A job: evaluate the newest input. `arrival_s`: when it came; `skipped`: frames overwritten since the last one."""

    arrival_s: float
    skipped: int


class Inbox:
    def __init__(self, config: AssistantConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.faults = Faults()
        self.epoch = 0
        """Increases when time began anew: what was remembered before belongs to another drive."""
        self._changed = threading.Condition()
        self._slots: dict[str, Slot[Any]] = {}
        self._turns: TurnQueue[Pending | Literal["look"]] = TurnQueue()
        """Requests, and a look when there is something unseen."""
        self._told: deque[Any] = deque()
        """Task steps and events, in the order in which they came."""
        self._unseen = False
        self._unseen_image = False
        self._last_look_s = -1e9
        self._skipped = 0
        self._contradicted_s: deque[float] = deque(maxlen=MOST_CONTRADICTIONS)
        self._closed = False
        self._machine: Slot[ComputeState] | None = None
        self._computer = device_name()

    # -- what callbacks call ------------------------------------------------------------------------------------------

    def put_image(self, stamp_ns: int, decode: Callable[[], NDArray[np.uint8]], frame_id: str = "") -> None:
        """decode: gives [H, W, 3] RGB or raises SensorError; called only when the frame is looked at."""
        with self._changed:
            if self._put("image", stamp_ns, decode, frame_id):
                self._skipped += self._unseen_image
                self._unseen_image = True
                self._wake()

    def put_state(self, stamp_ns: int, state: VehicleState, source: str = "vehicle_state") -> None:
        """`source` is one of STATE_SOURCES."""
        with self._changed:
            if self._put(source, stamp_ns, state) and source != "imu":
                self._wake()

    def put_audio(self, stamp_ns: int, samples: NDArray[np.float32]) -> None:
        """samples: float32 [n], mono at AUDIO_RATE_HZ; joined to a window of AUDIO_WINDOW_S."""
        with self._changed:
            before = self._slots.get("audio")
            joined = samples if before is None else np.concatenate([before.value, samples])
            if self._put("audio", stamp_ns, joined[-round(AUDIO_RATE_HZ * AUDIO_WINDOW_S) :]):
                self._wake()

    def contradict(self) -> None:
        """Somebody says that the last answer is wrong."""
        self._contradicted_s.append(self.clock.monotonic_s())

    def contradictions(self) -> list[float]:
        """When that was said since the last call, on the monotonic clock."""
        return [self._contradicted_s.popleft() for _ in range(len(self._contradicted_s))]

    def put_request(self, request: Request) -> Pending | None:
        """Queue a request by its deadline; None when too many wait already."""
        with self._changed:
            if self.waiting >= self.config.max_waiting:
                self._fault("too_many_requests", f"{self.waiting} requests wait already")
                return None
            return self._queue(self._pending(request))

    def put_again(self, pending: Pending) -> Pending:
        """Queue another try at a request; that of before is nobody's any more."""
        again = Pending(pending.request, pending.start_s)
        again.again = True
        with self._changed:
            return self._queue(again)

    def put_step(self, step: Any) -> None:
        """A message-like TaskStep, handed on as it is."""
        with self._changed:
            self._told.append(step)
            self._changed.notify()

    def put_event(self, event: Event) -> None:
        """Something that happened, to be written into the log before anything that comes later is done."""
        with self._changed:
            self._told.append(event)
            self._changed.notify()

    def put_machine(self, state: ComputeState) -> None:
        """How this computer fares. Another one's is left out: a monitor may run elsewhere."""
        if state.device != self._computer:
            return self._fault("foreign_compute_state", f"it is of {state.device!r}, not of {self._computer!r}")
        with self._changed:
            self._machine = Slot(state.stamp_ns, self.clock.monotonic_s(), state)

    def put_fault(self, topic: str, error: SensorError) -> None:
        self._fault(error.fault, f"{topic}: {error}")

    # -- what the worker calls ----------------------------------------------------------------------------------------

    def next_job(self, timeout_s: float | None = None) -> Pending | Look | Event | Any | None:
        """The next thing to do: a request, a look at the newest input, an event or a task step; None on time-out or
        `close`.

        A look goes first, in turns with requests. These go by the earliest deadline; when not all can be in time, those
        of the highest stakes can (see TurnQueue). Who cannot waits behind everything else.
        """
        give_up_s = None if timeout_s is None else self.clock.monotonic_s() + timeout_s
        with self._changed:
            while not self._closed:
                job = self._pick()
                if job is not None:
                    return job
                if give_up_s is not None and self.clock.monotonic_s() >= give_up_s:
                    return None
                self._changed.wait(self._wait_s(give_up_s))
        return None

    def machine(self) -> ComputeState | None:
        """The newest state of the computer; None when there is none, or it is too old."""
        slot, now_s = self._machine, self.clock.monotonic_s()
        return slot.value if slot and now_s - slot.arrival_s <= self.config.compute_timeout_s else None

    def expect(self, turn_s: float, margin_s: float = 0.0) -> None:
        """Set how long a turn takes at least, most likely, and how much longer that may be."""
        with self._changed:
            self._turns.cost_s, self._turns.margin_s = turn_s, margin_s

    def latest_end_s(self) -> float:
        """When the turn in progress has to end, so that those who wait are in time; inf: nobody waits."""
        with self._changed:
            return self._turns.latest_end_s(self.clock.monotonic_s())

    def close(self) -> None:
        """Wake the worker for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def observation(self) -> tuple[Observation, str]:
        """The newest fresh input of every kind, and the frame_id of its camera frame ("" without one)."""
        with self._changed:
            image = self._fresh("image", self.config.image_timeout_s)
            audio = self._fresh("audio", self.config.audio_timeout_s)
            states = self._states()
        pixels = self._decoded(image)
        if pixels is None:
            image = None
        slots = [slot for slot in (image, audio, *states) if slot is not None]
        stamp_ns = image.stamp_ns if image else max((s.stamp_ns for s in slots), default=self.clock.now_ns())
        observation = Observation(
            stamp_ns=stamp_ns,
            image=pixels,
            state=merge([slot.value for slot in states if slot]),
            audio=audio.value if audio else None,
        )
        return observation, image.frame_id if image else ""

    def state(self) -> VehicleState:
        """What the vehicle says now."""
        with self._changed:
            return merge([slot.value for slot in self._states() if slot])

    def sound(self) -> NDArray[np.float32] | None:
        """The newest AUDIO_WINDOW_S of sound, float32 [n], mono at AUDIO_RATE_HZ; None without a microphone."""
        with self._changed:
            audio = self._fresh("audio", self.config.audio_timeout_s)
        return None if audio is None else audio.value

    def ages_ms(self) -> dict[str, float]:
        """Time since the newest image, vehicle state and sound arrived; NaN: none yet."""
        now_s = self.clock.monotonic_s()
        with self._changed:
            arrivals = {name: slot.arrival_s for name, slot in self._slots.items()}
        state = max((arrivals[source] for source in STATE_SOURCES if source in arrivals), default=nan)
        newest = {"image": arrivals.get("image", nan), "state": state, "audio": arrivals.get("audio", nan)}
        return {name: (now_s - arrival) * 1e3 for name, arrival in newest.items()}

    def input_age_ms(self) -> float:
        """Age of the newest input by its stamp, on the node's clock; NaN: no input yet."""
        with self._changed:
            stamps = [slot.stamp_ns for slot in self._slots.values()]
        return (self.clock.now_ns() - max(stamps)) / 1e6 if stamps else nan

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._turns) - self._unseen

    # -- inside -------------------------------------------------------------------------------------------------------

    def _put(self, name: str, stamp_ns: int, value: Any, frame_id: str = "") -> bool:
        if stamp_ns <= 0:
            self._fault("zero_stamp", f"{name}: the stamp is not set; the time of receipt is used")
            stamp_ns = self.clock.now_ns()
        before = self._slots.get(name)
        if before is not None and stamp_ns < before.stamp_ns:
            behind_s = (before.stamp_ns - stamp_ns) / 1e9
            if before.stamp_ns - stamp_ns < JUMP_BACK_NS:
                self._fault("out_of_order", f"{name}: a message {behind_s:.3f} s older than the newest was left out")
                return False
            self._fault("clock_jumped_back", f"{name}: stamps went back by {behind_s:.1f} s; the memory starts anew")
            self._slots.clear()
            self.epoch += 1
        self._slots[name] = Slot(stamp_ns, self.clock.monotonic_s(), value, frame_id)
        return True

    def _queue(self, pending: Pending) -> Pending:
        due_s = pending.due_s - self.config.reserve_s(pending.request.deadline_ms)
        self._turns.add(pending, due_s, pending.request.stakes)
        self._changed.notify()
        return pending

    def _pending(self, request: Request) -> Pending:
        arrival_s = self.clock.monotonic_s()
        ago_s = (self.clock.now_ns() - request.stamp_ns) / 1e9
        if abs(ago_s) > FOREIGN_CLOCK_S:
            self._fault(
                "foreign_clock", f"request {request.id}: stamped {ago_s:.0f} s ago; use_sim_time may be missing"
            )
            ago_s = 0.0
        if ago_s * 1e3 > request.deadline_ms:
            self._fault("late_request", f"request {request.id}: its deadline had passed when it arrived")
        return Pending(request, arrival_s - max(0.0, ago_s))

    def _wake(self) -> None:
        if not self._unseen:
            self._unseen = True
            from_s = max(self.clock.monotonic_s(), self._last_look_s + 1 / self.config.watch_rate_hz)
            deadline_ms = self.config.watch_deadline_ms
            due_s = from_s + deadline_ms / 1e3 - self.config.reserve_s(deadline_ms)
            priority = LOOK_PRIORITY if self.config.watch else Stakes.LOW
            self._turns.add("look", due_s, priority, from_s, insists=True)
            self._changed.notify()

    def _pick(self) -> Pending | Look | Event | Any | None:
        if self._told:
            return self._told.popleft()
        now_s = self.clock.monotonic_s()
        turn = self._turns.pop(now_s)
        for other in self._turns.set_aside(now_s):
            if other != "look":
                other.crowded = True
        return self._look(now_s) if turn == "look" else turn

    def _look(self, now_s: float) -> Look:
        arrival_s = self._slots["image"].arrival_s if self._unseen_image and "image" in self._slots else now_s
        job = Look(arrival_s, self._skipped)
        self._last_look_s, self._skipped = now_s, 0
        self._unseen = self._unseen_image = False
        return job

    def _wait_s(self, give_up_s: float | None) -> float | None:
        moment_s = min(inf if give_up_s is None else give_up_s, self._turns.begins_s())
        return None if moment_s == inf else max(0.0, moment_s - self.clock.monotonic_s())

    def _fresh(self, name: str, timeout_s: float) -> Slot[Any] | None:
        slot = self._slots.get(name)
        return slot if slot is not None and self.clock.monotonic_s() - slot.arrival_s <= timeout_s else None

    def _states(self) -> list[Slot[Any] | None]:
        return [self._fresh(source, self.config.state_timeout_s) for source in STATE_SOURCES]

    def _decoded(self, image: Slot[Any] | None) -> NDArray[np.uint8] | None:
        if image is None:
            return None
        try:
            return image.value()
        except SensorError as error:
            self.put_fault("image", error)
            return None

    def _fault(self, name: str, detail: str) -> None:
        self.faults.add(name, detail, self.clock.monotonic_s())


def merge(states: list[VehicleState]) -> VehicleState:
    """One state from several, the most trusted first: each value is the first one that is known."""
    if len(states) < 2:
        return states[0] if states else VehicleState()

    def first_known(name: str) -> Any:
        values = [getattr(state, name) for state in states]
        return next((v for v in values if (not isnan(v) if isinstance(v, float) else v)), values[0])

    return VehicleState(**{field.name: first_known(field.name) for field in fields(VehicleState)})
