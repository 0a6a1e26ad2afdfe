"""Managed nodes: the state machine of lifecycle_msgs, its services, and publishers that are silent while inactive."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

from mm_edge.ros.interfaces import message_class, service_class
from mm_edge.ros.rclpy.node import Node
from mm_edge.ros.rclpy.publisher import Publisher
from mm_edge.ros.rclpy.qos import QoSProfile


class TransitionCallbackReturn(IntEnum):
    SUCCESS = 97
    FAILURE = 98
    ERROR = 99


class LifecycleState(NamedTuple):
    label: str
    state_id: int


STATES = {
    0: "unknown", 1: "unconfigured", 2: "inactive", 3: "active", 4: "finalized", 10: "configuring", 11: "cleaningup",
    12: "shuttingdown", 13: "activating", 14: "deactivating", 15: "errorprocessing",
}  # fmt: skip


class _Step(NamedTuple):
    """A transition: where it starts, where it passes through, and where it ends by the callback's return."""

    transition: int
    label: str
    start: int
    through: int
    success: int
    failure: int
    callback: str


STEPS = (
    _Step(1, "configure", 1, 10, 2, 1, "on_configure"),
    _Step(2, "cleanup", 2, 11, 1, 2, "on_cleanup"),
    _Step(3, "activate", 2, 13, 3, 2, "on_activate"),
    _Step(4, "deactivate", 3, 14, 2, 3, "on_deactivate"),
    _Step(5, "shutdown", 1, 12, 4, 4, "on_shutdown"),
    _Step(6, "shutdown", 2, 12, 4, 4, "on_shutdown"),
    _Step(7, "shutdown", 3, 12, 4, 4, "on_shutdown"),
)


