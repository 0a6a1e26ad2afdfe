"""Message and service classes as rosidl makes them for Python, built from definitions at run time.

Constructed with defaults and keywords; numeric arrays take anything numpy does and are numpy arrays; `byte` fields are
bytes. Standard definitions and the encoding (CDR) come from rosbags, ours from msg/. Knows nothing about DDS.
"""

from __future__ import annotations

import sys
import threading
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from mm_edge.ros.services import SERVICES
from mm_edge.share import share_path

_lock = threading.RLock()
_NUMBERS = {
    "bool": np.bool_, "octet": np.uint8, "byte": np.uint8, "char": np.uint8, "int8": np.int8, "uint8": np.uint8,
    "int16": np.int16, "uint16": np.uint16, "int32": np.int32, "uint32": np.uint32, "int64": np.int64,
    "uint64": np.uint64, "float32": np.float32, "float64": np.float64,
}  # fmt: skip
_BYTES = ("octet", "byte")


class Byte(bytes):
    """One byte that can also be packed as a number: rosidl's Python type of `byte` is bytes of length 1."""

    def __index__(self) -> int:
        return self[0]


class Message:
    """Base of every generated class; the fields are plain attributes."""

    __msgtype__ = ""
    _fields: tuple[tuple[str, Any], ...] = ()
    _converters: ClassVar[dict[str, Any]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args:
            for (name, _), value in zip(self._fields, args, strict=True):
                setattr(self, name, value)
            return
        names = {name for name, _ in self._fields}
        if not names >= kwargs.keys():
            raise AssertionError(f"{self.__msgtype__} has no field {', '.join(sorted(kwargs.keys() - names))}")
        for name, default in self._fields:
            setattr(self, name, kwargs[name] if name in kwargs else default())

    def __setattr__(self, name: str, value: Any) -> None:
        convert = self._converters.get(name)
        object.__setattr__(self, name, value if convert is None else convert(value))

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name, _ in self._fields)
        return f"{self.__msgtype__.replace('/', '.')}({inside})"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_equal(getattr(self, name), getattr(other, name)) for name, _ in self._fields)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def get_fields_and_field_types(cls) -> dict[str, str]:
        definition = typestore().fielddefs[cls.__msgtype__][1]
        return {name: _type_name(description) for name, description in definition}


