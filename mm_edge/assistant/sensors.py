"""From messages to what the core works with: arrays, numbers in SI units, requests.

Works on anything that has the attributes of the ROS message (rclpy's classes and a bag reader's alike) and imports no
ROS. What cannot be used raises SensorError, whose `fault` is the name that the diagnostics show.
"""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mm_edge.assistant.clock import time_of_day_s
from mm_edge.assistant.request import Request, Stakes
from mm_edge.compute.device import ComputeState
from mm_edge.model.events import Event
from mm_edge.model.observation import AUDIO_RATE_HZ, VehicleState

MAX_REQUEST_CHARACTERS = 1000
MAX_DEADLINE_MS = 3_600_000.0
MAX_NAME_CHARACTERS = 80
MAX_IMAGE_BYTES = 64 * 2**20
MAX_AUDIO_CHANNELS = 16
AUDIO_RATES_HZ = range(4_000, 384_001)

LIMITS = {
    "speed_mps": (-30.0, 150.0),
    "acceleration_mps2": (-30.0, 30.0),
    "yaw_rate_rps": (-10.0, 10.0),
    "steering_angle_rad": (-1.6, 1.6),
    "throttle": (0.0, 1.0),
    "brake": (0.0, 1.0),
    "energy_percent": (0.0, 100.0),
    "range_m": (0.0, 5e6),
    "speed_limit_mps": (0.0, 60.0),
}
"""What a road vehicle can show; anything outside is a broken sensor."""

_TO_RGB = {
    "rgb8": None,
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "bayer_rggb8": cv2.COLOR_BayerRGGB2RGB,
    "bayer_bggr8": cv2.COLOR_BayerBGGR2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGBRG2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGRBG2RGB,
}
_CHANNELS = {"rgb8": 3, "bgr8": 3, "8UC3": 3, "rgba8": 4, "bgra8": 4, "yuv422": 2, "yuv422_yuy2": 2}


class SensorError(Exception):
    """A message that cannot be used. `fault`: a short name such as "corrupt_image"."""

    def __init__(self, fault: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


def stamp_ns(header: Any) -> int:
    """The stamp of a message header; 0 when it was not set."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def image(message: Any) -> NDArray[np.uint8]:
    """sensor_msgs/Image -> [H, W, 3] RGB."""
    if message.encoding not in _TO_RGB:
        raise SensorError("unknown_encoding", f"image encoding {message.encoding!r} is not supported")
    height, width, channels = int(message.height), int(message.width), _CHANNELS.get(message.encoding, 1)
    data = np.frombuffer(message.data, np.uint8)
    row = width * channels
    if height < 1 or width < 1 or message.step < row or data.size < height * message.step:
        raise SensorError("corrupt_image", f"{data.size} bytes are not {height} x {width} {message.encoding}")
    pixels = data[: height * message.step].reshape(height, message.step)[:, :row].reshape(height, width, channels)
    code = _TO_RGB[message.encoding]
    if code is None:
        return pixels
    try:
        return cv2.cvtColor(pixels if channels > 1 else pixels[:, :, 0], code).astype(np.uint8, copy=False)
    except cv2.error as error:
        raise SensorError("corrupt_image", f"{message.encoding} {height} x {width}: {error.err}") from error


def compressed_image(message: Any) -> NDArray[np.uint8]:
    """sensor_msgs/CompressedImage (JPEG, PNG, ...) -> [H, W, 3] RGB."""
    data = np.frombuffer(message.data, np.uint8)
    if not 0 < data.size <= MAX_IMAGE_BYTES:
        raise SensorError("corrupt_image", f"a compressed image of {data.size} bytes")
    try:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise SensorError("corrupt_image", f"cannot decode {message.format!r}: {error.err}") from error
    if pixels is None:
        raise SensorError("corrupt_image", f"cannot decode {data.size} bytes of {message.format!r}")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def vehicle_state(message: Any) -> tuple[VehicleState, list[SensorError]]:
    """mm_edge/VehicleState -> the state with absurd values made unknown, and what was wrong with each."""
    names = [field.name for field in fields(VehicleState)]
    return checked(VehicleState(**{name: getattr(message, name) for name in names}))


def checked(state: VehicleState) -> tuple[VehicleState, list[SensorError]]:
    """Values outside LIMITS become NaN (unknown), each with an error that names it."""
    errors = []
    unknown: dict[str, Any] = {}
    for name, (low, high) in LIMITS.items():
        value = float(getattr(state, name))
        if not math.isnan(value) and not low <= value <= high:
            unknown[name] = math.nan
            errors.append(SensorError("absurd_telemetry", f"{name} = {value:g} is outside [{low:g}, {high:g}]"))
    if math.isnan(state.speed_mps):
        errors.append(SensorError("nan_telemetry", "speed_mps is not a number: unknown"))
    return replace(state, **unknown), errors


def odometry(message: Any) -> tuple[VehicleState, list[SensorError]]:
    """nav_msgs/Odometry -> speed and yaw rate; the rest unknown."""
    twist = message.twist.twist
    return checked(VehicleState(speed_mps=float(twist.linear.x), yaw_rate_rps=float(twist.angular.z)))


def imu(message: Any) -> VehicleState:
    """sensor_msgs/Imu, in the vehicle's frame (REP-103) -> acceleration and yaw rate; the rest unknown."""
    state = VehicleState(
        acceleration_mps2=float(message.linear_acceleration.x), yaw_rate_rps=float(message.angular_velocity.z)
    )
    state, errors = checked(state)
    absurd = [error for error in errors if error.fault == "absurd_telemetry"]
    if absurd:
        raise absurd[0]
    return state


def audio(message: Any) -> NDArray[np.float32]:
    """mm_edge/AudioChunk -> mono float32 in [-1, 1] at AUDIO_RATE_HZ."""
    rate, channels = int(message.sample_rate_hz), int(message.channels)
    samples = np.asarray(message.samples, np.int16)
    if rate not in AUDIO_RATES_HZ or not 1 <= channels <= MAX_AUDIO_CHANNELS or samples.size % channels:
        raise SensorError("corrupt_audio", f"{samples.size} samples, {channels} channels at {rate} Hz")
    mono = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32) / np.float32(32768)
    return resample(mono, rate, AUDIO_RATE_HZ)


