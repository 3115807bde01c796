"""Recordings: what is put into them is in the file, at its time, even before its end."""

import contextlib
import re
import resource
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.errors import SinkError
from stream.live.output.recording import FileRecording, RecordingWriter, recordings_in

ROOM = {"video": 200, "audio": 200}
"""For everything that a test puts in, however slow the encoder."""


def video(index, size_wh=(128, 96), luma=100):
    width, height = size_wh
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = index * 3000, Fraction(1, 90_000)
    return frame


def audio(index):
    frame = av.AudioFrame.from_ndarray(np.full((1, 1920), 1000, np.int16), format="s16", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * index, Fraction(1, 48_000)
    return frame


def read(path):
    """(time, luma) of all video frames, and the seconds of audio."""
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / 48_000 if container.streams.audio else 0
    return frames, seconds


def test_a_recording_has_the_frames_at_their_times_and_the_audio(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", has_audio=True, capacity=ROOM)
    for index in range(60):
        recording.put(video(index), 10 + index / 30)
        recording.put_audio(audio(index), 10 + index / 50)
    recording.close()
    frames, seconds = read(tmp_path / "a.mkv")
    assert [at for at, _ in frames] == pytest.approx([k / 30 for k in range(60)], abs=0.01)
    assert seconds == pytest.approx(1.2, abs=0.2)


def test_a_jump_of_the_media_clock_is_none_in_the_file(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", has_audio=False, capacity=ROOM)
    for index in range(10):
        recording.put(video(index + (100_000 if index >= 5 else 0)), 10 + index / 30)
    recording.close()
    times = [at for at, _ in read(tmp_path / "a.mkv")[0]]
    assert times == pytest.approx([k / 30 for k in range(10)], abs=0.02)


def test_all_sizes_are_fitted_to_the_first(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", has_audio=False, capacity=ROOM)
    for index in range(10):
        recording.put(video(index, (128, 96) if index < 5 else (64, 96), luma=200), 10 + index / 30)
    recording.close()
    frames = [luma for _, luma in read(tmp_path / "a.mkv")[0]]
    assert {luma.shape for luma in frames} == {(96, 128)}
    assert frames[-1][48, [4, 64, 124]] == pytest.approx([0, 214, 0], abs=6), "black beside a narrower frame"


def test_what_is_written_can_be_played_before_the_end(tmp_path):
    """As after a crash: the file is copied while it is open."""
    writer = RecordingWriter(tmp_path / "a.mkv", has_audio=True)
    for index in range(150):
        writer.write(video(index), 10 + index / 30)
        writer.write(audio(index), 10 + index / 50)
    shutil.copy(tmp_path / "a.mkv", tmp_path / "b.mkv")
    writer.finish()
    frames, _ = read(tmp_path / "b.mkv")
    assert len(frames) > 75, "at most the last seconds are missing"
    assert len(read(tmp_path / "a.mkv")[0]) == 150


def test_what_the_encoder_is_too_slow_for_is_dropped_and_logged(tmp_path, caplog):
    frames = [video(index, (640, 480)) for index in range(60)]
    recording = FileRecording(tmp_path / "a.mkv", has_audio=False, capacity={"video": 1, "audio": 1})
    for index, frame in enumerate(frames):  # in less time than the encoder takes to be opened
        recording.put(frame, 10 + index / 30)
    recording.close()
    dropped = 60 - len(read(tmp_path / "a.mkv")[0])
    assert dropped > 0
    assert f"too slow for: {{'video': {dropped}}}" in caplog.text


def test_nothing_recorded_leaves_no_file(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", has_audio=True)
    recording.put_audio(audio(0), 10)
    recording.close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(SinkError, match="cannot be written"):
        FileRecording(tmp_path / "none" / "a.mkv", has_audio=True)
    (tmp_path / "a.mkv").touch()
    with pytest.raises(SinkError, match="File exists"):
        FileRecording(tmp_path / "a.mkv", has_audio=True)


def test_names_are_the_servers_own(tmp_path):
    recording = recordings_in(tmp_path)("0a1b2c", False)
    assert re.fullmatch(r"\d{8}-\d{6}-0a1b2c\.mkv", recording.path.name)
    recording.close()


@contextlib.contextmanager
def full_disk(size):
    """Files of this process cannot grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_ends_the_recording_and_is_reported_once(tmp_path, caplog):
    recording, reported = FileRecording(tmp_path / "a.mkv", has_audio=False, capacity=ROOM), []
    recording.when_failed(reported.append)
    noise = np.random.default_rng(1)
    with full_disk(30_000):
        for index in range(60):
            frame = video(index)
            frame.planes[0].update(noise.integers(0, 255, frame.planes[0].buffer_size, np.uint8))
            recording.put(frame, 10 + index / 30)
        recording.close()
    assert reported == ["The disk is full: the recording holds what was written so far"]
    assert "the recording a.mkv ends here: The disk is full" in caplog.text
    assert 0 < len(read(tmp_path / "a.mkv")[0]) < 60
