"""An opened input: from TCP, HTTP and files; what it sends, and how it ends."""

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
from stream.live.capture.connection import CapturedFrame, Connection, Lag, LoginRefused, Pace
from stream.live.capture.inputs import parse_input
from stream.live.clock import StopSignal
from stream.live.media_clock import TICK, MediaClock
from stream.media.source import SourceOptions, VideoSource
from tests.stream.live.manual_clock import JumpingClock, ManualClock
from tests.stream.live.rtsp_server import RtspServer
from tests.stream.live.stream_server import RATE, StreamServer, gray_frame, make_stream
from tests.stream.media.clip_io import with_empty_packets, with_late_audio

SECONDS = 2
PATIENCE_S = 30


@pytest.fixture(scope="module")
def stream():
    return make_stream(SECONDS)


def read(source, *, limit=10_000, **more):
    """Frames and audio packets, all or the first ones."""
    connection = Connection(source, MediaClock(), **more)
    items = []
    try:
        for item in connection.read():
            items.append(item)
            if len(items) == limit:
                connection.stop()
    finally:
        connection.close()
    return [i for i in items if isinstance(i, CapturedFrame)], [i for i in items if isinstance(i, AudioPacket)]


@pytest.mark.parametrize("http", [False, True])
def test_a_network_stream_has_video_and_audio_on_one_timeline(stream, http):
    with StreamServer(stream, SECONDS, http=http) as server:
        frames, packets = read(parse_input(server.url))
    times = [captured.frame.time for captured in frames]
    assert len(times) == SECONDS * 25
    assert np.diff(times) == pytest.approx(1 / 25, abs=1e-3)
    assert times[0] == pytest.approx(0, abs=0.1)
    assert packets[-1].time == pytest.approx(times[-1], abs=0.1)
    assert all(captured.frame.time_base == TICK for captured in frames)
    arrivals = [captured.received_at for captured in frames]
    assert arrivals == sorted(arrivals)
    assert np.median(frames[10].frame.luma) == pytest.approx(120, abs=2)


def test_a_peer_that_falls_silent_is_noticed(stream):
    with StreamServer(stream, SECONDS, silent_after=1.6) as server:
        source = replace(parse_input(server.url), timeout_s=1.0)
        with pytest.raises(SourceError, match=r"sent nothing for 1 s"):
            read(source)


@pytest.mark.parametrize("scheme", ["tcp", "http", "rtsp", "rtmp"])
def test_a_peer_that_never_sends_anything_is_given_up(scheme):
    with StreamServer(b"x" * 1000, 1, silent_after=0) as server:
        source = replace(parse_input(f"{scheme}://127.0.0.1:{server.port}/live/x"), timeout_s=0.5)
        with pytest.raises(SourceError, match="in time"):
            Connection(source, MediaClock())


def test_nobody_listens():
    with StreamServer(b"", 1) as server:
        url = server.url
    with pytest.raises(SourceError, match=rf"Cannot read {url}: the connection was refused"):
        Connection(parse_input(url), MediaClock())


def test_a_file_comes_at_its_own_pace(make_clip):
    frames, _ = read(parse_input(str(make_clip(frames=25))), clock=JumpingClock(100.0))
    assert len(frames) == 25
    assert [captured.received_at for captured in frames] == pytest.approx([100 + k / 25 for k in range(25)])


