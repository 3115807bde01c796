"""An opened input: from TCP, HTTP and files; what it gives, and how it ends."""

import io
import threading
import time
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.errors import SourceError
from stream.live.audio import AudioPacket
from stream.live.capture.connection import Captured, Connection, Lag
from stream.live.capture.inputs import parse_input
from stream.live.media_clock import TICK, MediaClock
from stream.media.source import VideoSource
from tests.stream.live.stream_server import StreamServer, gray_picture, make_stream

SECONDS = 2


@pytest.fixture(scope="module")
def stream():
    return make_stream(SECONDS)


def read(source, *, most=10_000, clock=None, **more):
    """Pictures and sound, all or the first ones."""
    connection = Connection(source, clock or MediaClock(), **more)
    items = []
    try:
        for item in connection.read():
            items.append(item)
            if len(items) == most:
                connection.stop()
    finally:
        connection.close()
    return [i for i in items if isinstance(i, Captured)], [i for i in items if isinstance(i, AudioPacket)]


@pytest.mark.parametrize("http", [False, True])
def test_a_network_stream_gives_pictures_and_sound_on_one_timeline(stream, http):
    with StreamServer(stream, SECONDS, http=http) as server:
        pictures, sounds = read(parse_input(server.url))
    times = [captured.frame.time for captured in pictures]
    assert len(times) == SECONDS * 25
    assert np.diff(times) == pytest.approx(1 / 25, abs=1e-3)
    assert times[0] == pytest.approx(0, abs=0.1)
    assert sounds[-1].time == pytest.approx(times[-1], abs=0.1)
    assert all(captured.frame.time_base == TICK for captured in pictures)
    arrivals = [captured.received_at for captured in pictures]
    assert arrivals == sorted(arrivals)
    assert np.median(pictures[10].frame.luma) == pytest.approx(120, abs=2)


def test_a_peer_that_falls_silent_is_noticed(stream):
    with StreamServer(stream, SECONDS, silent_after=1.6) as server:
        source = replace(parse_input(server.url), silence_s=1.0)
        with pytest.raises(SourceError, match=r"sent nothing for 1 s"):
            read(source)


@pytest.mark.parametrize("scheme", ["tcp", "http", "rtsp", "rtmp"])
def test_a_peer_that_never_speaks_is_given_up(scheme):
    with StreamServer(b"x" * 1000, 1, silent_after=0) as server:
        source = replace(parse_input(f"{scheme}://127.0.0.1:{server.port}/live/x"), silence_s=0.5)
        began = time.monotonic()
        with pytest.raises(SourceError, match="in time"):
            Connection(source, MediaClock())
        assert time.monotonic() - began < 10


def test_nobody_listens():
    with StreamServer(b"", 1) as server:
        url = server.url
    with pytest.raises(SourceError, match=rf"Cannot read {url}: the connection was refused"):
        Connection(parse_input(url), MediaClock())


def test_a_file_comes_at_its_own_pace(make_clip):
    began = time.monotonic()
    pictures, _ = read(parse_input(str(make_clip(frames=25))))
    assert len(pictures) == 25
    assert time.monotonic() - began >= 24 / 25 - 0.01
    for captured in pictures[1:]:
        due = captured.frame.time - pictures[0].frame.time + pictures[0].received_at
        assert captured.received_at >= due - 0.001


def test_waiting_for_the_time_of_a_picture_can_be_ended(make_clip):
    clip = make_clip(times=[0, 12800 * 60], options={"bf": "0"})  # the second picture is a minute away
    connection = Connection(parse_input(str(clip)), MediaClock())
    threading.Timer(0.2, connection.stop).start()
    began = time.monotonic()
    pictures = list(connection.read())
    assert time.monotonic() - began < 20
    assert [round(captured.frame.time) for captured in pictures] == [0, 60]
    connection.close()


