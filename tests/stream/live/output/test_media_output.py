"""What outputs leave behind: files that survive a crash, pipes, streams sent to a server."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.errors import SinkError
from stream.live.audio import AudioFormat, AudioPacket
from stream.live.media_clock import TICK
from stream.live.output.canvas import Canvas
from stream.live.output.destinations import parse_output
from stream.live.output.h264 import EncoderOptions
from stream.live.output.media_output import BytePipe, MediaOutput
from stream.live.output.queued_output import OutputFormat
from stream.media.frames import frame_from_av
from tests.stream.live.stream_server import gray_frame

SIZE = (160, 120)
RATE = Fraction(25)
START_S = 3
QUICK = EncoderOptions(preset="ultrafast")


def frames(count, size_wh=SIZE):
    """Frames on a canvas, from three seconds on."""
    drawn = []
    for index in range(count):
        frame = frame_from_av(
            gray_frame(index, size_wh, 120), pts=round((START_S + index / RATE) / TICK), time_base=TICK
        )
        drawn.append(Canvas.of(frame).draw(frame))
    return drawn


def write_all(output, drawn):
    for frame in drawn:
        output.write(frame)


def output_format(audio=None, size_wh=SIZE):
    return OutputFormat(Canvas.of(frame_from_av(gray_frame(0, size_wh, 120))), RATE, audio)


def destination(text, **more):
    return parse_output(str(text), **{"format_name": None, "overwrite": False, "source": "-"} | more)


@pytest.fixture
def tone(make_clip):
    """Two seconds of audio that starts with the frames: its format and its packets."""
    with av.open(str(make_clip("tone.mkv", audio=[{"codec": "aac", "parts": 94}]))) as container:
        stream = container.streams.audio[0]
        audio = AudioFormat.of(stream)
        packets = [packet for packet in container.demux(stream) if packet.size]
        for packet in packets:
            packet.pts += round(START_S / packet.time_base)
            packet.dts = packet.pts
        made = [AudioPacket.of(packet, audio) for packet in packets]
        return audio, [packet for packet in made if packet.time >= START_S]


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov", "ts", "flv"])
def test_a_file_holds_video_and_audio_in_sync(ending, tmp_path, tone):
    path, (audio_format, packets) = tmp_path / f"out.{ending}", tone
    output = MediaOutput(destination(path), output_format(audio_format), QUICK)
    drawn = frames(50)
    for index, frame in enumerate(drawn):
        output.write(frame)
        for packet in packets[index * 94 // 50 : (index + 1) * 94 // 50]:
            output.write_audio(packet)
    output.finish()
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        begin = {kind: [] for kind in ("video", "audio")}
        for frame in container.decode(video, audio):
            begin["video" if isinstance(frame, av.VideoFrame) else "audio"].append(frame.time)
        assert len(begin["video"]) == 50
        assert np.diff(begin["video"]) == pytest.approx(1 / 25, abs=2e-3)
        assert begin["audio"][0] == pytest.approx(begin["video"][0], abs=0.06)
        assert begin["audio"][-1] == pytest.approx(begin["video"][-1], abs=0.12)
        if ending != "ts":
            assert begin["video"][0] == pytest.approx(0, abs=0.06), "times are counted from the first frame"
    assert all(frame.pts == round((START_S + k / RATE) / TICK) for k, frame in enumerate(drawn)), "left alone"


def test_frames_stay_as_they_were_and_are_tagged(tmp_path):
    path = tmp_path / "out.mkv"
    output = MediaOutput(destination(path), output_format(), EncoderOptions(crf=10))
    drawn = frames(30)
    for frame in drawn:
        output.write(frame)
    output.finish()
    with av.open(str(path)) as container:
        stream = container.streams.video[0].codec_context
        assert (stream.width, stream.height, stream.pix_fmt) == (*SIZE, "yuv420p")
        assert (stream.color_range, stream.colorspace) == (1, 6)
        for decoded, frame in zip(container.decode(video=0), drawn, strict=True):
            difference = decoded.to_ndarray().astype(int) - frame.to_ndarray().astype(int)
            assert np.abs(difference).mean() < 2


def test_key_frames_come_every_two_seconds(tmp_path):
    path = tmp_path / "out.mkv"
    output = MediaOutput(destination(path), output_format(), QUICK)
    for frame in frames(110):
        output.write(frame)
    output.finish()
    with av.open(str(path)) as container:
        keys = [float(p.pts * p.time_base) for p in container.demux(video=0) if p.size and p.is_keyframe]
    assert keys == pytest.approx([0, 2, 4], abs=0.05)


CRASH = """
import os, signal, sys
from tests.stream.live.output.test_media_output import QUICK, MediaOutput, destination, output_format, frames
output = MediaOutput(destination(sys.argv[1]), output_format(), QUICK)
for frame in frames(200):
    output.write(frame)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov", "ts", "flv"])
