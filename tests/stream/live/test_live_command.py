"""``emocolor-stream live`` as a person runs it: files, streams that break, signals, what is refused."""

import contextlib
import json
import logging
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from stream.cli.app import main
from stream.live.capture.inputs import parse_input
from stream.live.live_run import LiveRun, LiveSettings
from stream.live.output.virtual_camera import LOOPBACK_MODULE
from tests.stream.live.stream_server import StreamServer, make_stream

COMMAND = [sys.executable, "-m", "stream.cli", "live"]
PATIENCE_S = 90
RED = ("--effect", "colormap:#000-#f00", "--preset", "ultrafast")
PLAIN = ("--effect", "none", "--preset", "ultrafast")


@contextlib.contextmanager
def running(*arguments, **options):
    """The command under way; ended by force where a test fails."""
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process):
    said = process.communicate(timeout=PATIENCE_S)[1]
    return process.returncode, said


def wait_until(found, process):
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pictures_of(path):
    """(time in seconds, RGB as (H, W, 3) uint8) of every picture."""
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def call(*arguments):
    with running(*arguments) as process:
        return finish(process)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    clip = tmp_path_factory.mktemp("clips") / "long.ts"
    clip.write_bytes(make_stream(60))
    return clip


@pytest.fixture
def refused(capsys):
    """Calls the command with what it must refuse: the exit code and what was said."""
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
    code, said = call(demo_clip, "-o", tmp_path / "out.mkv", "-o", tmp_path / "out.mp4", *RED)
    assert code == 0, said
    figures = re.search(r"(\d+) pictures in, (\d+) out in [\d.]+ s; .*latency p50 \d+ ms, p95 \d+ ms; ", said)
    assert int(figures[1]) == 50
    for name in ("out.mkv", "out.mp4"):
        written = int(re.search(rf"{name}: (\d+) pictures", said)[1])
        pictures = pictures_of(tmp_path / name)
        assert len(pictures) == written > 0
        assert written <= int(figures[2])
        red, green, blue = np.max([rgb.max(axis=(0, 1)) for _, rgb in pictures], axis=0)
        assert red > 200
        assert max(green, blue) < 90
        assert pictures[-1][0] - pictures[0][0] <= 2
        with av.open(str(tmp_path / name)) as container:
            sound = [frame.time for frame in container.decode(audio=0)]
        assert sound[-1] == pytest.approx(pictures[-1][0], abs=0.15), "both to the end"


def test_the_tint_of_what_is_seen_is_in_the_picture(demo_clip, tmp_path):
    """Alpha 1 leaves the emotion's colour alone: plain, whatever the machine managed to look at."""
    code, said = call(demo_clip, "-o", tmp_path / "out.mkv", "--alpha", "1", "--crf", "10")
    assert code == 0, said
    _, rgb = pictures_of(tmp_path / "out.mkv")[-1]
    assert rgb.reshape(-1, 3).std(axis=0).max() < 2
    assert rgb.mean() > 20


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_recording(number, code, long_clip, tmp_path):
    out = tmp_path / "out.mkv"
    with running(long_clip, "-o", out, *PLAIN) as process:
        wait_until(lambda: out.exists() and out.stat().st_size > 5000, process)
        process.send_signal(number)
        assert finish(process)[0] == code
    with av.open(str(out)) as container:
        assert container.duration > 0, "only a finished file tells its length"
    assert len(pictures_of(out)) > 5


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_recording_survives_kill_9(ending, long_clip, tmp_path):
    out = tmp_path / f"out.{ending}"
    with running(long_clip, "-o", out, *PLAIN) as process:
        wait_until(lambda: out.exists() and out.stat().st_size > 30_000, process)
        process.kill()
        assert finish(process)[0] == -signal.SIGKILL
    times = [time for time, _ in pictures_of(out)]
    assert times == sorted(set(times))
    assert len(times) > 5


@pytest.mark.slow
def test_a_stream_that_breaks_off_and_comes_back(tmp_path):
    """The recording goes on: the picture, the last one dimmed, the picture again."""
    out, seconds = tmp_path / "out.mkv", 60
    stream = make_stream(seconds)
    with StreamServer(stream, seconds) as server, running(server.url, "-o", out, *PLAIN) as process:
        wait_until(lambda: out.exists() and out.stat().st_size > 20_000, process)
        server.stop()
        size = out.stat().st_size
        wait_until(lambda: out.stat().st_size > size + 5000, process)
        with StreamServer(stream, seconds, port=server.port) as again:
            wait_until(lambda: again.served, process)
            size = out.stat().st_size
            wait_until(lambda: out.stat().st_size > size + 40_000, process)
            process.send_signal(signal.SIGTERM)
            code, said = finish(process)
    assert code == 143
    assert re.search(r"tcp://127\.0\.0\.1:\d+ (ended|broke off: .*)\. Trying again in 0\.5 s\.", said)
    pictures = pictures_of(out)
    luma = np.array([np.median(rgb) for _, rgb in pictures])
    dim = luma < 80
    assert not dim[0]
    assert not dim[-1]
    assert 5 <= dim.sum() < len(dim) - 10
    first, last = np.flatnonzero(dim)[[0, -1]]
    assert dim[first : last + 1].all(), "held once, and to the end of the loss"
    assert (pictures[first][1].max(axis=2) > 200).any(), "with a notice"
    times = np.array([time for time, _ in pictures])
    assert (np.diff(times) > 0).all()
    assert times[last] - times[first] > 0.2
    with av.open(str(out)) as container:
        sound = [frame.time for frame in container.decode(audio=0)]
    assert sound[-1] > times[last], "sound goes on too"
    held = int(re.search(r"(\d+) held", said)[1])
    assert held >= dim.sum()


