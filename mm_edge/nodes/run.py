"""The entry point of every node: one of them, or several in one process, until a signal comes.

Here, and only here, rclpy is made importable before a node is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from mm_edge.errors import UserError
from mm_edge.ros import ensure_rclpy

NODES = {"assistant": "AssistantNode", "speaker": "SpeakerNode", "monitor": "MonitorNode"}


def main(name: str) -> None:
    """Run the node `name` with the command line of `ros2 run` and of launch files."""
    try:
        run({name: []}, sys.argv)
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)


def run(nodes: Mapping[str, Sequence[str]], args: Sequence[str] = ()) -> None:
    """Serve these nodes, each with its own `--ros-args`, until SIGINT or SIGTERM.

    Raises UserError for wrong arguments.
    """
    made: list[Any] = []
    with suppress(KeyboardInterrupt), joined(args):
        from rclpy.executors import SingleThreadedExecutor

        try:
            for name, arguments in nodes.items():
                made.append(_node(name, list(arguments)))
            executor = SingleThreadedExecutor()
            for node in made:
                executor.add_node(node)
            executor.spin()
        finally:
            for node in made:
                node.stop()
                node.destroy_node()


@contextmanager
def joined(args: Sequence[str] = ()) -> Iterator[None]:
    """ROS, joined for the length of the block; SIGTERM ends it as Ctrl-C does.

    Raises UserError when ROS cannot be joined.
    """
    ensure_rclpy()
    import rclpy
    from rclpy.executors import ExternalShutdownException

    try:
        rclpy.init(args=list(args))
    except Exception as error:
        raise UserError(f"cannot join ROS: {error}") from error
    try:
        yield
    except ExternalShutdownException:
        raise KeyboardInterrupt from None
    finally:
        rclpy.try_shutdown()


def _node(name: str, arguments: list[str]) -> Any:
    module = import_module(f"mm_edge.nodes.{name}")
    try:
        return getattr(module, NODES[name])(cli_args=arguments or None)
    except RuntimeError as error:  # wrong arguments, a parameter file that is none
        raise UserError(f"cannot start {name}: {error}") from error
