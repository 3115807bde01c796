"""Which jobs are rendered in pieces: what cannot be is refused with its reason, and long ones are by default."""

import re

import av
import pytest

from emocolor.errors import ConfigurationError
from stream.archive.divisible import LONG_SECONDS, check_resumable, in_pieces_by_default
from stream.settings import job_settings


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    """Some seconds more than is long, in few frames."""
    path = tmp_path_factory.mktemp("long") / "film.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 64
        for pts in range(0, LONG_SECONDS + 8, 4):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts = pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def settings(film, output="out.mp4", **values):
    return job_settings({"effect": "none", **values}, input=str(film), output=str(output))


def test_long_films_are_rendered_in_pieces_by_default(long_film):
    assert in_pieces_by_default(settings(long_film))
    assert not in_pieces_by_default(settings(long_film, input={"end_seconds": 200.0}))
    assert in_pieces_by_default(settings(long_film, input={"start_seconds": 4.0}))


@pytest.mark.parametrize(
    ("output", "values", "words"),
    [
        ("out.avi", {}, "cannot be joined in avi"),
        ("out.mp4", {"effect": "tint,overlay"}, "overlay"),
        ("out.mp4", {"effect": "tint", "analysis": {"fresh_masks": True}}, "fresh_masks"),
        ("out.mp4", {"effect": "examples.own_effect:Dim"}, "effect of your own"),
        ("out.mp4", {"decoder": "auto"}, "decoder"),
        ("-", {}, "a video file as the output"),
        ("frames/%04d.png", {}, "a video file as the output"),
        ("rtmp://localhost/app/key", {}, "a video file as the output"),
    ],
)
def test_what_cannot_be_is_refused_and_no_default(long_film, output, values, words):
    job = settings(long_film, output, **values)
    with pytest.raises(ConfigurationError, match=words):
        check_resumable(job)
    assert not in_pieces_by_default(job)


def test_without_an_output_there_is_nothing_to_join(long_film, tmp_path):
    job = job_settings({}, input=str(long_film), timeline=tmp_path / "out.csv")
    with pytest.raises(ConfigurationError, match="a video file as the output"):
        check_resumable(job)


@pytest.mark.parametrize("location", ["-", "frames/%04d.png", "https://localhost/film.mp4"])
def test_an_input_is_read_more_than_once(location):
    with pytest.raises(ConfigurationError, match=re.escape("a file as the input")):
        check_resumable(settings(location))
    assert not in_pieces_by_default(settings(location))


def test_what_cannot_be_read_is_told_by_the_job(tmp_path):
    assert not in_pieces_by_default(settings(tmp_path / "none.mp4"))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    assert not in_pieces_by_default(settings(broken))
