"""Quality-of-service profiles."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from mm_edge.ros import dds
from mm_edge.ros.rclpy.duration import Duration


class InvalidQoSProfileException(Exception):
    def __init__(self, *args: object) -> None:
        super().__init__("Invalid QoSProfile", *args)


class HistoryPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    KEEP_LAST = 1
    KEEP_ALL = 2
    UNKNOWN = 3


class ReliabilityPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    RELIABLE = 1
    BEST_EFFORT = 2
    UNKNOWN = 3


class DurabilityPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    TRANSIENT_LOCAL = 1
    VOLATILE = 2
    UNKNOWN = 3


class LivelinessPolicy(IntEnum):
    SYSTEM_DEFAULT = 0
    AUTOMATIC = 1
    MANUAL_BY_TOPIC = 3
    UNKNOWN = 4


QoSHistoryPolicy, QoSReliabilityPolicy = HistoryPolicy, ReliabilityPolicy
QoSDurabilityPolicy, QoSLivelinessPolicy = DurabilityPolicy, LivelinessPolicy


class QoSProfile:
    """Durations of 0 mean none. Raises InvalidQoSProfileException when KEEP_LAST has no depth."""

    def __init__(
        self,
        *,
        history: HistoryPolicy = HistoryPolicy.KEEP_LAST,
        depth: int | None = None,
        reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
        durability: DurabilityPolicy = DurabilityPolicy.VOLATILE,
        lifespan: Duration | None = None,
        deadline: Duration | None = None,
        liveliness: LivelinessPolicy = LivelinessPolicy.SYSTEM_DEFAULT,
        liveliness_lease_duration: Duration | None = None,
        avoid_ros_namespace_conventions: bool = False,
    ) -> None:
        if history == HistoryPolicy.KEEP_LAST and depth is None:
            raise InvalidQoSProfileException("History set to KEEP_LAST without a depth setting.")
        self.history = HistoryPolicy(history)
        self.depth = depth or 0
        self.reliability = ReliabilityPolicy(reliability)
        self.durability = DurabilityPolicy(durability)
        self.lifespan = lifespan or Duration()
        self.deadline = deadline or Duration()
        self.liveliness = LivelinessPolicy(liveliness)
        self.liveliness_lease_duration = liveliness_lease_duration or Duration()
        self.avoid_ros_namespace_conventions = avoid_ros_namespace_conventions

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QoSProfile) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"QoSProfile({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def profile(value: QoSProfile | int) -> QoSProfile:
    """A profile as publishers take it: a number is a depth. Raises ValueError for a negative one."""
    if isinstance(value, QoSProfile):
        return value
    if value < 0:
        raise ValueError("QoS history depth must not be negative")
    return QoSProfile(depth=value)


def to_dds(qos: QoSProfile, user_data: bytes) -> dds.Qos:
    def ns(duration: Duration) -> int | None:
        return duration.nanoseconds if 0 < duration.nanoseconds < 2**63 - 1 else None

    return dds.Qos(
        reliable=qos.reliability != ReliabilityPolicy.BEST_EFFORT,
        transient_local=qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        depth=None if qos.history == HistoryPolicy.KEEP_ALL else max(1, qos.depth),
        deadline_ns=ns(qos.deadline),
        lifespan_ns=ns(qos.lifespan),
        lease_ns=ns(qos.liveliness_lease_duration),
        manual_liveliness=qos.liveliness == LivelinessPolicy.MANUAL_BY_TOPIC,
        user_data=user_data,
    )


qos_profile_system_default = QoSProfile(depth=10)
qos_profile_default = qos_profile_system_default
qos_profile_sensor_data = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
qos_profile_services_default = QoSProfile(depth=10)
qos_profile_parameters = QoSProfile(depth=1000)
qos_profile_parameter_events = QoSProfile(depth=1000)
qos_profile_rosout_default = QoSProfile(
    depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL, lifespan=Duration(seconds=10)
)


class QoSPresetProfiles:
    SYSTEM_DEFAULT = qos_profile_system_default
    SENSOR_DATA = qos_profile_sensor_data
    SERVICES_DEFAULT = qos_profile_services_default
    PARAMETERS = qos_profile_parameters
    PARAMETER_EVENTS = qos_profile_parameter_events

    @staticmethod
    def get_from_short_key(name: str) -> Any:
        return getattr(QoSPresetProfiles, name.upper())
