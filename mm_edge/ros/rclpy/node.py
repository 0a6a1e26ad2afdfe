"""A node: publishers, subscriptions, timers, services, parameters and a place in the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.interfaces import message_class
from mm_edge.ros.rclpy import logging
from mm_edge.ros.rclpy.arguments import check_node_name, resolve
from mm_edge.ros.rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from mm_edge.ros.rclpy.client import Client
from mm_edge.ros.rclpy.clock import Clock, ROSClock
from mm_edge.ros.rclpy.context import Context, get_default_context
from mm_edge.ros.rclpy.endpoint import ros_type
from mm_edge.ros.rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks, event_handlers
from mm_edge.ros.rclpy.node_parameters import NodeParameters
from mm_edge.ros.rclpy.parameter import Parameter
from mm_edge.ros.rclpy.publisher import Publisher
from mm_edge.ros.rclpy.qos import (
    QoSProfile,
    profile,
    qos_profile_rosout_default,
    qos_profile_services_default,
)
from mm_edge.ros.rclpy.service import Service
from mm_edge.ros.rclpy.subscription import Subscription
from mm_edge.ros.rclpy.time_source import TimeSource
from mm_edge.ros.rclpy.timer import Timer


class Node(NodeParameters):
    def __init__(
        self,
        node_name: str,
        *,
        context: Context | None = None,
        cli_args: list[str] | None = None,
        namespace: str | None = None,
        use_global_arguments: bool = True,
        enable_rosout: bool = True,
        start_parameter_services: bool = True,
        parameter_overrides: list[Parameter] | None = None,
        allow_undeclared_parameters: bool = False,
        automatically_declare_parameters_from_overrides: bool = False,
    ) -> None:
        self.context = get_default_context() if context is None else context
        self._participant = self.context.participant
        arguments = self.context.arguments if use_global_arguments else type(self.context.arguments)()
        if cli_args:
            from mm_edge.ros.rclpy.arguments import parse_arguments

            arguments = parse_arguments(cli_args).over(arguments)
        self._arguments = arguments
        self._name = check_node_name(arguments.node_name(node_name))
        wanted = arguments.namespace(node_name, namespace or "/")
        self._namespace = wanted if wanted.startswith("/") else f"/{wanted}"
        self.executor: Any = None
        self.default_callback_group: CallbackGroup = MutuallyExclusiveCallbackGroup()
        self._publishers: list[Publisher] = []
        self._subscriptions: list[Subscription] = []
        self._services: list[Service] = []
        self._clients: list[Client] = []
        self.timers: list[Timer] = []
        self._clock = ROSClock()
        self._logger = logging.get_logger(self.get_fully_qualified_name().strip("/").replace("/", "."))
        for name, level in arguments.log_levels:
            logging.set_logger_level(name, logging.get_logging_severity_from_string(level))
        if enable_rosout:
            self._start_rosout()
        self._start_parameters(
            arguments.overrides(self._name, self._namespace),
            parameter_overrides or [],
            allow_undeclared_parameters,
            automatically_declare_parameters_from_overrides,
            start_parameter_services,
        )
        self._time_source = TimeSource(self)
        self._announce()

    # -- names --------------------------------------------------------------------------------------------------------

    def get_name(self) -> str:
        return self._name

    def get_namespace(self) -> str:
        return self._namespace

    def get_fully_qualified_name(self) -> str:
        return f"{self._namespace.rstrip('/')}/{self._name}"

    def get_logger(self) -> logging.RcutilsLogger:
        return self._logger

    def get_clock(self) -> Clock:
        return self._clock

    def resolve_topic_name(self, topic: str, *, only_expand: bool = False) -> str:
        if only_expand:
            return resolve(topic, self._name, self._namespace)
        return self._arguments.topic(self._name, topic, self._namespace)

    resolve_service_name = resolve_topic_name

    # -- making things ------------------------------------------------------------------------------------------------

    def create_publisher(
        self,
        msg_type: Any,
        topic: str,
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: PublisherEventCallbacks | None = None,
        qos_overriding_options: Any = None,
        publisher_class: type[Publisher] = Publisher,
    ) -> Any:
        _not_supported(qos_overriding_options)
        name = self.resolve_topic_name(topic)
        made = publisher_class(self._participant, msg_type, name, profile(qos_profile), self._logger)
        group = callback_group or self.default_callback_group
        warn = self._incompatible(name, "offering")
        made.event_handlers = event_handlers(
            made.writer.handle, event_callbacks, warn, "offered_incompatible_qos", group
        )
        self._publishers.append(made)
        self._announce()
        return made

    def create_subscription(
        self,
        msg_type: Any,
        topic: str,
        callback: Callable[..., Any],
        qos_profile: QoSProfile | int,
        *,
        callback_group: CallbackGroup | None = None,
        event_callbacks: SubscriptionEventCallbacks | None = None,
        qos_overriding_options: Any = None,
        raw: bool = False,
        content_filter_options: Any = None,
    ) -> Subscription:
        _not_supported(qos_overriding_options, content_filter_options)
        name, group = self.resolve_topic_name(topic), callback_group or self.default_callback_group
        made = Subscription(self._participant, msg_type, name, callback, group, profile(qos_profile), raw, self._logger)
        warn = self._incompatible(name, "requesting")
        made.event_handlers = event_handlers(
            made.reader.handle, event_callbacks, warn, "requested_incompatible_qos", group
        )
        self._subscriptions.append(made)
        self._announce()
        return made

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[[], Any],
        callback_group: CallbackGroup | None = None,
        clock: Clock | None = None,
        autostart: bool = True,
    ) -> Timer:
        group = callback_group or self.default_callback_group
        timer = Timer(callback, group, int(timer_period_sec * 1e9), clock or self._clock)
        timer.on_change = self._wake
        if not autostart:
            timer.cancel()
        self.timers.append(timer)
        self._wake()
        return timer

    def create_service(
        self,
        srv_type: Any,
        srv_name: str,
        callback: Callable[[Any, Any], Any],
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Service:
        name, group = self.resolve_service_name(srv_name), callback_group or self.default_callback_group
        made = Service(self._participant, srv_type, name, callback, group, qos_profile, self._logger)
        self._services.append(made)
        self._announce()
        return made

    def create_client(
        self,
        srv_type: Any,
        srv_name: str,
        *,
        qos_profile: QoSProfile = qos_profile_services_default,
        callback_group: CallbackGroup | None = None,
    ) -> Client:
        group = callback_group or self.default_callback_group
        made = Client(self._participant, srv_type, self.resolve_service_name(srv_name), group, qos_profile)
        self._clients.append(made)
        self._announce()
        return made

    # -- ending things ------------------------------------------------------------------------------------------------

    def destroy_publisher(self, publisher: Publisher) -> bool:
        return self._destroy(self._publishers, publisher)

    def destroy_subscription(self, subscription: Subscription) -> bool:
        return self._destroy(self._subscriptions, subscription)

    def destroy_service(self, service: Service) -> bool:
        return self._destroy(self._services, service)

    def destroy_client(self, client: Client) -> bool:
        return self._destroy(self._clients, client)

    def destroy_timer(self, timer: Timer) -> bool:
        return self._destroy(self.timers, timer)

    def destroy_node(self) -> None:
        """End everything the node has and take it out of the graph."""
        logging.detach_rosout(self._logger.name.split(".")[0])
        if self.executor is not None:
            self.executor.remove_node(self)
        owned: tuple[list[Any], ...] = (
            self.timers,
            self._subscriptions,
            self._services,
            self._clients,
            self._publishers,
        )
        for things in owned:
            for thing in list(things):
                thing.destroy()
            things.clear()
        self.context.withdraw(self)

    # -- the graph ----------------------------------------------------------------------------------------------------

    def get_topic_names_and_types(self, no_demangle: bool = False) -> list[tuple[str, list[str]]]:
        found: dict[str, set[str]] = {}
        for writers in (True, False):
            for topic, typename in self._participant.endpoints(writers):
                if topic.startswith("rt/"):
                    found.setdefault(topic[2:], set()).add(ros_type(typename))
        return [(topic, sorted(types)) for topic, types in sorted(found.items())]

    def count_publishers(self, topic_name: str) -> int:
        return self._count(topic_name, writers=True)

    def count_subscribers(self, topic_name: str) -> int:
        return self._count(topic_name, writers=False)

    @property
    def publishers(self) -> list[Publisher]:
        return self._publishers

    @property
    def subscriptions(self) -> list[Subscription]:
        return self._subscriptions

    # -- for executors ------------------------------------------------------------------------------------------------

    def waitables(self) -> list[Any]:
        """Everything an executor waits for except timers."""
        sources: list[Any] = [*self._publishers, *self._subscriptions]
        events = [handler for source in sources for handler in source.event_handlers]
        return [*self._subscriptions, *self._services, *self._clients, *events]

    # -- inside -------------------------------------------------------------------------------------------------------

    def _destroy(self, things: list[Any], thing: Any) -> bool:
        if thing not in things:
            return False
        things.remove(thing)
        self._announce()
        thing.destroy()
        return True

    def _announce(self) -> None:
        both: list[Any] = [*self._services, *self._clients]
        readers = [thing.reader for thing in (*self._subscriptions, *both)]
        writers = [thing.writer for thing in (*self._publishers, *both)]
        self.context.announce(
            self,
            self._name,
            self._namespace,
            [dds.guid(reader.handle) for reader in readers],
            [dds.guid(writer.handle) for writer in writers],
        )
        if self.executor is not None:
            self.executor.entities_changed()

    def _wake(self) -> None:
        if self.executor is not None:
            self.executor.wake()

    def _count(self, topic: str, writers: bool) -> int:
        name = f"rt{self.resolve_topic_name(topic)}"
        return sum(found == name for found, _ in self._participant.endpoints(writers))

    def _incompatible(self, topic: str, verb: str) -> Callable[[Any], None]:
        def warn(_: Any) -> None:
            self._logger.warning(f"New endpoint discovered on topic '{topic}', {verb} incompatible QoS.")

        return warn

    def _start_rosout(self) -> None:
        log = message_class("rcl_interfaces/msg/Log")
        publisher = self.create_publisher(log, "/rosout", qos_profile_rosout_default)

        def publish(level: int, name: str, text: str) -> None:
            stamp = self._clock.now().to_msg()
            publisher.publish(log(stamp=stamp, level=level, name=name, msg=text))

        logging.attach_rosout(self._logger.name.split(".")[0], publish)


def _not_supported(*options: Any) -> None:
    if any(option is not None for option in options):
        raise NotImplementedError("QoS overriding options and content filters are not part of this layer")
