"""What nodes import as rclpy where no ROS is installed. Names, signatures and behaviour are those of rclpy (Jazzy)."""

from __future__ import annotations

from typing import Any

from mm_edge.ros.rclpy.context import Context, get_default_context
from mm_edge.ros.rclpy.signals import SignalHandlerOptions, install_signal_handlers

__all__ = [
    "create_node", "get_default_context", "get_global_executor", "init", "ok", "shutdown", "spin", "spin_once",
    "spin_until_future_complete", "try_shutdown",
]  # fmt: skip


def init(
    *,
    args: list[str] | None = None,
    context: Context | None = None,
    domain_id: int | None = None,
    signal_handler_options: SignalHandlerOptions | None = None,
) -> None:
    """Join the domain (ROS_DOMAIN_ID unless given), reading `--ros-args` from `args`, else from the command line."""
    which = get_default_context() if context is None else context
    which.init(args, domain_id=domain_id)
    if context is None or signal_handler_options is not None:
        install_signal_handlers(SignalHandlerOptions.ALL if signal_handler_options is None else signal_handler_options)


def shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Leave the domain. Raises RuntimeError when it was left already."""
    (get_default_context() if context is None else context).shutdown()


def try_shutdown(*, context: Context | None = None, uninstall_handlers: bool | None = None) -> None:
    """Leave the domain unless it was left already."""
    (get_default_context() if context is None else context).try_shutdown()


def ok(*, context: Context | None = None) -> bool:
    return (get_default_context() if context is None else context).ok()


def create_node(node_name: str, **options: Any) -> Any:
    from mm_edge.ros.rclpy.node import Node

    return Node(node_name, **options)


_executor: Any = None


def get_global_executor() -> Any:
    """The one that serves where none is given, until the context is left."""
    global _executor
    if _executor is None or _executor.is_shutdown:
        from mm_edge.ros.rclpy.executors import SingleThreadedExecutor

        _executor = SingleThreadedExecutor()
        _executor.context.on_shutdown(_forget_executor)
    return _executor


def _forget_executor() -> None:
    global _executor
    _executor = None


def spin(node: Any, executor: Any = None) -> None:
    """Serve a node until the context is shut down."""
    executor = executor or get_global_executor()
    executor.add_node(node)
    try:
        executor.spin()
    finally:
        executor.remove_node(node)


def spin_once(node: Any, *, executor: Any = None, timeout_sec: float | None = None) -> None:
    executor = executor or get_global_executor()
    executor.add_node(node)
    try:
        executor.spin_once(timeout_sec=timeout_sec)
    finally:
        executor.remove_node(node)


def spin_until_future_complete(node: Any, future: Any, executor: Any = None, timeout_sec: float | None = None) -> None:
    executor = executor or get_global_executor()
    executor.add_node(node)
    try:
        executor.spin_until_future_complete(future, timeout_sec)
    finally:
        executor.remove_node(node)