class LifecyclePublisher(Publisher):
    """Drops what is published while the node is not active."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_activated = False

    def on_activate(self, state: LifecycleState | None = None) -> None:
        self.is_activated = True

    def on_deactivate(self, state: LifecycleState | None = None) -> None:
        self.is_activated = False

    def publish(self, msg: Any) -> None:
        if self.is_activated:
            super().publish(msg)


class LifecycleNode(Node):
    """Override the on_* callbacks; each returns a TransitionCallbackReturn."""

    def __init__(self, node_name: str, *, enable_communication_interface: bool = True, **kwargs: Any) -> None:
        super().__init__(node_name, **kwargs)
        self._state = 1
        event = message_class("lifecycle_msgs/msg/TransitionEvent")
        self._transition_events = super().create_publisher(event, "~/transition_event", 10)
        if enable_communication_interface:
            self._start_services()

    def create_lifecycle_publisher(
        self, msg_type: Any, topic: str, qos_profile: QoSProfile | int, **kwargs: Any
    ) -> LifecyclePublisher:
        made: LifecyclePublisher = self.create_publisher(
            msg_type, topic, qos_profile, publisher_class=LifecyclePublisher, **kwargs
        )
        if self._state == 3:
            made.on_activate()
        return made

    def destroy_lifecycle_publisher(self, publisher: LifecyclePublisher) -> bool:
        return self.destroy_publisher(publisher)

    # -- what subclasses override -------------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        for publisher in self._managed():
            publisher.on_activate(state)
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        for publisher in self._managed():
            publisher.on_deactivate(state)
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return TransitionCallbackReturn.FAILURE

    # -- triggering ---------------------------------------------------------------------------------------------------

    def trigger_configure(self) -> TransitionCallbackReturn:
        return self._trigger("configure")

    def trigger_cleanup(self) -> TransitionCallbackReturn:
        return self._trigger("cleanup")

    def trigger_activate(self) -> TransitionCallbackReturn:
        return self._trigger("activate")

    def trigger_deactivate(self) -> TransitionCallbackReturn:
        return self._trigger("deactivate")

    def trigger_shutdown(self) -> TransitionCallbackReturn:
        return self._trigger("shutdown")

    def _trigger(self, label: str) -> TransitionCallbackReturn:
        step = next((s for s in STEPS if s.label == label and s.start == self._state), None)
        if step is None:
            raise RuntimeError(f"transition {label} is not available in state {STATES[self._state]}")
        return self._take(step)

    def _take(self, step: _Step) -> TransitionCallbackReturn:
        before = LifecycleState(STATES[self._state], self._state)
        self._move(step, step.through)
        result = self._guarded(getattr(self, step.callback), before)
        if result == TransitionCallbackReturn.ERROR:
            self._move(step, 15)
            mended = self._guarded(self.on_error, before) == TransitionCallbackReturn.SUCCESS
            self._move(step, 1 if mended else 4)
        else:
            self._move(step, step.success if result == TransitionCallbackReturn.SUCCESS else step.failure)
        return result

    def _guarded(
        self, callback: Callable[[LifecycleState], TransitionCallbackReturn], state: LifecycleState
    ) -> TransitionCallbackReturn:
        try:
            return TransitionCallbackReturn(callback(state))
        except Exception as error:
            self.get_logger().error(f"{callback.__name__} failed: {type(error).__name__}: {error}")
            return TransitionCallbackReturn.ERROR

    def _move(self, step: _Step, goal: int) -> None:
        start, self._state = self._state, goal
        state, event = message_class("lifecycle_msgs/msg/State"), message_class("lifecycle_msgs/msg/TransitionEvent")
        transition = message_class("lifecycle_msgs/msg/Transition")(id=step.transition, label=step.label)
        self._transition_events.publish(
            event(
                timestamp=self.get_clock().now().nanoseconds,
                transition=transition,
                start_state=state(id=start, label=STATES[start]),
                goal_state=state(id=goal, label=STATES[goal]),
            )
        )

    def _managed(self) -> list[LifecyclePublisher]:
        return [publisher for publisher in self.publishers if isinstance(publisher, LifecyclePublisher)]

    # -- services -----------------------------------------------------------------------------------------------------

    def _start_services(self) -> None:
        for kind, name, handler in (
            ("ChangeState", "change_state", self._change_state),
            ("GetState", "get_state", self._get_state),
            ("GetAvailableStates", "get_available_states", self._get_states),
            ("GetAvailableTransitions", "get_available_transitions", self._get_transitions),
            ("GetAvailableTransitions", "get_transition_graph", self._get_graph),
        ):
            self.create_service(service_class(f"lifecycle_msgs/srv/{kind}"), f"~/{name}", handler)

    def _change_state(self, request: Any, response: Any) -> Any:
        wanted = request.transition
        matching = [s for s in STEPS if s.start == self._state and wanted.label in ("", s.label)]
        step = next((s for s in matching if wanted.label or s.transition == wanted.id), None)
        response.success = step is not None and self._take(step) == TransitionCallbackReturn.SUCCESS
        if step is None:
            self.get_logger().warning(f"no transition {wanted.label or wanted.id} from state {STATES[self._state]}")
        return response

    def _get_state(self, request: Any, response: Any) -> Any:
        response.current_state = message_class("lifecycle_msgs/msg/State")(id=self._state, label=STATES[self._state])
        return response

    def _get_states(self, request: Any, response: Any) -> Any:
        state = message_class("lifecycle_msgs/msg/State")
        response.available_states = [state(id=number, label=label) for number, label in STATES.items()]
        return response

    def _get_transitions(self, request: Any, response: Any) -> Any:
        response.available_transitions = [_description(step) for step in STEPS if step.start == self._state]
        return response

    def _get_graph(self, request: Any, response: Any) -> Any:
        response.available_transitions = [_description(step) for step in STEPS]
        return response


def _description(step: _Step) -> Any:
    state = message_class("lifecycle_msgs/msg/State")
    return message_class("lifecycle_msgs/msg/TransitionDescription")(
        transition=message_class("lifecycle_msgs/msg/Transition")(id=step.transition, label=step.label),
        start_state=state(id=step.start, label=STATES[step.start]),
        goal_state=state(id=step.success, label=STATES[step.success]),
    )


Node = LifecycleNode  # type: ignore[misc]
State = LifecycleState
Publisher = LifecyclePublisher  # type: ignore[misc]
