"""A generated drive as messages: what its sensors would have published, with its past, requests and a task's steps.

Knows nothing about who answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mm_edge.bags.build import build, header, serialize
from mm_edge.bags.mapped import Input
from mm_edge.bags.types import BagError
from mm_edge.bags.writer import BagWriter
from mm_edge.errors import UserError
from mm_edge.model.observation import AUDIO_RATE_HZ
from mm_edge.world.drive import Drive
from mm_edge.world.journey import Journey
from mm_edge.world.questions import WORDINGS, Question, ask
from mm_edge.world.recall import ask_history

START_NS = 1_700_000_000_000_000_000
"""Where the drive's time begins: a stamp of zero would count as unset."""
IMAGE_HZ, STATE_HZ, AUDIO_HZ, TRUTH_HZ = 15.0, 20.0, 10.0, 10.0
IMAGE_HEIGHT, JPEG_QUALITY = 384, 85
PAST_TOKENS = 64
"""The length of the log that a drive begins with: about twelve events."""
FIRST_EVENT_S, BETWEEN_EVENTS_S = 0.2, 0.05
"""When the past is told, after the first picture: stamps that jump back to the start begin a new log."""
PAST_ENDS_S = 60.0
"""The time between the last event of the past and the drive's start."""
FIRST_REQUEST_S, BETWEEN_REQUESTS_S = 4.5, (3.5, 5.5)
PAST_ASKED = 3
"""Of so many requests, one is about the past."""
DEADLINES_MS = (150.0, 300.0, 500.0, 1000.0)
STEPS = (
    ("find a charger", "Ionity, six minutes away"),
    ("reserve it", "bay four"),
    ("add it to the route", "42 minutes"),
)
FIRST_STEP_S, BETWEEN_STEPS_S = 12.0, 6.0
STARTED, SUCCEEDED = 0, 1
TRUTH = "mm_edge/msg/SceneReport"
IMAGE, STATE = "sensor_msgs/msg/CompressedImage", "mm_edge/msg/VehicleState"
AUDIO, REQUEST, STEP = "mm_edge/msg/AudioChunk", "mm_edge/msg/AssistRequest", "mm_edge/msg/TaskStep"
EVENT = "mm_edge/msg/DriveEvent"


Timed = tuple[float, str, str, dict[str, Any]]
"""When, relative topic, message type, values."""


def messages(drive: Drive) -> Iterator[Input]:
    """Everything in order of time, stamped from START_NS on. Two calls give the same."""
    streams = (_sampled(drive, 1 / IMAGE_HZ, _image), _sampled(drive, 1 / STATE_HZ, _state))
    sound, past = _sampled(drive, 1 / AUDIO_HZ, _audio), Journey(drive.seed, PAST_TOKENS)
    told = (_events(past), _requests(drive, past), _steps(drive))
    return map(_input, heapq.merge(*streams, sound, *told, key=lambda entry: entry[0]))


def truth(drive: Drive) -> Iterator[Input]:
    """What is true, whether or not a sensor shows it, as a SceneReport on `truth`."""
    return map(_input, _sampled(drive, 1 / TRUTH_HZ, _truth))


def _input(entry: Timed) -> Input:
    t_s, topic, msgtype, values = entry
    return Input(_stamp_ns(t_s), topic, msgtype, serialize(build(msgtype, values), msgtype))


def run(seed: int, out: Path, duration_s: float) -> Path:
    """Write a drive with its truth as a bag. Raises UserError when it cannot be written."""
    try:
        with BagWriter(out) as bag:
            drive = Drive(seed, duration_s)
            for entry in heapq.merge(messages(drive), truth(drive), key=lambda entry: entry.stamp_ns):
                bag.write(f"/{entry.topic}", entry.msgtype, entry.stamp_ns, entry.data)
    except BagError as error:
        raise UserError(str(error)) from error
    return out


def _sampled(drive: Drive, period_s: float, sample: Callable[[Drive, float], Timed | None]) -> Iterator[Timed]:
    for index in range(int(drive.duration_s / period_s)):
        found = sample(drive, index * period_s)
        if found is not None:
            yield found


