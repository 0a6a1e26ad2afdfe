"""QoS events: what happened to the contract between a publisher and a subscription, told by callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.rclpy.callback_groups import CallbackGroup

Callback = Callable[[Any], None] | None


@dataclass(frozen=True)
class QoSEvent:
    """total_count, total_count_change; for liveliness also alive_count, not_alive_count and their changes; for matching
    current_count and its change."""

    total_count: int = 0
    total_count_change: int = 0
    current_count: int = 0
    current_count_change: int = 0
    alive_count: int = 0
    not_alive_count: int = 0
    alive_count_change: int = 0
    not_alive_count_change: int = 0


class SubscriptionEventCallbacks:
    def __init__(
        self,
        *,
        deadline: Callback = None,
        incompatible_qos: Callback = None,
        liveliness: Callback = None,
        message_lost: Callback = None,
        matched: Callback = None,
        use_default_callbacks: bool = True,
    ) -> None:
        self.by_status = {
            "requested_deadline_missed": deadline,
            "requested_incompatible_qos": incompatible_qos,
            "liveliness_changed": liveliness,
            "sample_lost": message_lost,
            "subscription_matched": matched,
        }
        self.use_default_callbacks = use_default_callbacks


class PublisherEventCallbacks:
    def __init__(
        self,
        *,
        deadline: Callback = None,
        liveliness: Callback = None,
        incompatible_qos: Callback = None,
        matched: Callback = None,
        use_default_callbacks: bool = True,
    ) -> None:
        self.by_status = {
            "offered_deadline_missed": deadline,
            "liveliness_lost": liveliness,
            "offered_incompatible_qos": incompatible_qos,
            "publication_matched": matched,
        }
        self.use_default_callbacks = use_default_callbacks


class EventHandler:
    """Waits for the status changes of one reader or writer. An entity of an executor."""

    def __init__(self, handle: int, callbacks: dict[str, Callable[[Any], None]], group: CallbackGroup) -> None:
        self.callback_group = group
        self.wait_handle = handle
        self._callbacks = callbacks
        dds.watch_statuses(handle, list(callbacks))

    def take(self) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        """The calls to make for what changed."""
        calls = []
        for name, callback in self._callbacks.items():
            event = _event(dds.read_status(self.wait_handle, name))
            if any(getattr(event, field) for field in _CHANGES):
                calls.append((callback, (event,)))
        return calls


_CHANGES = ("total_count_change", "current_count_change", "alive_count_change", "not_alive_count_change")


def _event(status: Any) -> QoSEvent:
    fields = [name for name in QoSEvent.__dataclass_fields__ if hasattr(status, name)]
    return QoSEvent(**{name: getattr(status, name) for name in fields})


def event_handlers(
    handle: int, callbacks: Any, default: Callback, incompatible: str, group: CallbackGroup
) -> list[EventHandler]:
    """Handlers for what was asked for; incompatible QoS is warned about by default."""
    wanted = {} if callbacks is None else {name: call for name, call in callbacks.by_status.items() if call}
    if default is not None and (callbacks is None or callbacks.use_default_callbacks):
        wanted.setdefault(incompatible, default)
    return [EventHandler(handle, wanted, group)] if wanted else []