def test_an_input_without_times_is_timed_by_its_coming():
    """Motion JPEG, as many cameras send it, says nothing of time; here it comes at a quarter of FFmpeg's guess."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mpjpeg") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 160, 120, "yuvj420p"
        for index in range(40):
            container.mux(video.encode(gray_picture(index, (160, 120), 120)))
    with StreamServer(memory.getvalue(), 6.4) as server:
        pictures, _ = read(parse_input(server.url), most=38)
    first, last = pictures[-10], pictures[-1]  # what FFmpeg looks through to find the streams comes in a burst
    passed = last.received_at - first.received_at
    assert passed > 2 * 9 / 25
    assert last.frame.time - first.frame.time == pytest.approx(passed, abs=0.1)


def test_pictures_come_upright_with_square_meaning(make_clip):
    clip = make_clip("turned.mp4", frames=2, size_wh=(64, 48), turn=90, sample_aspect_ratio=Fraction(4, 3))
    pictures, _ = read(parse_input(str(clip)))
    frame = pictures[0].frame
    assert frame.size_wh == (48, 64)
    assert frame.rotation == 0
    assert frame.sample_aspect == Fraction(3, 4)
    source = VideoSource(str(clip))
    stored = next(source.units()).frame
    assert source.facts.rotation in (90, 270)
    for plane, expected in zip(frame.planes, stored.planes, strict=True):
        assert np.array_equal(plane, np.rot90(expected, -source.facts.rotation // 90))
    source.close()


def test_colours_are_told_even_where_the_input_is_silent(make_clip):
    """So that a picture made smaller is not taken for another standard's."""
    pictures, _ = read(parse_input(str(make_clip(frames=1, size_wh=(1280, 720)))))
    picture = pictures[0].frame.handle
    assert (int(picture.colorspace), int(picture.color_range)) == (1, 1)
    assert pictures[0].frame.color.matrix == "bt709"


def test_an_input_without_pictures_is_refused(make_clip, tmp_path):
    clip = make_clip("clip.mkv", audio=[{"codec": "aac", "parts": 4}])
    with av.open(str(clip)) as whole, av.open(str(tmp_path / "sound.mka"), "w", format="matroska") as sound:
        stream = sound.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                sound.mux(packet)
    with pytest.raises(SourceError, match="no video that can be decoded"):
        Connection(parse_input(str(tmp_path / "sound.mka")), MediaClock())


def test_a_camera_that_cannot_be_opened_says_why(tmp_path):
    """A plain file in place of the device, since there may be no camera."""
    device = tmp_path / "video0"
    device.write_bytes(b"")
    source = replace(parse_input("-"), location=str(device), kind="camera", format="video4linux2,v4l2")
    with pytest.raises(SourceError, match=r"Cannot open the camera .*video0: .* another program may use it"):
        Connection(source, MediaClock())
    device.unlink()
    with pytest.raises(SourceError, match="it is gone"):
        Connection(source, MediaClock())


def test_lag_is_what_is_left_waiting():
    lag = Lag()
    assert [lag.update(t, t + 5) for t in (0, 1, 2)] == [0, 0, 0], "a constant delay is no lag"
    assert lag.update(3, 8.7) == pytest.approx(0.7), "it was read late, and more was there already"
    assert lag.update(4, 9.2) == pytest.approx(0.2)
    lag.waited(0.5)
    assert lag.update(5, 10.9) == 0, "it came late: nothing else was there"
    assert lag.update(6, 12.1) == pytest.approx(0.2)
    assert lag.update(7, 12.5) == 0, "sooner than ever"


def test_a_reader_that_is_too_slow_skips_to_catch_up():
    """It sleeps as a slow decoder would; the stream goes on meanwhile in the buffers between."""
    seconds, skipped = 5, []
    with StreamServer(make_stream(seconds, sound=False), seconds) as server:
        connection = Connection(parse_input(server.url), MediaClock(), skipped=skipped.append)
        times = []
        for item in connection.read():
            if len(times) == 12:
                time.sleep(2.2)
            times.append(item.frame.time)
        connection.close()
    assert sum(skipped) >= 10
    assert len(times) + sum(skipped) >= seconds * 25 - 2
    assert np.diff(times[-10:]) == pytest.approx(1 / 25, abs=2e-3), "it has caught up, and shows every picture again"