def test_empty_packets_neither_end_the_input_nor_count_as_frames(make_clip, tmp_path):
    path = tmp_path / "repeats.nut"
    with_empty_packets(make_clip("clip.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=12), path, every=3)
    frames, _ = read(parse_input(str(path)), clock=JumpingClock())
    assert [round(captured.frame.time * 25) for captured in frames] == [0, 1, 3, 4, 6, 7, 9, 10]


def test_a_stream_that_appears_in_mid_file_is_named(make_clip, tmp_path):
    audio = {"codec": "libmp3lame", "rate": 44100, "parts": 80}
    path = with_late_audio(make_clip("whole.flv", frames=50, audio=[audio]), tmp_path / "late.flv")
    warnings = []
    source = parse_input(str(path), options=SourceOptions(probesize=1000))
    frames, packets = read(source, warn=warnings.append, clock=JumpingClock())
    assert (len(frames), packets) == (50, [])
    (warning,) = warnings
    assert "only in mid-file and is left out (Audio: mp3" in warning


def test_frames_that_are_too_large_end_the_input(make_clip, tmp_path):
    small, large = make_clip("a.h264", frames=12), make_clip("b.h264", frames=3, size_wh=(128, 96))
    with pytest.raises(SourceError, match=r"is 128x96, more than 3072 pixels.*option input\.max_pixels to 12288"):
        Connection(parse_input(str(large), options=SourceOptions(max_pixels=64 * 48)), MediaClock())
    grows = tmp_path / "grows.h264"
    grows.write_bytes(small.read_bytes() + large.read_bytes())
    source, frames = parse_input(str(grows), options=SourceOptions(max_pixels=64 * 48)), []
    connection = Connection(source, MediaClock(), clock=JumpingClock())
    with pytest.raises(SourceError, match=r"is 128x96, more than 3072 pixels"):
        frames.extend(connection.read())
    connection.close()
    assert len(read(parse_input(str(grows)), clock=JumpingClock())[0]) == 15


def test_a_frame_is_refused_before_it_is_allocated(cases):
    connection = Connection(parse_input(str(cases / "broken/max_pixels_bypass_grow.h264")), MediaClock())
    with pytest.raises(SourceError, match="is 16384x8192, more than 9437184 pixels"):
        list(connection.read())
    connection.close()


def test_a_late_frame_is_not_made_up_for():
    clock = JumpingClock()
    pace, stop = Pace(clock), StopSignal(clock)
    assert pace.wait(7.0, stop) == 0
    assert pace.wait(8.0, stop) == 1
    clock.advance(5.0)
    assert pace.wait(9.0, stop) == 6
    assert pace.wait(10.0, stop) == pytest.approx(7), "its distance from the late one stays"


def test_waiting_until_a_frame_is_due_can_be_ended(make_clip):
    clip = make_clip(times=[0, 12800 * 60], options={"bf": "0"})  # the second frame is a minute away
    clock = ManualClock()
    connection, frames = Connection(parse_input(str(clip)), MediaClock(), clock=clock), []
    reader = threading.Thread(target=lambda: frames.extend(connection.read()))
    reader.start()
    clock.wait_for_sleepers()
    connection.stop()
    reader.join(PATIENCE_S)
    assert [round(captured.frame.time) for captured in frames] == [0, 60]
    connection.close()


def test_an_input_without_timestamps_is_timed_by_its_arrival():
    """Motion JPEG, as many cameras send it, has no timestamps; here it comes at a quarter of FFmpeg's assumed rate."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mpjpeg") as container:
        video = container.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 160, 120, "yuvj420p"
        for index in range(40):
            container.mux(video.encode(gray_frame(index, (160, 120), 120)))
    with StreamServer(memory.getvalue(), 6.4) as server:
        frames, _ = read(parse_input(server.url), limit=38)
    first, last = frames[-10], frames[-1]  # what FFmpeg probes to find the streams comes in a burst
    passed = last.received_at - first.received_at
    assert passed > 2 * 9 / 25
    assert last.frame.time - first.frame.time == pytest.approx(passed, abs=0.1)


def test_frames_come_upright_with_their_aspect_ratio(make_clip):
    clip = make_clip("turned.mp4", frames=2, size_wh=(64, 48), turn=90, sample_aspect_ratio=Fraction(4, 3))
    frames, _ = read(parse_input(str(clip)), clock=JumpingClock())
    frame = frames[0].frame
    assert frame.size_wh == (48, 64)
    assert frame.rotation == 0
    assert frame.sample_aspect == Fraction(3, 4)
    source = VideoSource(str(clip))
    stored = next(source.units()).frame
    assert source.info.rotation in (90, 270)
    for plane, expected in zip(frame.planes, stored.planes, strict=True):
        assert np.array_equal(plane, np.rot90(expected, -source.info.rotation // 90))
    source.close()


def test_missing_colour_tags_are_written_down(make_clip):
    """So that a frame that is downscaled later is not taken for another standard's."""
    frames, _ = read(parse_input(str(make_clip(frames=1, size_wh=(1280, 720)))))
    decoded = frames[0].frame.handle
    assert (int(decoded.colorspace), int(decoded.color_range)) == (1, 1)
    assert frames[0].frame.color.matrix == "bt709"


def test_an_input_without_video_is_refused(make_clip, tmp_path):
    clip = make_clip("clip.mkv", audio=[{"codec": "aac", "parts": 4}])
    with av.open(str(clip)) as whole, av.open(str(tmp_path / "tone.mka"), "w", format="matroska") as tone:
        stream = tone.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                tone.mux(packet)
    with pytest.raises(SourceError, match="no video that can be decoded"):
        Connection(parse_input(str(tmp_path / "tone.mka")), MediaClock())


def test_a_camera_that_cannot_be_opened_is_explained(tmp_path):
    """A plain file in place of the device, since there may be no camera."""
    device = tmp_path / "video0"
    device.write_bytes(b"")
    source = replace(parse_input("-"), location=str(device), kind="camera", format="video4linux2,v4l2")
    with pytest.raises(SourceError, match=r"Cannot open the camera .*video0: .* another program may use it"):
        Connection(source, MediaClock())
    device.unlink()
    with pytest.raises(SourceError, match="it is gone"):
        Connection(source, MediaClock())


def test_lag_is_what_waits_in_buffers():
    lag = Lag()
    assert [lag.update(t, t + 5) for t in (0, 1, 2)] == [0, 0, 0], "a constant transit time is no lag"
    assert lag.update(3, 8.7) == pytest.approx(0.7), "it was read late, and more was there already"
    assert lag.update(4, 9.2) == pytest.approx(0.2)
    lag.waited(0.5)
    assert lag.update(5, 10.9) == 0, "it came late: nothing else was there"
    assert lag.update(6, 12.1) == pytest.approx(0.2)
    assert lag.update(7, 12.5) == 0, "sooner than ever"


def test_a_reader_that_is_too_slow_skips_to_catch_up():
    """At the twelfth frame two seconds pass, as with a slow decoder; what was sent meanwhile waits in the buffers."""
    seconds, skipped, clock = 5, [], ManualClock()
    with StreamServer(make_stream(seconds, audio=False), seconds, real_time=False) as server:
        connection = Connection(parse_input(server.url), MediaClock(), skipped=skipped.append, clock=clock)
        times = []
        for item in connection.read():
            times.append(item.frame.time)
            if len(times) <= 12:
                clock.advance(1 / RATE if len(times) < 12 else 2.2)
        connection.close()
    assert 10 <= sum(skipped) <= 60
    assert len(times) + sum(skipped) >= seconds * 25 - 2
    assert np.diff(times[-10:]) == pytest.approx(1 / 25, abs=2e-3), "it has caught up, and decodes every frame again"


@pytest.mark.parametrize("udp_only", [False, True])
def test_a_camera_is_read_over_tcp_or_where_it_refuses_that_over_udp(udp_only):
    with RtspServer(udp_only=udp_only) as server:
        frames, _ = read(parse_input(server.url()), limit=20)
    assert len(frames) == 20
    assert np.median(frames[-1].frame.luma) == pytest.approx(120, abs=2)


@pytest.mark.parametrize("silent_after", [0, 30])
def test_a_silent_camera_is_lost_after_the_timeout_and_not_after_two(silent_after):
    """FFmpeg's RTSP hands out what it still holds where a read is given up, or opens what sends nothing, and waits
    anew.
    """
    with RtspServer(silent_after=silent_after) as server:
        source = replace(parse_input(server.url()), timeout_s=2.0)
        with pytest.raises(SourceError, match="sent nothing for 2 s"):
            read(source)
        lasted_s = time.monotonic() - server.silent_at
    assert lasted_s < 3.8


@pytest.mark.parametrize("login", ["", "me:wrong@"])
def test_a_refused_login_is_told_as_such(login):
    with RtspServer(login=("me", "right")) as server:
        with pytest.raises(LoginRefused, match=r"refuses the login\. Check user and password") as caught:
            Connection(parse_input(server.url(login)), MediaClock())
        assert "wrong" not in str(caught.value)
        frames, _ = read(parse_input(server.url("me:right@")), limit=5)
    assert len(frames) == 5
