"""``emocolor-stream live`` as a person runs it: files, streams that break, signals, what is refused."""

import json
import logging
import re
import signal
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from stream.cli import main
from stream.live.output.virtual_camera import LOOPBACK_MODULE
from tests.stream.live.live_process import LiveProcess, live
from tests.stream.live.stream_server import StreamServer, make_stream

RED = ("--effect", "colormap:#000-#f00", "--encoder-preset", "ultrafast")
PLAIN = ("--effect", "none", "--encoder-preset", "ultrafast")


def frames_of(path):
    """(time in seconds, RGB as (H, W, 3) uint8) of every frame."""
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    clip = tmp_path_factory.mktemp("clips") / "long.ts"
    clip.write_bytes(make_stream(60))
    return clip


@pytest.fixture
def refused(capsys):
    """Calls the command with what it must refuse: the exit code and the message."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["live", *map(str, arguments)])
        return end.value.code, capsys.readouterr().err

    yield call
    root.handlers[:] = before
    root.setLevel(level)


def test_a_file_is_recoloured_at_its_own_pace(demo_clip, tmp_path):
    code, log = live(demo_clip, "-o", tmp_path / "out.mkv", "-o", tmp_path / "out.mp4", *RED)
    assert code == 0, log
    summary = re.search(r"(\d+) frames in, (\d+) out in [\d.]+ s; .*latency p50 \d+ ms, p95 \d+ ms; ", log)
    assert int(summary[1]) == 50
    for name in ("out.mkv", "out.mp4"):
        written = int(re.search(rf"{name}: (\d+) frames", log)[1])
        frames = frames_of(tmp_path / name)
        assert len(frames) == written > 0
        assert written <= int(summary[2])
        red, green, blue = np.max([rgb.max(axis=(0, 1)) for _, rgb in frames], axis=0)
        assert red > 200
        assert max(green, blue) < 90
        assert frames[-1][0] - frames[0][0] <= 2
        with av.open(str(tmp_path / name)) as container:
            audio = [frame.time for frame in container.decode(audio=0)]
        assert audio[-1] == pytest.approx(frames[-1][0], abs=0.15), "both to the end"


def test_the_tint_of_what_is_seen_is_in_the_frame(demo_clip, tmp_path):
    """Alpha 1 leaves the emotion's colour alone: plain, whatever the machine managed to analyse."""
    tint = ("--alpha", "1", "--base", "gray", "--certainty", "0")
    code, log = live(demo_clip, "-o", tmp_path / "out.mkv", *tint, "--crf", "10")
    assert code == 0, log
    _, rgb = frames_of(tmp_path / "out.mkv")[-1]
    assert rgb.reshape(-1, 3).std(axis=0).max() < 2
    assert rgb.mean() > 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_recording(number, code, long_clip, tmp_path):
    out = tmp_path / "out.mkv"
    with LiveProcess(long_clip, "-o", out, *PLAIN, tapped=True) as process:
        process.wait_for_output(20_000)
        process.send_signal(number)
        assert process.finish()[0] == code
    with av.open(str(out)) as container:
        assert container.duration > 0, "only a finished file tells its length"
    assert len(frames_of(out)) > 5


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_recording_survives_kill_9(ending, long_clip, tmp_path):
    out = tmp_path / f"out.{ending}"
    with LiveProcess(long_clip, "-o", out, *PLAIN, tapped=True) as process:
        process.wait_for_output(60_000)
        process.send_signal(signal.SIGKILL)
        assert process.finish()[0] == -signal.SIGKILL
    times = [time for time, _ in frames_of(out)]
    assert times == sorted(set(times))
    assert len(times) > 5


@pytest.mark.slow
def test_a_stream_that_breaks_off_and_comes_back(tmp_path):
    """The recording goes on: the video, its last frame dimmed, the video again."""
    out, seconds = tmp_path / "out.mkv", 60
    stream = make_stream(seconds)
    with StreamServer(stream, seconds) as server, LiveProcess(server.url, "-o", out, *PLAIN, tapped=True) as process:
        process.wait_for_output(20_000)
        server.stop()
        process.wait_for_log(lambda: "Trying again in 1 s." in process.log)
        process.wait_for_output(5000)
        with StreamServer(stream, seconds, port=server.port) as again:
            assert again.connected.wait(60)
            process.wait_for_output(60_000)
            process.send_signal(signal.SIGTERM)
            code, log = process.finish()
    assert code == 143
    assert re.search(r"tcp://127\.0\.0\.1:\d+ (ended|broke off: .*)\. Trying again in 0\.5 s\.", log)
    frames = frames_of(out)
    luma = np.array([np.median(rgb) for _, rgb in frames])
    dim = luma < 80
    assert not dim[0]
    assert not dim[-1]
    assert 5 <= dim.sum() < len(dim) - 10
    first, last = np.flatnonzero(dim)[[0, -1]]
    assert dim[first : last + 1].all(), "once, and to the end of the loss"
    assert (frames[first][1].max(axis=2) > 200).any(), "with a notice"
    times = np.array([time for time, _ in frames])
    assert (np.diff(times) > 0).all()
    assert times[last] - times[first] > 0.2
    with av.open(str(out)) as container:
        audio = [packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.size]
    assert audio[-1] > times[last], "audio goes on too"
    assert int(re.search(r"(\d+) repeated", log)[1]) >= dim.sum()


