"""A recording through the assistant: in real time through running nodes, or offline by the recording's own clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mm_edge.assistant.config import AssistantConfig
from mm_edge.assistant.intake import TOPICS
from mm_edge.assistant.offline import OfflineAssistant
from mm_edge.assistant.opening import engine_of
from mm_edge.assistant.outputs import OUTPUTS
from mm_edge.assistant.sensors import SensorError
from mm_edge.bags.build import message_of
from mm_edge.bags.mapped import MappedBag
from mm_edge.bags.reader import Bag
from mm_edge.bags.source import REQUEST, Source
from mm_edge.bags.topicmap import guess, load
from mm_edge.bags.types import BagError
from mm_edge.bags.writer import BagWriter
from mm_edge.compute.planner import PlanError, PlanTable
from mm_edge.compute.relay import RelayError
from mm_edge.engine import plans_path, trust_path, weights_path
from mm_edge.engine.base import EngineError
from mm_edge.errors import UserError
from mm_edge.feedback.config import SpeakerConfig
from mm_edge.feedback.offline import speak
from mm_edge.feedback.playback import SpeechAudio, SpeechStatus
from mm_edge.feedback.utterance import Utterance
from mm_edge.feedback.voice import open_voice
from mm_edge.report.page import write_page
from mm_edge.report.recording import Recording
from mm_edge.report.speech import write_speech
from mm_edge.report.view import View
from mm_edge.trust.constants import Belief, TrustConstants, TrustError

RECORDED = "drive.mcap"
QUESTIONS = ("what is ahead", "how fast are we", "what is the speed limit", "what is the weather like")
EVERY_S, DEADLINE_MS = 5.0, 500.0
"""What is asked of a recording that holds no request, and how often."""


def run(bag: Path, map_file: Path | None, offline: bool, out: Path, view: bool, asked: Sequence[str] = ()) -> None:
    """Leaves `drive.mcap`, `speech/`, `speech.wav` and `report.html` in `out`. Raises UserError."""
    if bag.resolve() in (out.resolve(), (out / RECORDED).resolve()):
        raise UserError(f"{out / RECORDED} would be overwritten while it is read; choose another folder with --out")
    try:
        with Bag(bag) as opened:
            mapped = MappedBag(opened, load(map_file) if map_file else guess(opened.types, TOPICS), TOPICS)
            source = Source(bag.name, mapped.inputs, opened.start_ns, opened.duration_s, mapped.messages)
            if asked or REQUEST not in mapped.inputs:
                source = source.asking(asked or QUESTIONS, EVERY_S, DEADLINE_MS)
            present(source, out, offline, view, lambda: mapped.notes)
    except BagError as error:
        raise UserError(str(error)) from error


def present(
    source: Source, out: Path, offline: bool, view: bool, notes: Callable[[], Sequence[str]] = lambda: ()
) -> None:
    """Play a source and leave its recording, speech and report in `out`. Raises UserError."""
    bag_path = out / RECORDED
    try:
        out.mkdir(parents=True, exist_ok=True)
        with View(source.title, source.duration_s, live=view) as watcher:
            if offline:
                play_offline(source, bag_path, watcher)
            else:
                from mm_edge.nodes.live import play

                play(source, bag_path, watcher, out / "nodes.log")
        recording = Recording.load(bag_path)
        write_speech(recording, out)
        write_page(recording, out / "report.html", source.title, notes(), belief(recording))
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from error
    except (BagError, EngineError, TrustError, PlanError, RelayError) as error:
        raise UserError(str(error)) from error
    for note in notes():
        print(f"note: {note}")
    print(f"{bag_path}\n{out / 'report.html'}")


def belief(recording: Recording) -> Belief | None:
    """What is known of the probabilities of the last turn's weights, precision and decoder; None where nothing is."""
    turns = [report for _, report in recording.of("/latency") if report.engine]
    if not turns:
        return None
    rung, _, plan = turns[-1].plan.partition("/")
    precision = turns[-1].engine.partition(",")[0].rpartition("/")[2]
    try:
        constants = TrustConstants.load(trust_path(rung, precision), weights_path(rung), precision)
        return constants.belief(plan.partition(" ")[0])
    except (TrustError, OSError):  # a recording of other weights has a page, too
        return None


def play_offline(source: Source, bag_path: Path, watcher: Any) -> None:
    """Play as fast as it goes; two runs record the same but for measured durations."""
    config, speaker = AssistantConfig(), SpeakerConfig(sound_device="none")
    weights = weights_path(config.rung)
    engine = engine_of(config, config.engine)
    constants = TrustConstants.load(trust_path(config.rung, engine.precision), weights, engine.precision)
    table = PlanTable.load(plans_path(config.rung), weights)
    with BagWriter(bag_path) as bag:
        course = _Course(source, OfflineAssistant(config, engine, constants, table), bag, watcher)
        speak(course, speaker, open_voice(speaker), course.clock, course.publish)


class _Course:
    """A recording through the assistant, which hears what becomes of its sentences; everything goes into the bag."""

    def __init__(self, source: Source, assistant: OfflineAssistant, bag: BagWriter, watcher: Any) -> None:
        self.clock = assistant.clock
        self.clock.set(source.start_ns)
        self._assistant = assistant
        self._bag = bag
        self._watcher = watcher
        self._entries = source.entries()
        self._entry = next(self._entries, None)
        self._end_ns = source.start_ns + round(source.duration_s * 1e9)
        self._statuses: deque[SpeechStatus] = deque()
        for topic, msgtype in OUTPUTS.values():
            bag.add_topic(f"/{topic}", msgtype)

    def publish(self, output: Any) -> None:
        topic, msgtype = OUTPUTS[type(output)]
        message = message_of(output, msgtype)
        self._bag.write(f"/{topic}", msgtype, self.clock.now_ns(), message)
        if isinstance(output, SpeechStatus):
            self._statuses.append(output)
        if not isinstance(output, SpeechAudio):
            self._watcher.receive(topic, message)

    def next_ns(self) -> int | None:
        if self._statuses:
            return self.clock.now_ns()
        moments = (self._entry.stamp_ns if self._entry else None, self._due_ns())
        return min((moment for moment in moments if moment is not None), default=None)

    def take(self) -> Iterator[Utterance]:
        for output in self._outputs():
            self.publish(output)
            if isinstance(output, Utterance):
                yield output

    def _due_ns(self) -> int | None:
        due_ns = self._assistant.due_ns()
        return due_ns if due_ns is not None and (self._entry or due_ns <= self._end_ns) else None

    def _outputs(self) -> list[Any]:
        if self._statuses:
            return self._assistant.heard(self._statuses.popleft())
        entry, due_ns = self._entry, self._due_ns()
        if entry is None or (due_ns is not None and due_ns < entry.stamp_ns):
            return self._assistant.advance(due_ns or self.clock.now_ns())
        self._entry = next(self._entries, None)
        self._bag.write(f"/{entry.topic}", entry.msgtype, entry.stamp_ns, entry.data)
        try:
            return self._assistant.receive(entry.topic, entry.message(), entry.stamp_ns)
        except BagError as error:
            self._assistant.inbox.put_fault(entry.topic, SensorError("bad_message", str(error)))
            return []
