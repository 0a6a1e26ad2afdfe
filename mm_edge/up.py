"""The nodes outside of `ros2 launch`: in one process, or each in its own, from the same YAML as the launch files."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mm_edge.errors import UserError
from mm_edge.nodes.run import NODES
from mm_edge.nodes.run import run as run_nodes
from mm_edge.share import share_path

POLL_S = 0.2
STOP_S = 10.0


def run(
    split: bool = False, params_file: Path | None = None, namespace: str = "", settings: Sequence[str] = ()
) -> None:
    """Serve until SIGINT or SIGTERM. `settings`: parameters for all nodes, as NAME:=VALUE. Raises UserError."""
    if not re.fullmatch(r"/?([A-Za-z_]\w*(/[A-Za-z_]\w*)*)?/?", namespace, re.ASCII):
        raise UserError(f"{namespace!r} is no namespace; write for example car or car/front")
    if params_file is not None and not params_file.is_file():
        raise UserError(f"{params_file}: no such parameter file")
    arguments = {name: node_arguments(name, params_file, namespace, settings) for name in NODES}
    if split:
        _run_apart(arguments)
    else:
        run_nodes(arguments)


def node_arguments(name: str, params_file: Path | None, namespace: str, settings: Sequence[str]) -> list[str]:
    """A node's command line: the shipped YAML, then the user's, then single settings; later ones win."""
    files = [share_path("config", f"{name}.yaml"), *([params_file] if params_file else [])]
    arguments = ["--ros-args"]
    for file in files:
        arguments += ["--params-file", str(file)]
    for setting in settings:
        arguments += ["--param", setting]
    return arguments + (["--remap", f"__ns:=/{namespace.strip('/')}"] if namespace.strip("/") else [])


def _run_apart(arguments: dict[str, list[str]]) -> None:
    """One process per node; when one ends, the others are stopped."""
    start = "from mm_edge.nodes.run import main; main({!r})"
    children = {
        name: subprocess.Popen([sys.executable, "-c", start.format(name), *given]) for name, given in arguments.items()
    }
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    ended: list[str] = []
    try:
        while not ended:
            time.sleep(POLL_S)
            ended = [name for name, child in children.items() if child.poll() is not None]
    except KeyboardInterrupt:
        pass
    finally:
        _stop(list(children.values()))
    failed = [name for name in ended if children[name].returncode not in (0, -signal.SIGINT, -signal.SIGTERM)]
    if failed:
        raise UserError(f"{', '.join(failed)} ended with exit code {children[failed[0]].returncode}")


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
    for child in children:
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
