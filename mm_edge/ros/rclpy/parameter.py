"""Parameters: typed values, their messages, and the rules of their descriptors."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from mm_edge.ros.interfaces import message_class
from mm_edge.ros.rclpy.arguments import parameters_of as parameters_of_file

PARAMETER_SEPARATOR_STRING = "."
__all__ = ["Parameter", "parameter_dict_from_yaml_file", "parameter_value_to_python", "violation"]


class Parameter:
    """A named value. Raises TypeError or ValueError when value and type do not fit."""

    class Type(IntEnum):
        NOT_SET = 0
        BOOL = 1
        INTEGER = 2
        DOUBLE = 3
        STRING = 4
        BYTE_ARRAY = 5
        BOOL_ARRAY = 6
        INTEGER_ARRAY = 7
        DOUBLE_ARRAY = 8
        STRING_ARRAY = 9

        @classmethod
        def from_parameter_value(cls, value: Any) -> Parameter.Type:
            """The type of a Python value. Raises TypeError for what cannot be a parameter."""
            found = _type_of(value)
            if found is None:
                raise TypeError(f"The given value is not one of the allowed types '{value}'.")
            return cls(found)

        def check(self, value: Any) -> bool:
            found = _type_of(value)
            if found == Parameter.Type.BYTE_ARRAY and self in _ARRAYS and len(value) == 0:
                return True
            return found == self

    def __init__(self, name: str, type_: Parameter.Type | None = None, value: Any = None) -> None:
        kind = Parameter.Type.from_parameter_value(value) if type_ is None else type_
        if not isinstance(kind, Parameter.Type):
            raise TypeError("type must be an instance of 'Parameter.Type'")
        if not kind.check(value):
            raise ValueError(f"Type '{kind}' and value '{value}' do not agree")
        self._name, self._type, self._value = name, kind, value

    @property
    def name(self) -> str:
        return self._name

    @property
    def type_(self) -> Parameter.Type:
        return self._type

    @property
    def value(self) -> Any:
        return self._value

    def get_parameter_value(self) -> Any:
        """rcl_interfaces/ParameterValue."""
        message = message_class("rcl_interfaces/msg/ParameterValue")(type=int(self._type))
        if self._type != Parameter.Type.NOT_SET:
            setattr(message, _FIELDS[self._type], self._value)
        return message

    def to_parameter_msg(self) -> Any:
        return message_class("rcl_interfaces/msg/Parameter")(name=self._name, value=self.get_parameter_value())

    @classmethod
    def from_parameter_msg(cls, message: Any) -> Parameter:
        kind = cls.Type(message.value.type)
        return cls(message.name, kind, parameter_value_to_python(message.value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parameter) and (self._name, self._type, self._value) == (
            other._name,
            other._type,
            other._value,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Parameter(name={self._name!r}, type_={self._type.name}, value={self._value!r})"


_FIELDS = {
    Parameter.Type.BOOL: "bool_value",
    Parameter.Type.INTEGER: "integer_value",
    Parameter.Type.DOUBLE: "double_value",
    Parameter.Type.STRING: "string_value",
    Parameter.Type.BYTE_ARRAY: "byte_array_value",
    Parameter.Type.BOOL_ARRAY: "bool_array_value",
    Parameter.Type.INTEGER_ARRAY: "integer_array_value",
    Parameter.Type.DOUBLE_ARRAY: "double_array_value",
    Parameter.Type.STRING_ARRAY: "string_array_value",
}
_ARRAYS = (
    Parameter.Type.BOOL_ARRAY,
    Parameter.Type.INTEGER_ARRAY,
    Parameter.Type.DOUBLE_ARRAY,
    Parameter.Type.STRING_ARRAY,
)


_SCALARS: tuple[tuple[int, tuple[type, ...]], ...] = (
    (1, (bool, np.bool_)),
    (2, (int, np.integer)),
    (3, (float, np.floating)),
    (4, (str,)),
)
_ITEMS: tuple[tuple[int, tuple[type, ...]], ...] = ((5, (bytes,)), *((kind + 5, t) for kind, t in _SCALARS))


def _type_of(value: Any) -> int | None:
    """bool is looked at before int, of which it is a kind; an empty list counts as bytes, as in rclpy."""
    if value is None:
        return 0
    if isinstance(value, (list, tuple, np.ndarray)):
        return next((kind for kind, types in _ITEMS if all(isinstance(item, types) for item in value)), None)
    return next((kind for kind, types in _SCALARS if isinstance(value, types)), None)


def parameter_value_to_python(message: Any) -> Any:
    """rcl_interfaces/ParameterValue -> the Python value. Raises RuntimeError for an unknown type."""
    if message.type == 0:
        return None
    if message.type not in set(_FIELDS):
        raise RuntimeError(f"unexpected parameter type {message.type}")
    value = getattr(message, _FIELDS[Parameter.Type(message.type)])
    return value.tolist() if isinstance(value, np.ndarray) else value


def parameter_dict_from_yaml_file(
    parameter_file: str, use_wildcard: bool = False, target_nodes: list[str] | None = None, namespace: str = ""
) -> dict[str, Any]:
    """Name -> rcl_interfaces/Parameter for what a parameter file says."""
    from pathlib import Path

    entries = parameters_of_file(Path(parameter_file))
    return {name: Parameter(f"{namespace}{name}", value=value).to_parameter_msg() for _, name, value in entries}


def violation(descriptor: Any, parameter: Parameter) -> str:
    """Why a value is outside its descriptor's ranges; "" when it is not."""
    for kind, ranges in (("DOUBLE", descriptor.floating_point_range), ("INTEGER", descriptor.integer_range)):
        if parameter.type_.name != kind or not ranges:
            continue
        low, high, step = ranges[0].from_value, ranges[0].to_value, ranges[0].step
        value = parameter.value
        if value in (low, high):
            return ""
        if not low <= value <= high:
            return f"Parameter {parameter.name} out of range Min: {low}, Max: {high}, value: {value}"
        if step and abs(round((value - low) / step) - (value - low) / step) > 1e-9:
            return f"The parameter value for {parameter.name} is not a valid step. Step: {step}, value: {value}"
    return ""
