"""Definitions of services, which rosbags does not carry: rcl_interfaces, lifecycle_msgs and std_srvs.

Text as in their .srv files: request, three dashes, response.
"""

from __future__ import annotations

_PARAMETERS = {
    "ListParameters": "string[] prefixes\nuint64 depth\n---\nrcl_interfaces/ListParametersResult result\n",
    "GetParameters": "string[] names\n---\nrcl_interfaces/ParameterValue[] values\n",
    "GetParameterTypes": "string[] names\n---\nuint8[] types\n",
    "DescribeParameters": "string[] names\n---\nrcl_interfaces/ParameterDescriptor[] descriptors\n",
    "SetParameters": "rcl_interfaces/Parameter[] parameters\n---\nrcl_interfaces/SetParametersResult[] results\n",
    "SetParametersAtomically": (
        "rcl_interfaces/Parameter[] parameters\n---\nrcl_interfaces/SetParametersResult result\n"
    ),
}
_LIFECYCLE = {
    "ChangeState": "lifecycle_msgs/Transition transition\n---\nbool success\n",
    "GetState": "---\nlifecycle_msgs/State current_state\n",
    "GetAvailableStates": "---\nlifecycle_msgs/State[] available_states\n",
    "GetAvailableTransitions": "---\nlifecycle_msgs/TransitionDescription[] available_transitions\n",
}
_PLAIN = {
    "Empty": "---\n",
    "SetBool": "bool data\n---\nbool success\nstring message\n",
    "Trigger": "---\nbool success\nstring message\n",
}
SERVICES = {
    **{f"rcl_interfaces/srv/{name}": text for name, text in _PARAMETERS.items()},
    **{f"lifecycle_msgs/srv/{name}": text for name, text in _LIFECYCLE.items()},
    **{f"std_srvs/srv/{name}": text for name, text in _PLAIN.items()},
}