def test_standard_output_takes_the_stream(demo_clip, tmp_path):
    with open(tmp_path / "piped", "wb") as piped:
        code, log = live(demo_clip, "-o", "-", *RED, stdout=piped)
    assert code == 0, log
    with av.open(str(tmp_path / "piped")) as container:
        assert container.format.name.startswith("matroska")
    assert frames_of(tmp_path / "piped")


def test_every_line_of_the_json_log_can_be_read(demo_clip, tmp_path):
    with LiveProcess(demo_clip, "-o", tmp_path / "out.mkv", "--log-json", *PLAIN) as process:
        code, log = process.finish()
        assert code == 0, log
        (summary,) = process.events("summary")
        assert summary["frames_in"] == 50
        assert summary["outputs"][str(tmp_path / "out.mkv")]["frames"] <= summary["frames_out"] <= 50
        assert process.events("connected")
        assert process.events("opened")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mkv"], 4, "there is no such file"),
        (["{tmp}", "-o", "{tmp}/out.mkv"], 4, "it is a folder"),
        (["{tmp}/text.mp4", "-o", "{tmp}/out.mkv"], 4, "not a video"),
        (["srt://host:1", "-o", "{tmp}/out.mkv"], 4, "'srt' is not supported"),
        (["rtsp://127.0.0.1:{port}/x", "--once", "-o", "{tmp}/out.mkv"], 4, "the connection was refused"),
        (["{clip}"], 2, "pass -o OUTPUT, --view or --virtual-camera"),
        (["{clip}", "-o", "{tmp}/out.avi"], 2, r"Use \.mkv"),
        (["{clip}", "-o", "{tmp}/text.mp4"], 5, "exists"),
        (["{clip}", "-o", "{clip}", "-y"], 5, "the input itself"),
        (["{clip}", "-o", "{tmp}/no/such/out.mkv"], 5, "does not exist"),
        (["{clip}", "-o", "{tmp}/a.mkv", "-o", "{tmp}/a.mkv"], 2, "named twice"),
        (["{clip}", "-o", "-", "--format", "matrosca"], 2, "no output format 'matrosca'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--palette", "mutted"], 2, "'mutted'; did you mean 'muted'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--effect", "tinted"], 2, "'tinted'; did you mean 'tint'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--alpha", "2"], 2, "alpha"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--latency", "1"], 2, "latency.* between 10 and 5000, got 1"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--crf", "99"], 2, "crf"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--encoder-preset", "quick"], 2, "no preset 'quick'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--size", "640x480"], 2, "Only cameras can be asked for a size"),
        (["webcam", "-o", "{tmp}/out.mkv", "--size", "large"], 2, "'large' is no size"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(arguments, code, message, refused, demo_clip, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    before = {path.name for path in tmp_path.iterdir()}
    with StreamServer(b"", 1) as server:
        port = server.port  # free when the block is left
    found, printed = refused(*(a.format(tmp=tmp_path, clip=demo_clip, port=port) for a in arguments))
    assert found == code, printed
    assert printed.startswith("error: ")
    assert len(printed.splitlines()) == 1
    assert re.search(message, printed)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_errors_are_json_too_where_the_log_is(refused, tmp_path):
    code, printed = refused(tmp_path / "none.mp4", "-o", tmp_path / "out.mkv", "--log-json")
    error = json.loads(printed)
    assert code == error["exit_code"] == 4
    assert "no such file" in error["message"]


@pytest.mark.skipif(any(Path("/dev").glob("video*")), reason="there is a camera")
@pytest.mark.parametrize("name", ["webcam", "webcam:1", "/dev/video3"])
def test_a_missing_camera_is_reported(name, refused, tmp_path):
    code, printed = refused(name, "-o", tmp_path / "out.mkv")
    assert (code, len(printed.splitlines())) == (4, 1)
    assert "There is no camera: no /dev/video* exists." in printed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have displays of their own")
def test_without_a_display_there_is_no_window(refused, demo_clip, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    code, printed = refused(demo_clip, "--view")
    assert code == 6
    assert printed == "error: A window needs a display: neither DISPLAY nor WAYLAND_DISPLAY is set here.\n"


@pytest.mark.skipif(LOOPBACK_MODULE.exists(), reason="there may be a virtual camera")
def test_a_missing_virtual_camera_is_reported(refused, demo_clip):
    code, printed = refused(demo_clip, "--virtual-camera")
    assert code == 6
    assert re.search("needs (pyvirtualcam|the kernel module v4l2loopback)", printed)
