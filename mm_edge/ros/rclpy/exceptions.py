"""rclpy's exceptions."""

from __future__ import annotations


class NotInitializedException(Exception):
    """Raised when the context is not initialised, or shut down."""


class ROSInterruptException(Exception):
    """Raised when an operation is cut short by a shutdown."""


class NameValidationException(Exception):
    """A name of a topic, node or namespace is not valid."""

    def __init__(self, name_type: str, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__(f"Invalid {name_type}: {error_msg}:\n  '{name}'\n   {' ' * invalid_index}^")


class InvalidTopicNameException(NameValidationException):
    def __init__(self, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__("topic name", name, error_msg, invalid_index)


class InvalidNodeNameException(NameValidationException):
    def __init__(self, name: str, error_msg: str, invalid_index: int) -> None:
        super().__init__("node name", name, error_msg, invalid_index)


class ParameterException(Exception):
    """Base of what can go wrong with parameters."""

    def __init__(self, error_msg: str, parameters: object, *args: object) -> None:
        super().__init__(error_msg, parameters, *args)


class ParameterNotDeclaredException(ParameterException):
    def __init__(self, parameters: object, *args: object) -> None:
        super().__init__("Invalid access to undeclared parameter(s)", parameters, *args)


class ParameterAlreadyDeclaredException(ParameterException):
    def __init__(self, parameters: object, *args: object) -> None:
        super().__init__("Parameter(s) already declared", parameters, *args)


class InvalidParameterException(ParameterException):
    def __init__(self, parameter: object, *args: object) -> None:
        super().__init__("Invalid parameter name", parameter, *args)


class InvalidParameterValueException(ParameterException):
    def __init__(self, parameter: object, value: object, reason: str, *args: object) -> None:
        super().__init__(f"Invalid parameter value ({value}) for parameter. Reason: {reason}", parameter, *args)


class InvalidParameterTypeException(ParameterException):
    def __init__(self, desired_parameter: object, expected_type: object, *args: object) -> None:
        super().__init__(
            f"Trying to set parameter '{desired_parameter}' to a value of the wrong type, expecting '{expected_type}'",
            desired_parameter,
            *args,
        )


class ParameterImmutableException(ParameterException):
    def __init__(self, parameter: object, *args: object) -> None:
        super().__init__("Attempted to modify read-only parameter", parameter, *args)


class ParameterUninitializedException(ParameterException):
    def __init__(self, parameter: object, *args: object) -> None:
        super().__init__("The parameter is not initialized", parameter, *args)
