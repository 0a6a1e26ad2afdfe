"""The six services by which other programs list, read, describe and set a node's parameters."""

from __future__ import annotations

from typing import Any

from mm_edge.ros.interfaces import message_class, service_class
from mm_edge.ros.rclpy.exceptions import ParameterNotDeclaredException
from mm_edge.ros.rclpy.parameter import Parameter
from mm_edge.ros.rclpy.qos import qos_profile_parameters


def start_parameter_services(node: Any) -> None:
    handlers = {
        "ListParameters": ("list_parameters", _list),
        "GetParameters": ("get_parameters", _get),
        "GetParameterTypes": ("get_parameter_types", _types),
        "DescribeParameters": ("describe_parameters", _describe),
        "SetParameters": ("set_parameters", _set),
        "SetParametersAtomically": ("set_parameters_atomically", _set_atomically),
    }
    for kind, (name, handler) in handlers.items():
        service = service_class(f"rcl_interfaces/srv/{kind}")
        node.create_service(service, f"~/{name}", _bound(handler, node), qos_profile=qos_profile_parameters)


def _bound(handler: Any, node: Any) -> Any:
    return lambda request, response: handler(node, request, response)


def _list(node: Any, request: Any, response: Any) -> Any:
    def deep(name: str) -> bool:
        return request.depth > 0 and name.count(".") >= request.depth

    starts = tuple(f"{prefix}." for prefix in request.prefixes)
    names = [
        name
        for name in node.parameter_names()
        if not deep(name) and (not request.prefixes or name in request.prefixes or name.startswith(starts))
    ]
    prefixes = sorted({name.rpartition(".")[0] for name in names if "." in name})
    response.result = message_class("rcl_interfaces/msg/ListParametersResult")(names=names, prefixes=prefixes)
    return response


def _get(node: Any, request: Any, response: Any) -> Any:
    try:
        response.values = [node.get_parameter(name).get_parameter_value() for name in request.names]
    except ParameterNotDeclaredException:
        response.values = []
    return response


def _types(node: Any, request: Any, response: Any) -> Any:
    try:
        response.types = [int(node.get_parameter(name).type_) for name in request.names]
    except ParameterNotDeclaredException:
        response.types = []
    return response


def _describe(node: Any, request: Any, response: Any) -> Any:
    try:
        response.descriptors = node.describe_parameters(request.names)
    except ParameterNotDeclaredException:
        response.descriptors = []
    return response


def _set(node: Any, request: Any, response: Any) -> Any:
    response.results = [_outcome(node, [message]) for message in request.parameters]
    return response


def _set_atomically(node: Any, request: Any, response: Any) -> Any:
    response.result = _outcome(node, list(request.parameters))
    return response


def _outcome(node: Any, messages: list[Any]) -> Any:
    try:
        return node.set_parameters_atomically([Parameter.from_parameter_msg(message) for message in messages])
    except (ParameterNotDeclaredException, TypeError, ValueError, RuntimeError) as error:
        return message_class("rcl_interfaces/msg/SetParametersResult")(successful=False, reason=str(error))