@lru_cache(maxsize=1)
def typestore() -> Any:
    """All definitions: those of ROS 2 Jazzy, the services of parameters and lifecycle, and ours."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for path in sorted(Path(share_path("msg")).glob("*.msg")):
        name = f"mm_edge/msg/{path.stem}"
        if name not in store.types:
            store.register(get_types_from_msg(path.read_text(), name))
    for name, text in SERVICES.items():
        package, _, service = name.split("/")
        for part, definition in zip(("Request", "Response"), text.split("---\n"), strict=True):
            parsed = get_types_from_msg(definition, f"{package}/msg/{service}_{part}")
            store.register({f"{name}_{part}": next(iter(parsed.values()))})
    return store


def message_class(name: str) -> Any:
    """The class of "pkg/msg/Name". Raises KeyError for an unknown type."""
    return _message_class(name)


@cache
def _message_class(name: str) -> type[Message]:
    with _lock:
        constants, fields = typestore().fielddefs[name]
        namespace: dict[str, Any] = {"__msgtype__": name, "__module__": name.rsplit("/", 1)[0].replace("/", ".")}
        namespace["_fields"] = tuple((field, _default(kind)) for field, kind in fields)
        namespace["_converters"] = {field: convert for field, kind in fields if (convert := _converter(kind))}
        for constant, kind, value in constants:
            namespace[constant] = Byte([int(value)]) if kind in _BYTES else value
        built = type(name.rsplit("/", 1)[1], (Message,), namespace)
        typestore().types[name] = built
        return built


def service_class(name: str) -> Any:
    """The class of "pkg/srv/Name", with Request and Response."""
    return _service_class(name)


@cache
def _service_class(name: str) -> type:
    if name not in SERVICES:
        raise KeyError(name)
    parts = {part: message_class(f"{name}_{part}") for part in ("Request", "Response")}
    return type(name.rsplit("/", 1)[1], (), {**parts, "__srvtype__": name})


def serialize(message: Any) -> memoryview:
    """CDR with its header. Raises TypeError or ValueError when a field does not hold what it should."""
    return typestore().serialize_cdr(message, message.__msgtype__)


def deserialize(data: bytes | memoryview, name: str) -> Any:
    """A message from CDR; arrays are views on `data`. Raises ValueError when `data` is not one."""
    _whole_class(name)
    try:
        return typestore().deserialize_cdr(data, name)
    except Exception as error:
        raise ValueError(f"not a {name}: {error}") from error


@cache
def _whole_class(name: str) -> None:
    """Build a class and those inside it, before the decoder caches which ones it makes."""
    message_class(name)
    for _, kind in typestore().fielddefs[name][1]:
        inner = kind[1][0] if kind[0] in (Nodetype.ARRAY, Nodetype.SEQUENCE) else kind
        if inner[0] == Nodetype.NAME:
            _whole_class(inner[1])


@cache
def type_hash(name: str) -> str:
    """RIHS01 (REP-2011). rosidl counts `char` as uint8."""
    store = typestore()
    with _lock:
        changed = {}
        for other, (constants, fields) in list(store.fielddefs.items()):
            if "char" in repr(fields):
                changed[other] = (constants, fields)
                store.fielddefs[other] = (constants, _char_as_uint8(fields))
        try:
            return str(store.hash_rihs01(name))
        finally:
            store.fielddefs.update(changed)


def _char_as_uint8(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_char_as_uint8(item) for item in value)
    return "uint8" if value == "char" else value


def install_modules() -> None:
    """Put `<package>.msg` and `<package>.srv` of every known package into sys.modules."""
    names = [*typestore().fielddefs, *SERVICES]
    packages = {(name.split("/")[0], kind) for name in names for kind in ("msg", "srv") if f"/{kind}/" in name}
    for package, kind in sorted(packages):
        if package not in sys.modules:
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = []
        full = f"{package}.{kind}"
        module = ModuleType(full)
        module.__getattr__ = _finder(package, kind)  # type: ignore[method-assign]
        sys.modules[full] = module
        setattr(sys.modules[package], kind, module)


def _finder(package: str, kind: str) -> Any:
    def find(name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return message_class(f"{package}/msg/{name}") if kind == "msg" else service_class(f"{package}/srv/{name}")
        except KeyError:
            raise AttributeError(f"{package}.{kind} has no {name}") from None

    return find


def _default(kind: Any) -> Any:
    node, inside = kind
    if node == Nodetype.NAME:
        return lambda: message_class(inside)()
    if node == Nodetype.BASE:
        base = inside[0]
        if base in _BYTES:
            return lambda: Byte(b"\0")
        return {"string": str, "wstring": str, "bool": bool}.get(base, float if base.startswith("float") else int)
    (inner, what), count = inside
    size = count if node == Nodetype.ARRAY else 0
    if inner == Nodetype.BASE and what[0] in _NUMBERS:
        return lambda: np.zeros(size, _NUMBERS[what[0]])
    make = _default((inner, what))
    return lambda: [make() for _ in range(size)]


def _converter(kind: Any) -> Any:
    node, inside = kind
    if node == Nodetype.BASE and inside[0] in _BYTES:
        return lambda value: Byte([value]) if isinstance(value, int) else Byte(value)
    if node in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        (inner, what), _ = inside
        if inner == Nodetype.BASE and what[0] in _NUMBERS:
            return lambda value: _numbers(value, _NUMBERS[what[0]])
    return None


def _numbers(value: Any, dtype: Any) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return np.frombuffer(value, dtype)
    return np.ascontiguousarray(value, dtype).reshape(-1)


def _equal(a: Any, b: Any) -> bool:
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


def _type_name(kind: Any) -> str:
    node, inside = kind
    if node == Nodetype.NAME:
        return str(inside).replace("/msg/", "/")
    if node == Nodetype.BASE:
        return str({"float64": "double", "float32": "float", "bool": "boolean"}.get(inside[0], inside[0]))
    inner, count = inside
    return f"{_type_name(inner)}[{count}]" if node == Nodetype.ARRAY else f"sequence<{_type_name(inner)}>"
