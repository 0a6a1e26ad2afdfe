"""Speech as sound files: every sentence where it was due on the drive's time line, whatever its stamps say."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mm_edge.bags.build import build, header
from mm_edge.errors import UserError
from mm_edge.report.recording import AUDIO, Recording
from mm_edge.report.speech import mix, write_speech

START_NS, RATE_HZ = 10**18, 1000
FULL = 32767


def piece(at_s: float, samples: Any, name: str = "u1") -> Any:
    """A SpeechAudio message whose first sample is due `at_s` after the start."""
    values = {"header": header(START_NS + round(at_s * 1e9)), "utterance_id": name, "sample_rate_hz": RATE_HZ}
    return build("mm_edge/msg/SpeechAudio", {**values, "channels": 1, "samples": np.asarray(samples, np.int16)})


def tone(value: int, seconds: float = 0.1) -> NDArray[np.int16]:
    return np.full(round(seconds * RATE_HZ), value, np.int16)


def recording(*pieces: Any, duration_s: float = 2.0) -> Recording:
    return Recording(Path("drive.mcap"), START_NS, duration_s, {AUDIO: [(0.0, made) for made in pieces]})


def mixed(*pieces: Any, duration_s: float = 2.0) -> NDArray[np.int16]:
    return mix(recording(*pieces, duration_s=duration_s), list(pieces))


def read(path: Path) -> tuple[int, NDArray[np.int16]]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")


def test_sentences_lie_at_their_time_and_the_rest_is_silent() -> None:
    track = mixed(piece(0.5, tone(100)), piece(1.2, tone(200)))

    assert len(track) == 2 * RATE_HZ
    assert (track[500:600] == 100).all()
    assert (track[1200:1300] == 200).all()
    assert np.count_nonzero(track) == 200


def test_speech_that_outlasts_the_drive_makes_the_track_longer() -> None:
    track = mixed(piece(1.95, tone(100)))

    assert len(track) == 2050
    assert (track[1950:] == 100).all()


def test_where_pieces_overlap_the_later_one_is_heard_and_nothing_wraps_around() -> None:
    track = mixed(piece(0.5, tone(FULL)), piece(0.55, tone(FULL // 2)))

    assert (track[500:550] == FULL).all()
    assert (track[550:650] == FULL // 2).all()
    assert track.min() == 0


def test_full_scale_is_kept() -> None:
    samples = np.array([-32768, 32767, 0, -1], np.int16)

    assert (mixed(piece(1.0, samples))[1000:1004] == samples).all()


def test_speech_from_before_the_drive_is_left_out() -> None:
    track = mixed(piece(-1.0, tone(100)), piece(1.0, tone(200)))

    assert (len(track), np.count_nonzero(track)) == (2 * RATE_HZ, 100)


def test_an_unset_stamp_does_not_cost_the_track() -> None:
    track = mixed(piece(1.0, tone(200)), piece(-START_NS / 1e9, tone(100)))

    assert (len(track), np.count_nonzero(track)) == (2 * RATE_HZ, 100)


def test_a_stamp_of_another_clock_does_not_cost_the_track() -> None:
    three_years_s = 1e8

    track = mixed(piece(1.0, tone(200)), piece(three_years_s, tone(100)))

    assert len(track) < 60 * RATE_HZ
    assert (track[1000:1100] == 200).all()


def test_every_sentence_is_a_file_and_all_of_it_is_one(tmp_path: Path) -> None:
    said = recording(piece(0.1, tone(1), "alert-1"), piece(0.2, tone(2), "alert-1"), piece(1.0, tone(3), "answer-2"))

    written = write_speech(said, tmp_path)

    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "speech/001-alert-1.wav", "speech/002-answer-2.wav", "speech.wav"
    ]  # fmt: skip
    rate_hz, first = read(written[0])
    assert rate_hz == RATE_HZ
    assert first.tolist() == [1] * 100 + [2] * 100
    assert len(read(tmp_path / "speech.wav")[1]) == 2 * RATE_HZ


def test_files_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    write_speech(recording(piece(0.1, tone(1), "a"), piece(0.5, tone(1), "b")), tmp_path)
    write_speech(recording(piece(0.1, tone(1), "c")), tmp_path)

    assert [path.name for path in (tmp_path / "speech").iterdir()] == ["001-c.wav"]


def test_a_name_from_outside_stays_in_its_folder(tmp_path: Path) -> None:
    written = write_speech(recording(piece(0.1, tone(1), "../../etc/x" + "y" * 300)), tmp_path / "out")

    assert written[0].parent == tmp_path / "out" / "speech"
    assert written[0].exists()


@pytest.mark.parametrize("pieces", [(), (piece(0.0, []),)], ids=["no speech", "only an empty last piece"])
def test_without_speech_nothing_is_written(pieces: tuple[Any, ...], tmp_path: Path) -> None:
    assert write_speech(recording(*pieces), tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(UserError, match="taken: speech cannot be written"):
        write_speech(recording(piece(0.1, tone(1))), tmp_path / "taken")