def resample(samples: NDArray[np.float32], rate_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Linear interpolation after a box filter as wide as one output sample: enough for loudness and pitch."""
    if rate_hz == to_hz or samples.size == 0:
        return samples
    width = max(1, round(rate_hz / to_hz))
    smooth = np.convolve(samples, np.ones(width, np.float32) / width, mode="same") if width > 1 else samples
    count = max(1, round(samples.size * to_hz / rate_hz))
    return np.interp(np.arange(count) * (rate_hz / to_hz), np.arange(samples.size), smooth).astype(np.float32)


def request(message: Any, default_deadline_ms: float, now_ns: int, name: str) -> Request:
    """mm_edge/AssistRequest -> Request.

    An unset stamp means now, an empty id becomes `name`, a zero deadline the default. Raises SensorError("bad_request",
    ...) when the text is empty or too long, or the deadline or stakes are impossible.
    """
    text, deadline_ms = str(message.text).strip(), float(message.deadline_ms)
    if not text:
        raise SensorError("bad_request", "the request is empty")
    if len(text) > MAX_REQUEST_CHARACTERS:
        raise SensorError("bad_request", f"the request has {len(text)} characters, at most {MAX_REQUEST_CHARACTERS}")
    if not 0 <= deadline_ms <= MAX_DEADLINE_MS:
        raise SensorError("bad_request", f"the deadline is {deadline_ms:g} ms")
    if message.stakes not in set(Stakes):
        raise SensorError("bad_request", f"stakes = {message.stakes} is none of STAKES_*")
    return Request(
        stamp_ns=stamp_ns(message.header) or now_ns,
        id=str(message.id) or name,
        text=text,
        deadline_ms=deadline_ms or default_deadline_ms,
        stakes=Stakes(message.stakes),
    )


def compute_state(message: Any) -> ComputeState:
    """mm_edge/ComputeState -> the core's; a share outside [0, 1] is unknown."""

    def share(name: str) -> float:
        value = float(getattr(message, name))
        return value if 0 <= value <= 1 else math.nan

    return ComputeState(
        stamp_ns=stamp_ns(message.header),
        device=str(message.device),
        cpu_load=share("cpu_load"),
        gpu_load=share("gpu_load"),
        memory_used=share("memory_used"),
        temperature_c=float(message.temperature_c),
        power_w=float(message.power_w),
        clock_ratio=share("clock_ratio"),
        gpu_clock_ratio=share("gpu_clock_ratio"),
        power_mode=str(message.power_mode),
        throttled=bool(message.throttled),
    )


def event(message: Any, now_ns: int, utc_offset_h: float) -> Event:
    """mm_edge/DriveEvent -> Event; an unset stamp means now.

    Raises SensorError("bad_event", ...) for an unknown kind, arguments that it does not take, or no usable name.
    """
    name, numbers = " ".join(str(message.name).split()), [float(number) for number in message.numbers]
    if len(name) > MAX_NAME_CHARACTERS or (name and not re.search(r"\w", name)):
        raise SensorError("bad_event", f"not a name: {name[:MAX_NAME_CHARACTERS]!r}")
    if not all(math.isfinite(number) for number in numbers):
        raise SensorError("bad_event", f"{str(message.kind)[:MAX_NAME_CHARACTERS]!r} with numbers that are none")
    time_s = time_of_day_s(stamp_ns(message.header) or now_ns, utc_offset_h)
    try:
        return Event(time_s, str(message.kind), name, tuple(round(number) for number in numbers))
    except ValueError as error:
        raise SensorError("bad_event", str(error)) from error