def test_a_file_is_playable_after_a_crash(ending, tmp_path):
    """Eight seconds, then kill -9: no more than the last second or two is lost, and nothing is torn."""
    path = tmp_path / f"out.{ending}"
    done = subprocess.run([sys.executable, "-c", CRASH, str(path)], timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times[-1] - times[0] > 6
    assert np.diff(times) == pytest.approx(1 / 25, abs=2e-3)


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_a_finished_file_has_one_index(ending, tmp_path):
    """What was written in fragments is an ordinary file in the end, in which any player can seek."""
    path = tmp_path / f"out.{ending}"
    output = MediaOutput(destination(path), output_format(), QUICK)
    for frame in frames(100):
        output.write(frame)
    output.finish()
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 100
        assert container.duration == pytest.approx(4_000_000, abs=50_000)


@pytest.mark.parametrize("container_format", [None, "mpegts", "mp4"])
def test_standard_output_takes_a_stream(container_format, tmp_path):
    script = CRASH.replace("destination(sys.argv[1])", f"destination('-', format_name={container_format!r})")
    script = script.replace("os.kill(os.getpid(), signal.SIGKILL)", "output.finish()")
    script = script.replace("frames(200)", "frames(50)")
    done = subprocess.run([sys.executable, "-c", script], timeout=120, check=True, stdout=subprocess.PIPE)
    (tmp_path / "piped").write_bytes(done.stdout)
    with av.open(str(tmp_path / "piped")) as container:
        assert container.format.name.split(",")[0] in {None: "matroska", "mp4": "mov"}.get(
            container_format, container_format
        )
        assert sum(1 for _ in container.decode(video=0)) == 50


def test_a_reader_that_goes_away_is_reported():
    script = CRASH.replace("destination(sys.argv[1])", "destination('-')").replace("frames(200)", "frames(2000)")
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False
    ) as process:
        process.stdout.read(1000)
        process.stdout.close()
        printed = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert "SinkError: The reader of standard output went away before the video ended." in printed


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class RtmpServer:
    """FFmpeg as the server of one publisher; keeps the times of what it decodes."""

    def __init__(self, port):
        self.times, self.kinds = [], []
        self._url = f"rtmp://127.0.0.1:{port}/live/key"
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def join(self):
        self._thread.join(40)
        assert not self._thread.is_alive()

    def _work(self):
        # FFmpeg's server takes the end of publishing for a broken connection.
        with (
            contextlib.suppress(av.error.OSError),
            av.open(self._url, options={"listen": "1"}, timeout=20) as container,
        ):
            self.kinds = sorted(stream.type for stream in container.streams)
            for frame in container.decode(video=0):
                self.times.append(frame.time)


def test_rtmp_is_published_with_audio(tone):
    port, (audio_format, packets) = free_port(), tone
    server = RtmpServer(port)
    output = MediaOutput(destination(f"rtmp://127.0.0.1:{port}/live/key"), output_format(audio_format), QUICK)
    for index, frame in enumerate(frames(75)):
        output.write(frame)
        for packet in packets[index * 94 // 50 : (index + 1) * 94 // 50]:
            output.write_audio(packet)
    output.finish()
    server.join()
    assert server.kinds == ["audio", "video"]
    assert len(server.times) > 60
    assert np.diff(server.times) == pytest.approx(1 / 25, abs=2e-3)


def test_a_server_that_is_not_there_is_reported():
    output = MediaOutput(destination(f"rtmp://127.0.0.1:{free_port()}/live/key"), output_format(), QUICK)
    with pytest.raises(SinkError, match=r"Cannot write rtmp://127\.0\.0\.1:\d+/live/\*\*\*: Connection refused\."):
        write_all(output, frames(2000, (320, 240)))
    output.abort()


def test_a_server_that_accepts_nothing_is_given_up():
    """It accepts the connection and never answers; the pipe to the sending process fills up."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"rtmp://127.0.0.1:{deaf.getsockname()[1]}/live/key"
        options = EncoderOptions(crf=0, preset="ultrafast")
        output = MediaOutput(destination(url), output_format(), options, pipe_timeout_s=0.5)
        with pytest.raises(SinkError, match="it does not respond"):
            write_all(output, frames(3000, (320, 240)))
        output.abort()


def test_a_pipe_whose_reader_stopped_is_given_up():
    reader, writer = os.pipe()
    try:
        pipe = BytePipe(writer, 0.01)
        assert pipe.write(b"some bytes") == 10
        with pytest.raises(TimeoutError, match=r"accepted nothing for 0\.01 s"):
            pipe.write(bytes(1 << 20))
        os.close(reader)
        with pytest.raises(BrokenPipeError):
            pipe.write(b"more")
    finally:
        os.close(writer)


def test_a_full_disk_is_reported(tmp_path):
    """/dev/full accepts nothing."""
    place = destination(tmp_path / "out.ts")
    full = type(place)(kind="file", shown="out.ts", name="/dev/full", format="mpegts")
    output = MediaOutput(full, output_format(), QUICK)
    with pytest.raises(SinkError, match=r"The disk is full: out\.ts holds what was written so far\."):
        write_all(output, frames(50))
    output.abort()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux can wait for the end of a stranger's process")
def test_the_sending_process_ends_with_the_one_that_feeds_it():
    """kill -9 of the program leaves no process behind."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"rtmp://127.0.0.1:{deaf.getsockname()[1]}/live/key"
        script = CRASH.replace("destination(sys.argv[1])", f"destination({url!r})")
        script = script.replace("frames(200)", "frames(9)").replace(
            "os.kill", "print(output._sender.pid, flush=True); os.kill"
        )
        done = subprocess.run([sys.executable, "-c", script], timeout=120, check=False, stdout=subprocess.PIPE)
        assert done.returncode == -signal.SIGKILL
    # The listening socket is closed, so the sending process hears from nobody any more.
    try:
        sender = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([sender], [], [], 10)
        if not ended:
            signal.pidfd_send_signal(sender, signal.SIGKILL)
        assert ended, "the sending process is still there"
    finally:
        os.close(sender)