def test_standard_output_takes_the_stream(demo_clip, tmp_path):
    with open(tmp_path / "piped", "wb") as piped, running(demo_clip, "-o", "-", *RED, stdout=piped) as process:
        assert finish(process)[0] == 0
    with av.open(str(tmp_path / "piped")) as container:
        assert container.format.name.startswith("matroska")
    assert pictures_of(tmp_path / "piped")


def test_what_is_dropped_at_two_places_for_one_reason_is_added_up(demo_clip):
    run = LiveRun(LiveSettings(source=parse_input(str(demo_clip))))
    run._session.statistics.dropped("out of order")
    run._broadcast._drops["out of order"] += 2
    assert run._drops(run._session.snapshot()) == {"out of order": 3}


def test_every_line_of_the_json_log_can_be_read(demo_clip, tmp_path):
    code, said = call(demo_clip, "-o", tmp_path / "out.mkv", "--log-json", *PLAIN)
    assert code == 0
    lines = [json.loads(line) for line in said.splitlines()]
    (summary,) = [line for line in lines if line.get("event") == "summary"]
    assert summary["frames_in"] == 50
    assert summary["outputs"][str(tmp_path / "out.mkv")]["frames"] <= summary["frames_out"] <= 50
    assert {line.get("event") for line in lines} >= {"connected", "opened", "summary"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mkv"], 4, "there is no such file"),
        (["{tmp}", "-o", "{tmp}/out.mkv"], 4, "it is a folder"),
        (["{tmp}/text.mp4", "-o", "{tmp}/out.mkv"], 4, "not a video"),
        (["srt://host:1", "-o", "{tmp}/out.mkv"], 4, "'srt' is not supported"),
        (["rtsp://127.0.0.1:{port}/x", "--once", "-o", "{tmp}/out.mkv"], 4, "the connection was refused"),
        (["{clip}"], 2, "pass -o OUTPUT, --view or --virtual-camera"),
        (["{clip}", "-o", "{tmp}/out.avi"], 2, r"Take \.mkv"),
        (["{clip}", "-o", "{tmp}/text.mp4"], 5, "--overwrite"),
        (["{clip}", "-o", "{clip}", "-y"], 5, "the input itself"),
        (["{clip}", "-o", "{tmp}/no/such/out.mkv"], 5, "does not exist"),
        (["{clip}", "-o", "{tmp}/a.mkv", "-o", "{tmp}/a.mkv"], 2, "named twice"),
        (["{clip}", "-o", "-", "--format", "matrosca"], 2, "no output format 'matrosca'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--palette", "mutted"], 2, "'mutted'; did you mean 'muted'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--effect", "tinted"], 2, "'tinted'; did you mean 'tint'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--alpha", "2"], 2, "alpha"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--latency", "1"], 2, "between 10 and 5000 ms, got 1"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--crf", "99"], 2, "crf"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--preset", "quick"], 2, "no preset 'quick'"),
        (["{clip}", "-o", "{tmp}/out.mkv", "--size", "640x480"], 2, "are for cameras"),
        (["webcam", "-o", "{tmp}/out.mkv", "--size", "large"], 2, "'large' is no size"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(arguments, code, words, refused, demo_clip, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video\n" * 50)
    before = {path.name for path in tmp_path.iterdir()}
    with StreamServer(b"", 1) as server:
        port = server.port  # free when the block is left
    found, said = refused(*(a.format(tmp=tmp_path, clip=demo_clip, port=port) for a in arguments))
    assert found == code, said
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
    assert re.search(words, said)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_errors_are_json_too_where_the_log_is(refused, tmp_path):
    code, said = refused(tmp_path / "none.mp4", "-o", tmp_path / "out.mkv", "--log-json")
    error = json.loads(said)
    assert code == error["exit_code"] == 4
    assert "no such file" in error["message"]


@pytest.mark.skipif(any(Path("/dev").glob("video*")), reason="there is a camera")
@pytest.mark.parametrize("name", ["webcam", "webcam:1", "/dev/video3"])
def test_without_a_camera_that_is_said(name, refused, tmp_path):
    code, said = refused(name, "-o", tmp_path / "out.mkv")
    assert (code, len(said.splitlines())) == (4, 1)
    assert "There is no camera: no /dev/video* exists." in said


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have screens of their own")
def test_without_a_screen_there_is_no_view(refused, demo_clip, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    code, said = refused(demo_clip, "--view")
    assert (code, said) == (6, "error: --view needs a screen: neither DISPLAY nor WAYLAND_DISPLAY is set here.\n")
    monkeypatch.setenv("DISPLAY", "localhost:99")
    code, said = refused(demo_clip, "--view")
    assert code == 6
    assert "--view cannot open a window" in said


@pytest.mark.skipif(LOOPBACK_MODULE.exists(), reason="there may be a virtual camera")
def test_without_a_virtual_camera_that_is_said(refused, demo_clip):
    code, said = refused(demo_clip, "--virtual-camera")
    assert code == 6
    assert re.search("needs (pyvirtualcam|the kernel module v4l2loopback)", said)
