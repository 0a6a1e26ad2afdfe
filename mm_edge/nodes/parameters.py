"""A node's parameters, made from a pydantic model: descriptions, ranges, checks with a reason.

A value that a file or the command line got wrong is left out, its default stands, and `problems` names it; a wrong
value that is set later is refused. Fields marked `read_only` cannot be set later. Knows nothing about any one node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

Model = TypeVar("Model", bound=BaseModel)

INT64_MAX = 2**63 - 1
FLOAT_MAX = 1e308


class Parameters(Generic[Model]):
    """`config` is always valid, and the newest; `applied` is called with it after every change."""

    def __init__(
        self, node: Node, model: type[Model], prefix: str = "", applied: Callable[[Model], None] | None = None
    ) -> None:
        self.problems: list[str] = []
        self._node = node
        self._model = model
        self._prefix = f"{prefix}." if prefix else ""
        self._applied = applied
        self._declaring = True
        self.config = model()
        node.add_on_set_parameters_callback(self._judge)
        declared = {name: self._declare(name, info) for name, info in model.model_fields.items()}
        self._declaring = False
        self.config, left_out = accept(model, declared)
        for name, reason in left_out.items():
            self._problem(name, declared[name], reason)
            node.set_parameters([Parameter(self._prefix + name, value=getattr(self.config, name))])
        self._follow()

    def _declare(self, name: str, info: FieldInfo) -> Any:
        full = self._prefix + name
        try:
            return self._node.declare_parameter(full, info.default, descriptor(info)).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            self._problem(name, None, str(error.args[0]))
            return self._node.declare_parameter(full, info.default, descriptor(info), ignore_override=True).value

    def _problem(self, name: str, value: Any, reason: str) -> None:
        default = self._model.model_fields[name].default
        shown = "" if value is None else f" = {value!r}"
        text = f"parameter {self._prefix}{name}{shown} was left out ({reason}); {default!r} is used"
        self.problems.append(text)
        self._node.get_logger().error(text)

    def _judge(self, changed: list[Parameter]) -> SetParametersResult:
        values = self._own(changed)
        try:
            if self._declaring:
                for name, value in values.items():
                    info = self._model.model_fields[name]
                    TypeAdapter(Annotated[info.annotation, info]).validate_python(value)  # type: ignore[misc,arg-type]
            else:
                self._model(**{**self.config.model_dump(), **values})
        except ValidationError as error:
            return SetParametersResult(successful=False, reason=reason_of(error))
        return SetParametersResult(successful=True, reason="")

    def _follow(self) -> None:
        """Judge first, then apply; Humble knows no callback after the set, so there the change applies when judged."""
        if hasattr(self._node, "add_post_set_parameters_callback"):
            self._node.add_post_set_parameters_callback(self._apply)
        else:
            self._node.add_on_set_parameters_callback(self._judge_and_apply)

    def _judge_and_apply(self, changed: list[Parameter]) -> SetParametersResult:
        result = self._judge(changed)
        if result.successful:
            self._apply(changed)
        return result

    def _apply(self, changed: list[Parameter]) -> None:
        values = self._own(changed)
        if values:
            self.config = self._model(**{**self.config.model_dump(), **values})
            if self._applied is not None:
                self._applied(self.config)

    def _own(self, changed: list[Parameter]) -> dict[str, Any]:
        named = {parameter.name: parameter.value for parameter in changed}
        fields = self._model.model_fields
        return {name: named[self._prefix + name] for name in fields if self._prefix + name in named}


def accept(model: type[Model], values: dict[str, Any]) -> tuple[Model, dict[str, str]]:
    """The configuration with these values; when they do not go together, with as many of them as do.

    Returns it with a reason for every value that was left out.
    """
    try:
        return model(**values), {}
    except ValidationError:
        pass
    taken: dict[str, Any] = {}
    left_out = {}
    for name, value in values.items():
        try:
            model(**taken, **{name: value})
            taken[name] = value
        except ValidationError as error:
            left_out[name] = reason_of(error)
    return model(**taken), left_out


def reason_of(error: ValidationError) -> str:
    """One line that names the field and what is wrong with it."""
    parts = []
    for entry in error.errors():
        where = ".".join(map(str, entry["loc"]))
        message = entry["msg"].removeprefix("Value error, ")
        parts.append(f"{where}: {message}" if where else message)
    return "; ".join(parts)


def descriptor(info: FieldInfo) -> ParameterDescriptor:
    """Description, range and read-only mark of a field."""
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    described = ParameterDescriptor(description=info.description or "", read_only=bool(extra.get("read_only", False)))
    low, high = (_bound(info, name) for name in ("ge", "le"))
    if isinstance(info.default, bool) or (low is None and high is None):
        return described
    if isinstance(info.default, int):
        whole = IntegerRange(from_value=-INT64_MAX if low is None else int(low), to_value=INT64_MAX, step=1)
        whole.to_value = INT64_MAX if high is None else int(high)
        described.integer_range = [whole]
    else:
        real = FloatingPointRange(from_value=-FLOAT_MAX if low is None else float(low), to_value=FLOAT_MAX)
        real.to_value = FLOAT_MAX if high is None else float(high)
        described.floating_point_range = [real]
    return described


def _bound(info: FieldInfo, name: str) -> float | None:
    return next((getattr(entry, name) for entry in info.metadata if hasattr(entry, name)), None)
