"""`--ros-args`: remappings, parameters, parameter files and log levels, and the names that they make.

Knows nothing about DDS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mm_edge.ros.rclpy.exceptions import InvalidNodeNameException, InvalidTopicNameException


class ArgumentError(RuntimeError):
    """The command line, or a parameter file on it, cannot be understood."""


@dataclass(frozen=True)
class Arguments:
    """remaps: (node or "", from, to); parameters: (node pattern, name, value); rest: what was not ours."""

    remaps: tuple[tuple[str, str, str], ...] = ()
    parameters: tuple[tuple[str, str, Any], ...] = ()
    log_levels: tuple[tuple[str, str], ...] = ()
    rest: tuple[str, ...] = ()

    def node_name(self, name: str) -> str:
        return self._special("__node", name) or self._special("__name", name) or name

    def namespace(self, name: str, namespace: str) -> str:
        return self._special("__ns", name) or namespace

    def topic(self, node: str, name: str, namespace: str) -> str:
        """A fully qualified name after remapping."""
        full = resolve(name, node, namespace)
        for only, source, target in self.remaps:
            if only in ("", node) and not source.startswith("__") and resolve(source, node, namespace) == full:
                return resolve(target, node, namespace)
        return full

    def over(self, others: Arguments) -> Arguments:
        """These arguments before others, which they win against: a node's own before those of the process."""
        return Arguments(
            self.remaps + others.remaps,
            others.parameters + self.parameters,
            others.log_levels + self.log_levels,
            self.rest + others.rest,
        )

    def overrides(self, node: str, namespace: str) -> dict[str, Any]:
        """The parameter values meant for a node; later ones win."""
        full = f"{namespace.rstrip('/')}/{node}"
        return {name: value for pattern, name, value in self.parameters if _matches(pattern, full, node)}

    def _special(self, key: str, node: str) -> str:
        found = (target for only, source, target in self.remaps if source == key and only in ("", node))
        return next(found, "")


def parse_arguments(args: list[str]) -> Arguments:
    """Raises ArgumentError."""
    remaps: list[tuple[str, str, str]] = []
    parameters: list[tuple[str, str, Any]] = []
    levels: list[tuple[str, str]] = []
    rest: list[str] = []
    left = _Words(args)
    ours = False
    for word in left:
        if word == "--ros-args" or (ours and word == "--"):
            ours = word == "--ros-args"
        elif not ours:
            rest.append(word)
        elif word in ("-r", "--remap"):
            remaps.append(_remap(left.value(word)))
        elif word in ("-p", "--param"):
            parameters.append(_parameter(left.value(word)))
        elif word == "--params-file":
            parameters += parameters_of(Path(left.value(word)))
        elif word == "--log-level":
            name, _, level = left.value(word).rpartition(":=")
            levels.append((name, level))
        elif word in ("-e", "--enclave", "--log-config-file", "--log-file-name"):
            left.value(word)
        elif not re.match(r"--(en|dis)able-(rosout|stdout|external-lib)-logs", word):
            raise ArgumentError(f"unknown ROS argument {word!r}")
    return Arguments(tuple(remaps), tuple(parameters), tuple(levels), tuple(rest))


def parameters_of(path: Path) -> list[tuple[str, str, Any]]:
    """(node pattern, name, value) for every entry of a parameter file. Raises ArgumentError."""
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ArgumentError(f"cannot read the parameters in {path}: {_one_line(error)}") from error
    if not isinstance(document, dict):
        raise ArgumentError(f"{path}: expected node names with ros__parameters")
    return list(_entries(document, "", path))


def _entries(tree: dict[str, Any], prefix: str, path: Path) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    for key, value in tree.items():
        if not isinstance(value, dict):
            raise ArgumentError(f"{path}: {prefix or '/'}{key} holds a value outside ros__parameters")
        if key == "ros__parameters":
            found += [(prefix, name, leaf) for name, leaf in _flat(value)]
        else:
            found += _entries(value, f"{prefix.rstrip('/')}/{str(key).lstrip('/')}", path)
    return found


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for key, value in tree.items():
        found += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return found


def _matches(pattern: str, full: str, node: str) -> bool:
    if not pattern or pattern == "/**":
        return True
    if pattern.startswith("/") and "*" not in pattern:
        return pattern == full or ("/" not in pattern[1:] and pattern[1:] == node)
    expression = re.escape(pattern).replace(r"/\*\*", "(/.+)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]+")
    return re.fullmatch(expression, full) is not None


def _remap(text: str) -> tuple[str, str, str]:
    source, separator, target = text.partition(":=")
    if not separator or not source or not target:
        raise ArgumentError(f"cannot read the remapping {text!r}, expected from:=to")
    node, colon, name = source.partition(":")
    return (node, name, target) if colon else ("", source, target)


def _parameter(text: str) -> tuple[str, str, Any]:
    source, separator, value = text.partition(":=")
    if not separator or not source:
        raise ArgumentError(f"cannot read the parameter {text!r}, expected name:=value")
    node, colon, name = source.partition(":")
    try:
        return ("/**/" + node, name, yaml.safe_load(value)) if colon else ("/**", source, yaml.safe_load(value))
    except yaml.YAMLError as error:
        raise ArgumentError(f"cannot read the value of {text!r}: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class _Words:
    def __init__(self, words: list[str]) -> None:
        self._left = iter(words)

    def __iter__(self) -> _Words:
        return self

    def __next__(self) -> str:
        return next(self._left)

    def value(self, option: str) -> str:
        try:
            return next(self._left)
        except StopIteration:
            raise ArgumentError(f"{option} needs a value") from None


def resolve(name: str, node: str, namespace: str) -> str:
    """A relative ("a/b"), private ("~/a") or absolute ("/a") name in full. Raises InvalidTopicNameException."""
    bad = re.search(r"[^A-Za-z0-9_/~]|//|/[0-9]|^[0-9]|.~|~[^/]|^$|.+/$", name)
    if bad:
        raise InvalidTopicNameException(name, "it is not a valid name", bad.start())
    base = namespace.rstrip("/")
    if name.startswith("~"):
        return f"{base}/{node}{name[1:]}"
    return name if name.startswith("/") else f"{base}/{name}"


def check_node_name(name: str) -> str:
    bad = re.search(r"[^A-Za-z0-9_]|^[0-9]|^$", name)
    if bad:
        raise InvalidNodeNameException(name, "it is not a valid node name", bad.start())
    return name
