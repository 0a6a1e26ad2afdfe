"""The parameters of a node: declared, checked, set, told to others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mm_edge.ros.interfaces import message_class
from mm_edge.ros.rclpy.exceptions import (
    InvalidParameterException,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
    ParameterImmutableException,
    ParameterNotDeclaredException,
)
from mm_edge.ros.rclpy.parameter import Parameter, violation
from mm_edge.ros.rclpy.parameter_services import start_parameter_services
from mm_edge.ros.rclpy.qos import qos_profile_parameter_events

Validate = Callable[[list[Parameter]], Any]
Apply = Callable[[list[Parameter]], None]


class NodeParameters:
    """What a node inherits. A parameter keeps its type unless its descriptor says dynamic_typing."""

    def _start_parameters(
        self,
        from_arguments: dict[str, Any],
        overrides: list[Parameter],
        allow_undeclared: bool,
        declare_overrides: bool,
        services: bool,
    ) -> None:
        self._parameters: dict[str, Parameter] = {}
        self._descriptors: dict[str, Any] = {}
        self._pre_set: list[Callable[[list[Parameter]], list[Parameter]]] = []
        self._on_set: list[Validate] = []
        self._post_set: list[Apply] = []
        self._allow_undeclared = allow_undeclared
        self._overrides = {name: Parameter(name, value=value) for name, value in from_arguments.items()}
        self._overrides.update({parameter.name: parameter for parameter in overrides})
        event = message_class("rcl_interfaces/msg/ParameterEvent")
        self._parameter_events = self.create_publisher(event, "/parameter_events", qos_profile_parameter_events)  # type: ignore[attr-defined]
        if services:
            start_parameter_services(self)
        if declare_overrides:
            for parameter in self._overrides.values():
                self.declare_parameter(parameter.name, parameter.value)

    # -- declaring ----------------------------------------------------------------------------------------------------

    def declare_parameter(
        self, name: str, value: Any = None, descriptor: Any = None, ignore_override: bool = False
    ) -> Parameter:
        """`value` is the default, or a Parameter.Type when there is none; what the command line says wins.

        Raises ParameterAlreadyDeclaredException, InvalidParameterException, InvalidParameterTypeException,
        InvalidParameterValueException.
        """
        if name in self._parameters:
            raise ParameterAlreadyDeclaredException(name)
        if not name or name.startswith(".") or name.endswith("."):
            raise InvalidParameterException(name)
        described = descriptor or message_class("rcl_interfaces/msg/ParameterDescriptor")()
        described.name = name
        kind = value if isinstance(value, Parameter.Type) else None
        default = Parameter(name) if kind is not None else Parameter(name, value=value)
        override = None if ignore_override else self._overrides.get(name)
        chosen = default if override is None else _as_type(override, kind or default.type_)
        described.type = int(kind or (chosen.type_ if described.dynamic_typing else default.type_) or chosen.type_)
        self._check_type(chosen, described)
        self._descriptors[name] = described
        result = self._validate([chosen])
        if not result.successful:
            del self._descriptors[name]
            raise InvalidParameterValueException(name, chosen.value, result.reason)
        self._store([chosen], new=True)
        return self._parameters[name]

    def declare_parameters(
        self, namespace: str, parameters: Iterable[tuple[Any, ...]], ignore_override: bool = False
    ) -> list[Parameter]:
        prefix = f"{namespace}." if namespace else ""
        filled = [(name, *(*rest, None, None)[:2]) for name, *rest in parameters]
        return [
            self.declare_parameter(f"{prefix}{name}", value, descriptor, ignore_override)
            for name, value, descriptor in filled
        ]

    def undeclare_parameter(self, name: str) -> None:
        """Raises ParameterNotDeclaredException, ParameterImmutableException."""
        if name not in self._parameters:
            raise ParameterNotDeclaredException(name)
        if self._descriptors[name].read_only:
            raise ParameterImmutableException(name)
        del self._parameters[name], self._descriptors[name]

    def has_parameter(self, name: str) -> bool:
        return name in self._parameters

    # -- reading ------------------------------------------------------------------------------------------------------

    def get_parameter(self, name: str) -> Parameter:
        """Raises ParameterNotDeclaredException."""
        if name in self._parameters:
            return self._parameters[name]
        if self._allow_undeclared:
            return Parameter(name)
        raise ParameterNotDeclaredException(name)

    def get_parameters(self, names: list[str]) -> list[Parameter]:
        return [self.get_parameter(name) for name in names]

    def get_parameter_or(self, name: str, alternative_value: Parameter | None = None) -> Parameter:
        return self._parameters.get(name, alternative_value or Parameter(name))

    def get_parameters_by_prefix(self, prefix: str) -> dict[str, Parameter]:
        start = f"{prefix}." if prefix else ""
        return {name[len(start) :]: p for name, p in self._parameters.items() if name.startswith(start)}

    def describe_parameter(self, name: str) -> Any:
        """Raises ParameterNotDeclaredException."""
        if name not in self._descriptors:
            raise ParameterNotDeclaredException(name)
        return self._descriptors[name]

    def describe_parameters(self, names: list[str]) -> list[Any]:
        return [self.describe_parameter(name) for name in names]

    def parameter_names(self) -> list[str]:
        return sorted(self._parameters)

    # -- setting ------------------------------------------------------------------------------------------------------

    def set_parameters(self, parameter_list: list[Parameter]) -> list[Any]:
        """One result for each; raises ParameterNotDeclaredException for one that is unknown."""
        self._must_be_declared(parameter_list)
        return [self._set([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> Any:
        """All or none."""
        self._must_be_declared(parameter_list)
        return self._set(parameter_list)

    def add_pre_set_parameters_callback(self, callback: Callable[[list[Parameter]], list[Parameter]]) -> None:
        self._pre_set.insert(0, callback)

    def add_on_set_parameters_callback(self, callback: Validate) -> None:
        """`callback` only judges, by a SetParametersResult."""
        self._on_set.insert(0, callback)

    def add_post_set_parameters_callback(self, callback: Apply) -> None:
        """`callback` applies what was set."""
        self._post_set.insert(0, callback)

    def remove_on_set_parameters_callback(self, callback: Validate) -> None:
        self._on_set.remove(callback)

    def remove_post_set_parameters_callback(self, callback: Apply) -> None:
        self._post_set.remove(callback)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _must_be_declared(self, parameters: list[Parameter]) -> None:
        unknown = [parameter.name for parameter in parameters if parameter.name not in self._parameters]
        if unknown and not self._allow_undeclared:
            raise ParameterNotDeclaredException(unknown)

    def _set(self, parameters: list[Parameter]) -> Any:
        for change in self._pre_set:
            parameters = change(parameters)
        try:
            for parameter in parameters:
                described = self._descriptors.get(parameter.name)
                if described is not None and described.read_only:
                    raise ParameterImmutableException(parameter.name)
                if described is not None:
                    self._check_type(parameter, described)
        except (ParameterImmutableException, InvalidParameterTypeException) as error:
            return message_class("rcl_interfaces/msg/SetParametersResult")(successful=False, reason=str(error.args[0]))
        result = self._validate(parameters)
        if result.successful:
            self._store(parameters, new=False)
        return result

    def _check_type(self, parameter: Parameter, described: Any) -> None:
        wanted = Parameter.Type(described.type)
        free = described.dynamic_typing or wanted == Parameter.Type.NOT_SET
        if not free and parameter.type_ != wanted and parameter.type_ != Parameter.Type.NOT_SET:
            raise InvalidParameterTypeException(parameter.name, wanted.name)

    def _validate(self, parameters: list[Parameter]) -> Any:
        answer = message_class("rcl_interfaces/msg/SetParametersResult")
        for parameter in parameters:
            described = self._descriptors.get(parameter.name)
            reason = violation(described, parameter) if described is not None else ""
            if reason:
                return answer(successful=False, reason=reason)
        for judge in list(self._on_set):
            result = judge(parameters)
            if not result.successful:
                return result
        return answer(successful=True, reason="")

    def _store(self, parameters: list[Parameter], new: bool) -> None:
        self._parameters.update({parameter.name: parameter for parameter in parameters})
        for apply in list(self._post_set):
            apply(parameters)
        messages = [parameter.to_parameter_msg() for parameter in parameters]
        event = message_class("rcl_interfaces/msg/ParameterEvent")(
            stamp=self.get_clock().now().to_msg(),  # type: ignore[attr-defined]
            node=self.get_fully_qualified_name(),  # type: ignore[attr-defined]
        )
        setattr(event, "new_parameters" if new else "changed_parameters", messages)
        self._parameter_events.publish(event)


def _as_type(parameter: Parameter, wanted: Parameter.Type) -> Parameter:
    """YAML writes 1 for 1.0, and [] for an empty list of anything."""
    if parameter.type_ == Parameter.Type.BYTE_ARRAY and not parameter.value and wanted != Parameter.Type.NOT_SET:
        return Parameter(parameter.name, wanted, parameter.value) if wanted.check(parameter.value) else parameter
    return parameter
