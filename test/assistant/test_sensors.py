"""From messages to what the model is shown, and what is wrong with the ones that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan, nan
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_edge.assistant import sensors
from mm_edge.assistant.request import Stakes
from mm_edge.assistant.sensors import SensorError

Make = Callable[..., Any]
ORANGE = (255, 128, 0)
"""RGB."""


def encoded(encoding: str, channels: tuple[int, ...]) -> dict[str, Any]:
    pixels = np.zeros((2, 4, len(channels)), np.uint8) + np.array(channels, np.uint8)
    return {"encoding": encoding, "height": 2, "width": 4, "step": 4 * len(channels), "data": pixels.tobytes()}


@pytest.mark.parametrize(
    ("encoding", "channels"),
    [
        ("rgb8", ORANGE),
        ("bgr8", ORANGE[::-1]),
        ("rgba8", (*ORANGE, 255)),
        ("bgra8", (*ORANGE[::-1], 255)),
    ],
)
def test_colours_keep_their_places(make: Make, encoding: str, channels: tuple[int, ...]) -> None:
    assert tuple(sensors.image(make("image", 1.0, **encoded(encoding, channels)))[1, 3]) == ORANGE


def test_grey_becomes_three_channels(make: Make) -> None:
    assert sensors.image(make("image", 1.0, **encoded("mono8", (70,)))).shape == (2, 4, 3)


def test_padding_at_the_end_of_rows_is_left_out(make: Make) -> None:
    rows = np.concatenate([np.full((2, 12), 9, np.uint8), np.full((2, 5), 255, np.uint8)], axis=1)
    picture = sensors.image(make("image", 1.0, height=2, width=4, step=17, data=rows.tobytes()))
    assert np.array_equal(picture, np.full((2, 4, 3), 9, np.uint8))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"encoding": "jpeg9000"}, "unknown_encoding"),
        ({"height": 0}, "corrupt_image"),
        ({"step": 1}, "corrupt_image"),
        ({"data": b"short"}, "corrupt_image"),
    ],
)
def test_a_picture_that_cannot_be(make: Make, fields: dict[str, Any], fault: str) -> None:
    with pytest.raises(SensorError) as caught:
        sensors.image(make("image", 1.0, **fields))
    assert caught.value.fault == fault


def test_a_jpeg(make: Make) -> None:
    _, data = cv2.imencode(".jpg", np.full((8, 8, 3), ORANGE[::-1], np.uint8))
    picture = sensors.compressed_image(make("image/compressed", 1.0, data=data.tobytes()))
    assert np.abs(picture[4, 4].astype(int) - ORANGE).max() < 12


@given(st.binary(max_size=200))
def test_noise_is_no_picture(data: bytes) -> None:
    class Message:
        format = "jpeg"

    message = Message()
    message.data = data  # type: ignore[attr-defined]
    with pytest.raises(SensorError) as caught:
        sensors.compressed_image(message)
    assert caught.value.fault == "corrupt_image"


@pytest.mark.parametrize("value", [4000.0, -inf, inf])
def test_absurd_telemetry_is_unknown_and_named(make: Make, value: float) -> None:
    state, errors = sensors.vehicle_state(make("vehicle_state", 1.0, speed_mps=value))
    assert isnan(state.speed_mps)
    assert state.gear == 4
    assert "speed_mps" in str(errors[0])


def test_unknown_telemetry_stays_unknown(make: Make) -> None:
    state, errors = sensors.vehicle_state(make("vehicle_state", 1.0, speed_mps=nan))
    assert isnan(state.speed_mps)
    assert [error.fault for error in errors] == ["nan_telemetry"]


def test_sound_is_mixed_to_one_channel_at_the_models_rate(make: Make) -> None:
    stereo = np.stack([np.full(4800, 16384), np.full(4800, 0)], axis=1).astype(np.int16).ravel()
    heard = sensors.audio(make("audio", 1.0, sample_rate_hz=48_000, channels=2, samples=stereo))
    assert heard.size == 1600
    assert heard[800] == pytest.approx(0.25)


@pytest.mark.parametrize("fields", [{"sample_rate_hz": 3}, {"channels": 0}, {"channels": 7, "samples": np.zeros(9)}])
def test_sound_that_cannot_be(make: Make, fields: dict[str, Any]) -> None:
    with pytest.raises(SensorError, match="samples"):
        sensors.audio(make("audio", 1.0, **fields))


def test_what_a_request_leaves_open_is_filled_in(make: Make) -> None:
    message = make("request", 0.0, id="", text="  what is ahead ", deadline_ms=0.0)
    request = sensors.request(message, default_deadline_ms=400.0, now_ns=77, name="request-1")
    assert (request.stamp_ns, request.id, request.text) == (77, "request-1", "what is ahead")
    assert (request.deadline_ms, request.stakes) == (400.0, Stakes.NORMAL)
    assert request.due_ns == 77 + 400_000_000


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"text": " \n"}, "empty"),
        ({"text": "a" * 100_000}, "100000 characters"),
        ({"deadline_ms": -1.0}, "deadline"),
        ({"deadline_ms": inf}, "deadline"),
        ({"deadline_ms": 1e13}, "deadline"),
        ({"stakes": 9}, "stakes"),
    ],
)
def test_an_impossible_request(make: Make, fields: dict[str, Any], cause: str) -> None:
    with pytest.raises(SensorError, match=cause):
        sensors.request(make("request", 1.0, **fields), 500.0, 1, "r")


@pytest.mark.parametrize(
    ("fields", "kind", "name", "numbers"),
    [
        ({}, "call", "Anna", (12,)),
        ({"name": "  Aunt \n Mary ", "numbers": [2.6]}, "call", "Aunt Mary", (3,)),
        ({"kind": "tunnel", "name": "", "numbers": []}, "tunnel", "", ()),
        ({"kind": "route", "name": "Bern", "numbers": [120.0, 95.0]}, "route", "Bern", (120, 95)),
    ],
)
def test_an_event_is_what_was_told(make: Make, fields: dict[str, Any], kind: str, name: str, numbers: Any) -> None:
    event = sensors.event(make("event", 3661.0, **fields), 0, utc_offset_h=0.0)
    assert (event.time_s, event.kind, event.name, event.numbers) == (3661.0, kind, name, numbers)


@pytest.mark.parametrize(("offset_h", "time_s"), [(0.0, 23 * 3600.0), (2.0, 3600.0), (-3.5, 19.5 * 3600)])
def test_an_event_has_local_time(make: Make, offset_h: float, time_s: float) -> None:
    assert sensors.event(make("event", 86_400 * 3 + 23 * 3600.0), 0, offset_h).time_s == time_s


def test_an_event_without_a_stamp_is_now(make: Make) -> None:
    assert sensors.event(make("event", 0.0), 7_000_000_000, 0.0).time_s == 7.0


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "sneeze"},
        {"kind": ""},
        {"name": ""},
        {"name": "..."},
        {"name": "@="},
        {"name": "a" * 81},
        {"numbers": []},
        {"numbers": [1.0, 2.0]},
        {"numbers": [nan]},
        {"numbers": [inf]},
        {"kind": "tunnel", "numbers": []},
    ],
)
def test_an_event_that_cannot_be_is_named(make: Make, fields: dict[str, Any]) -> None:
    with pytest.raises(SensorError) as caught:
        sensors.event(make("event", 1.0, **fields), 0, 0.0)
    assert caught.value.fault == "bad_event"
