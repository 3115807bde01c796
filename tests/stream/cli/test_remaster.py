"""``emocolor-stream remaster`` as a person runs it."""

import os
import subprocess
import sys

import av
import cv2
import numpy as np
import pytest

from stream import JobSettings
from stream.cli.remaster import CRF, strip_of, with_quality
from stream.demo.clip import demo_frames
from stream.media.source import VideoSource

COMMAND = [sys.executable, "-m", "stream.cli", "remaster"]


def call(*arguments, **options):
    options = {"capture_output": True, "text": True, "timeout": 120} | options
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False, **options)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two seconds of the demo in gray, with audio."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        track = container.add_stream("aac", rate=48000, layout="mono")
        for number, rgb in enumerate(demo_frames(seconds=2, size_wh=(320, 180))):
            gray = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
            frame = av.VideoFrame.from_ndarray(gray, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        for number in range(90):
            part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            part.sample_rate, part.pts = 48000, number * 1024
            container.mux(track.encode(part))
        container.mux(stream.encode(None))
        container.mux(track.encode(None))
    return path


def frames(path):
    source = VideoSource(str(path))
    try:
        return [[np.array(plane) for plane in unit.frame.planes] for unit in source.units() if unit.frame is not None]
    finally:
        source.close()


def colour(planes):
    return float(np.abs(np.stack(planes[1:]).astype(int) - 128).mean())


def test_a_gray_film_comes_out_in_colour_with_its_audio_and_a_strip(film, tmp_path):
    done = call(film, "-o", tmp_path / "out.mp4")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    before, after = frames(film), frames(tmp_path / "out.mp4")
    assert len(before) == len(after) == 50
    assert colour(before[20]) < 1 < colour(after[20])
    luma = np.abs(before[20][0].astype(int) - after[20][0])
    assert luma.mean() < 2.5  # what the encoder costs at this quality
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert len(container.streams.audio) == 1
    strip = cv2.imread(str(tmp_path / "out.compare.png"))
    half = strip.shape[0] // 2
    assert np.ptp(strip[10 : half - 40], axis=2).mean() < np.ptp(strip[half + 10 : -40], axis=2).mean()


def test_compare_shows_the_left_half_as_it_came_in(film, tmp_path):
    done = call(
        film, "-o", tmp_path / "out.mkv", "--compare", "--codec", "ffv1", "--to", "0.4", "--strip", tmp_path / "s.png"
    )
    assert done.returncode == 0, done.stderr
    for was, given in zip(frames(film), frames(tmp_path / "out.mkv"), strict=False):
        assert np.array_equal(was[1][:, :76], given[1][:, :76])
        assert not np.array_equal(was[1][:, 84:], given[1][:, 84:])
        assert np.array_equal(was[0][:, :152], given[0][:, :152])
    assert (tmp_path / "s.png").exists()


def test_restoration_is_part_of_it(film, tmp_path):
    plan = call(
        film, "-o", tmp_path / "o.mp4", "--dry-run", "--denoise", ".5", "--deflicker", "--deinterlace", "on"
    ).stdout
    assert "restoration deinterlace on, denoise 0.5, deflicker on" in plan
    assert "colorize  net film" in plan
    assert "crf 18" in plan or "crf=18" in plan
    assert "o.compare.png" in plan
    assert list(tmp_path.iterdir()) == []
    done = call(film, "-o", tmp_path / "o.mp4", "--denoise", ".5", "--deflicker", "--to", "0.5")
    assert done.returncode == 0, done.stderr
    assert len(frames(tmp_path / "o.mp4")) in (12, 13)


def test_film_in_colour_is_restored_but_not_recoloured(demo_clip, tmp_path):
    done = call(demo_clip, "-o", tmp_path / "out.mkv", "--codec", "ffv1", "--to", "0.4")
    assert done.returncode == 0
    assert "in colour already" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for was, given in zip(frames(demo_clip), frames(tmp_path / "out.mkv"), strict=False):
        assert all(np.array_equal(a, b) for a, b in zip(was, given, strict=True))


def test_pipes_work_and_have_no_strip(film):
    with film.open("rb") as piped:
        done = call("-", "-o", "-", "-f", "matroska", "--to", "0.3", stdin=piped, text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"\x1aE\xdf\xa3")


def test_the_strip_lies_beside_files_alone(film, tmp_path):
    def strip_for(**places):
        settings = JobSettings(**{"input": str(film), "output": str(tmp_path / "out.mp4")} | places)
        return strip_of(settings, None)

    assert strip_for() == tmp_path / "out.compare.png"
    assert strip_for(output=f"file:{tmp_path}/out: 2.mp4") == tmp_path / "out: 2.compare.png"
    long = strip_for(output=str(tmp_path / ("ä" * 125 + ".mp4")))
    assert len(os.fsencode(long.name)) <= 255
    os.mkfifo(tmp_path / "pipe.mkv")
    for places in ({"output": "-"}, {"output": str(tmp_path / "pipe.mkv")}, {"input": str(tmp_path / "pipe.mkv")}):
        assert strip_for(**places) is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["{film}"], 2, "pass -o OUTPUT"),
        (["{film}", "-o", "{tmp}/out.mp4", "--strip", "{tmp}/strip.jpg"], 2, "--strip writes PNG"),
        (["{film}", "-o", "{tmp}/out.mp4", "--strip", "{tmp}/no/strip.png"], 5, "does not exist"),
        (["{film}", "-o", "{tmp}/out.mp4", "--strip", "{tmp}/there.png"], 5, "exists. --overwrite replaces it"),
        (["{film}", "-o", "-", "-f", "matroska", "--strip", "{tmp}/s.png"], 2, "needs a file"),
        (["{film}", "-o", "{tmp}/out.mp4", "--denoise", "2"], 2, "denoise must be a number between 0 and 1"),
        (["{film}", "-o", "{tmp}/out.mp4", "--vividness", "1.1"], 2, "vividness must be a number between 0 and 1"),
        (["{film}", "-o", "{tmp}/out.mp4", "--warmth", "-2"], 2, "warmth must be a number between -1 and 1"),
        (["{film}", "-o", "{tmp}/out.mp4", "--reference", "{tmp}/none.jpg"], 4, "none.jpg"),
        (["{film}", "-o", "{tmp}/out.mp4", "--reference", "{film}"], 4, "film.mp4"),
        (["{film}", "-o", "{tmp}/out.mp4", "--colorize-net", "flim"], 2, "did you mean 'film'"),
        (["{film}", "-o", "{tmp}/out.mp4", "--colorize-net", "{tmp}/none.onnx"], 7, "has no card"),
        (["{tmp}/none.mp4", "-o", "{tmp}/out.mp4"], 4, "no such file"),
    ],
)
def test_bad_input_ends_in_one_line_and_leaves_nothing(film, tmp_path, arguments, code, words):
    (tmp_path / "there.png").write_bytes(b"kept")
    done = call(*(argument.format(film=film, tmp=tmp_path) for argument in arguments))
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("values", "output", "crf"),
    [
        ({}, "out.mp4", CRF),
        ({"output": {"preset": "slow"}}, "OUT.MKV", CRF),
        ({"output": {"crf": 30.0}}, "out.mp4", 30.0),
        ({"output": {"codec": "ffv1"}}, "out.mkv", None),
        ({"output": {"format": "webm"}}, "out.mkv", None),
        ({}, "out.webm", None),
        ({}, None, None),
    ],
)
def test_quality_is_high_where_nothing_else_is_chosen(values, output, crf):
    assert with_quality(values, output).get("output", {}).get("crf") == crf