def _image(drive: Drive, t_s: float) -> Timed | None:
    pixels = drive.image(t_s, IMAGE_HEIGHT)
    if pixels is None:
        return None
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    values = {"header": header(_stamp_ns(t_s), "camera"), "format": "jpeg", "data": jpeg.reshape(-1)}
    return t_s, "image/compressed", IMAGE, values


def _state(drive: Drive, t_s: float) -> Timed:
    return t_s, "vehicle_state", STATE, {"header": header(_stamp_ns(t_s), "base_link"), **vars(drive.state(t_s))}


def _truth(drive: Drive, t_s: float) -> Timed:
    facts = drive.truth(t_s)
    values = {"names": [*facts], "values": [*facts.values()], "probabilities": np.ones(len(facts), np.float32)}
    return t_s, "truth", TRUTH, {"header": header(_stamp_ns(t_s)), **values}


def _audio(drive: Drive, t_s: float) -> Timed | None:
    """The tenth of a second up to `t_s`."""
    heard = drive.audio(t_s)
    if heard is None:
        return None
    samples = (heard[-round(AUDIO_RATE_HZ / AUDIO_HZ) :] * 32767).astype(np.int16)
    stamp = header(max(START_NS, _stamp_ns(t_s - 1 / AUDIO_HZ)), "microphone")
    values = {"header": stamp, "sample_rate_hz": AUDIO_RATE_HZ, "channels": 1, "samples": samples}
    return t_s, "audio", AUDIO, values


def _events(past: Journey) -> Iterator[Timed]:
    """What happened before, stamped with when it did, told at the start."""
    for index, event in enumerate(past.events):
        ago_s = past.events[-1].time_s - event.time_s + PAST_ENDS_S
        values = {"header": header(_stamp_ns(-ago_s)), "kind": event.kind, "name": event.name}
        numbers = {"numbers": np.array(event.numbers, np.float32)}
        yield FIRST_EVENT_S + index * BETWEEN_EVENTS_S, "event", EVENT, values | numbers


def _requests(drive: Drive, past: Journey) -> Iterator[Timed]:
    rng = np.random.default_rng([drive.seed, 21])
    families = rng.permutation(list(WORDINGS))

    def asked(t_s: float, count: int) -> Question:
        if count % PAST_ASKED == 1:
            return ask_history(past, rng)
        return ask(drive, t_s, rng, str(families[count % len(families)]))

    t_s, count = FIRST_REQUEST_S, 0
    while t_s < drive.duration_s - 1:
        question = asked(t_s, count)
        count += 1
        yield t_s, "request", REQUEST, request(f"q{count}", question.text, float(rng.choice(DEADLINES_MS)), t_s)
        t_s += rng.uniform(*BETWEEN_REQUESTS_S)


def request(name: str, text: str, deadline_ms: float, t_s: float) -> dict[str, Any]:
    """The values of an AssistRequest at `t_s`."""
    return {
        "header": header(_stamp_ns(t_s)),
        "id": name,
        "text": text,
        "deadline_ms": deadline_ms,
        "stakes": 1,
    }


def _steps(drive: Drive) -> Iterator[Timed]:
    for index, (name, result) in enumerate(STEPS):
        began_s = FIRST_STEP_S + index * BETWEEN_STEPS_S
        for t_s, status, found in ((began_s, STARTED, ""), (began_s + BETWEEN_STEPS_S - 0.5, SUCCEEDED, result)):
            if t_s < drive.duration_s:
                yield t_s, "task_step", STEP, _step(index, name, status, found, t_s)


def _step(index: int, name: str, status: int, result: str, t_s: float) -> dict[str, Any]:
    return {
        "header": header(_stamp_ns(t_s)),
        "task_id": "charge",
        "task": "charge on the way",
        "index": index + 1,
        "count": len(STEPS),
        "name": name,
        "status": status,
        "result": result,
        "kind": "charging",
    }


def _stamp_ns(t_s: float) -> int:
    return START_NS + round(t_s * 1e9)
