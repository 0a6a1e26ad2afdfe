"""A source played in real time through running nodes over DDS, with everything recorded.

The nodes run in a process of their own, by ROS time from the player's /clock, as under `ros2 bag play --clock`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from mm_edge.bags.source import Source
from mm_edge.bags.types import typestore
from mm_edge.bags.writer import BagWriter
from mm_edge.errors import UserError
from mm_edge.nodes.run import joined

READY_S = 60.0
"""Loading torch and the weights takes seconds; on a slow machine, tens of them."""
SETTLE_S, SPEECH_S = 1.0, 8.0
"""After the last input: at least this long, and at most, for the last sentence to be spoken."""
STOP_S = 10.0
POLL_S = 0.1
ACTIVE = 3
FIRST_DOMAIN, DOMAINS = 20, 80
STARTED_STATES = (0, 1)
"""SpeechStatus QUEUED and STARTED: the sentence is not over."""


class Watcher(Protocol):
    """Somebody who looks on, such as the terminal view."""

    def receive(self, topic: str, message: Any) -> None: ...


def play(source: Source, bag_path: Path, watcher: Watcher, log: Path) -> None:
    """Play `source` and record it to `bag_path`. Raises UserError when the nodes do not come up; `log` is theirs."""
    os.environ.setdefault("ROS_DOMAIN_ID", str(FIRST_DOMAIN + os.getpid() % DOMAINS))  # apart from a robot next door
    with joined(), _nodes(log) as child, BagWriter(bag_path) as bag:
        _Performance(source, bag, watcher).run(child, log)


class _Performance:
    """The player and the recorder on one executor, and the player's thread."""

    def __init__(self, source: Source, bag: BagWriter, watcher: Watcher) -> None:
        from rclpy.executors import SingleThreadedExecutor

        from mm_edge.nodes.player import PlayerNode
        from mm_edge.nodes.recorder import RecorderNode

        self._source, self._bag, self._watcher = source, bag, watcher
        self._stopped = threading.Event()
        self._speaking: set[str] = set()
        self.player = PlayerNode(source, lambda entry: self.recorder.write(entry))
        self.recorder = RecorderNode(bag, self.player.now_ns, self._seen)
        self.executor = SingleThreadedExecutor()
        for node in (self.player, self.recorder):
            self.executor.add_node(node)

    def run(self, child: subprocess.Popen[bytes], log: Path) -> None:
        try:
            self._await_nodes(child, log)
            self._perform()
        finally:
            self._stopped.set()
            self.executor.shutdown()
            for node in (self.player, self.recorder):
                node.destroy_node()

    def _perform(self) -> None:
        failures: list[BaseException] = []

        def play() -> None:
            try:
                self.player.play(self._stopped)
            except BaseException as error:  # told to the thread that waits
                failures.append(error)

        thread = threading.Thread(target=play, name="player", daemon=True)
        thread.start()
        while not self._over() and not failures:
            self.executor.spin_once(timeout_sec=POLL_S)
        self._stopped.set()
        thread.join()
        if failures:
            raise failures[0]

    def _over(self) -> bool:
        """Past the end, and nothing is being spoken any more."""
        past_s = (self.player.now_ns() - self._source.start_ns) / 1e9 - self._source.duration_s
        return past_s > SPEECH_S or (past_s > SETTLE_S and not self._speaking)

    def _await_nodes(self, child: subprocess.Popen[bytes], log: Path) -> None:
        """Until both nodes are active and everybody is connected."""
        from lifecycle_msgs.srv import GetState

        clients = [self.player.create_client(GetState, f"/{name}/get_state") for name in ("assistant", "speaker")]
        give_up_s = time.monotonic() + READY_S
        while not (all(self._active(c) for c in clients) and self.player.heard() and self.recorder.hears()):
            if child.poll() is not None or time.monotonic() > give_up_s or _failure(log):
                raise UserError(f"the nodes did not come up; {log} says: {_failure(log) or _last_line(log)}")
            self.executor.spin_once(timeout_sec=POLL_S)

    def _active(self, client: Any) -> bool:
        if not client.service_is_ready():
            return False
        future = client.call_async(client.srv_type.Request())
        self.executor.spin_until_future_complete(future, timeout_sec=1.0)
        return bool(future.done() and future.result().current_state.id == ACTIVE)

    def _seen(self, topic: str, msgtype: str, data: bytes) -> None:
        if topic == "speech/audio":
            return
        message: Any = typestore().deserialize_cdr(data, msgtype)
        if topic == "speech/status":
            (self._speaking.add if message.state in STARTED_STATES else self._speaking.discard)(message.utterance_id)
        self._watcher.receive(topic, message)


@contextmanager
def _nodes(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`mm-edge up` by simulated time, its output in `log`."""
    command = "from mm_edge.up import run; run(settings=['use_sim_time:=true'])"
    with log.open("wb") as output:
        child = subprocess.Popen([sys.executable, "-c", command], stdout=output, stderr=subprocess.STDOUT)
        try:
            yield child
        finally:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()


def _failure(log: Path) -> str:
    """Why a node did not come up, by the nodes' log; "" when none says so."""
    return next((line for line in log.read_text(errors="replace").splitlines() if "cannot become" in line), "")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
