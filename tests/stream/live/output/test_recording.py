"""Sessions recorded to files on the server."""

import asyncio
import re
import shutil
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.errors import SinkError
from stream.live.controls import Controls
from stream.live.output.recording import FileRecording, recordings_in
from tests.stream.live.webrtc.test_publication import Beeps, plain
from tests.stream.live.webrtc_clients import Camera, page_client, running, until, whip_client

pytestmark = pytest.mark.timeout(120)


def picture(index, size_wh=(128, 96), luma=100):
    made = av.VideoFrame.from_ndarray(plain(luma, size_wh), format="yuv420p")
    made.pts, made.time_base = index * 3000, Fraction(1, 90_000)
    return made


def sound(index):
    made = av.AudioFrame.from_ndarray(np.full((1, 1920), 1000, np.int16), format="s16", layout="stereo")
    made.sample_rate, made.pts, made.time_base = 48_000, 960 * index, Fraction(1, 48_000)
    return made


def fill(recording, frames=60, **options):
    """Two seconds in their own pace, as fast as the encoder takes them."""
    for index in range(frames):
        recording.put(picture(index, **options), 10 + index / 30)
        recording.put_audio(sound(index), 10 + index / 50)
        time.sleep(0.005)


def read(path):
    with av.open(str(path)) as container:
        pictures = [(frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        seconds = sum(frame.samples for frame in container.decode(audio=0)) / 48_000 if container.streams.audio else 0
    return pictures, seconds


def test_a_recording_has_the_pictures_at_their_times_and_the_sound(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", sound=True)
    fill(recording)
    recording.close()
    pictures, seconds = read(tmp_path / "a.mkv")
    assert len(pictures) >= 50
    assert pictures[0][0] == pytest.approx(0, abs=0.01)
    assert pictures[-1][0] == pytest.approx(59 / 30, abs=0.01)
    assert seconds == pytest.approx(1.2, abs=0.2)


def test_a_jump_of_the_media_clock_is_none_in_the_file(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", sound=False)
    for index in range(10):
        recording.put(picture(index + (100_000 if index >= 5 else 0)), 10 + index / 30)
        time.sleep(0.02)
    recording.close()
    times = [at for at, _ in read(tmp_path / "a.mkv")[0]]
    assert times[-1] == pytest.approx(9 / 30, abs=0.02)
    assert times == sorted(set(times))


def test_all_sizes_go_onto_the_first(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", sound=False)
    for index in range(10):
        recording.put(picture(index, (128, 96) if index < 5 else (64, 96), luma=200), 10 + index / 30)
        time.sleep(0.02)
    recording.close()
    pictures = [p for _, p in read(tmp_path / "a.mkv")[0]]
    assert {p.shape for p in pictures} == {(96, 128)}
    assert pictures[-1][48, [4, 64, 124]] == pytest.approx([0, 214, 0], abs=6), "black beside a narrower picture"


def test_what_is_written_can_be_played_before_the_end(tmp_path):
    """As after a crash: the file is copied while it grows."""
    recording = FileRecording(tmp_path / "a.mkv", sound=True)
    fill(recording, frames=150)
    deadline = time.monotonic() + 30
    while True:
        shutil.copy(tmp_path / "a.mkv", tmp_path / "b.mkv")
        if (tmp_path / "b.mkv").stat().st_size > 2000:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    pictures, _ = read(tmp_path / "b.mkv")
    recording.close()
    assert len(pictures) > 30


def test_nothing_recorded_leaves_no_file(tmp_path):
    recording = FileRecording(tmp_path / "a.mkv", sound=True)
    recording.put_audio(sound(0), 10)
    recording.close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(SinkError, match="cannot be written"):
        FileRecording(tmp_path / "none" / "a.mkv", sound=True)
    (tmp_path / "a.mkv").touch()
    with pytest.raises(SinkError, match="File exists"):
        FileRecording(tmp_path / "a.mkv", sound=True)


def test_names_are_the_servers_own(tmp_path):
    make = recordings_in(tmp_path)
    recording = make("Ab-_xyz", False)
    assert re.fullmatch(r"\d{8}-\d{6}-Ab-_\.mkv", recording.path.name)
    recording.close()


@pytest.mark.parametrize("client", ["page", "whip"])
def test_a_session_is_recorded_where_it_asks(running_classifier, tmp_path, client):
    async def go():
        options = {"make_recording": recordings_in(tmp_path), "controls": Controls(alpha=1.0)}
        async with running(running_classifier, **options) as server:
            tracks = Camera([plain(100)]), Beeps(period=1)
            if client == "page":
                async with page_client(server, *tracks, record=True) as page:
                    await page.video.wait(lambda r: r.count > 40)
            else:
                async with whip_client(server, *tracks, path="/whip?record=1") as publisher:
                    (session,) = server.sessions.publications.values()
                    await until(lambda: session.snapshot().frames_out >= 40)
                    await server.call("DELETE", publisher.location)

    asyncio.run(asyncio.wait_for(go(), 60))
    (path,) = tmp_path.iterdir()
    pictures, seconds = read(path)
    assert len(pictures) > 20
    assert pictures[-1][1].mean() == pytest.approx(200, abs=6), "coloured: neutral's gray"
    assert seconds > 0.5


def test_a_session_that_does_not_ask_is_not_recorded(running_classifier, tmp_path):
    async def go():
        async with (
            running(running_classifier, make_recording=recordings_in(tmp_path)) as server,
            page_client(server, Camera([plain(100)])) as page,
        ):
            await page.video.wait(lambda r: r.count > 5)

    asyncio.run(asyncio.wait_for(go(), 60))
    assert list(tmp_path.iterdir()) == []
