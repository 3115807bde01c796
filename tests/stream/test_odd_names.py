"""Files whose names mean something elsewhere: to FFmpeg, to a shell, to a terminal, or to a person."""

import asyncio
import os

import av
import pytest

from stream import Job, JobSettings, SinkOptions

NAMES = (
    "Film: Part 2.mp4",
    "12:30 at home.mkv",
    "http: a history.mp4",
    "C:film.mp4",
    "-o.mp4",
    "--help.mkv",
    "100%.mp4",
    "take %d.mp4",
    "50%% off.mkv",
    " leading and trailing .mp4",
    ".hidden.mp4",
    "no extension but.the.last.mkv",
    "UPPER.MP4",
    "quote'and\"double.mp4",
    "back\\slash.mp4",
    "new\nline.mkv",
    "tab\tand\x07bell.mp4",
    "\x1b[31mred.mkv",
    "star*question?[a].mp4",
    "{braces},$HOME;&|<>.mp4",
    "#hash@at~tilde.mp4",
    "Übergrößenträger 映画 🎞️.mkv",
    os.fsdecode(b"latin-\xe9.mp4"),
    "e" * 251 + ".mp4",
    "日" * 83 + "..mkv",
)


def frames_in(path):
    with av.open(f"file:{path}") as container:
        return sum(1 for _ in container.decode(video=0))


async def run(settings):
    async with await Job.open(settings) as job:
        return sum([1 async for _ in job])


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_read_and_written(make_clip, tmp_path, monkeypatch, name, relative):
    clip = make_clip(frames=3)
    (tmp_path / "100%d").mkdir()
    (tmp_path / "out").mkdir()
    given, result = tmp_path / "100%d" / name, tmp_path / "out" / name
    clip.rename(given)
    monkeypatch.chdir(given.parent)
    source, output = (name, f"../out/{name}") if relative else (str(given), str(result))
    settings = JobSettings(
        input=source, output=output, effects=(), analysis=None, sink=SinkOptions(preset="ultrafast", format="matroska")
    )
    assert asyncio.run(run(settings)) == 3
    assert frames_in(result) == 3
    assert os.listdir(result.parent) == [name]


@pytest.mark.parametrize("folder", ["50% off", "take%d", "a:b", "%%"])
def test_images_in_any_folder(make_clip, tmp_path, folder):
    clip = make_clip(frames=3)
    (tmp_path / folder).mkdir()
    (tmp_path / "out").mkdir()
    images, again = tmp_path / folder / "%02d.png", tmp_path / "out" / "again.mkv"
    for source, output in ((clip, images), (images, again)):
        settings = JobSettings(input=str(source), output=str(output), effects=(), analysis=None)
        assert asyncio.run(run(settings)) == 3
    assert sorted(os.listdir(tmp_path / folder)) == ["01.png", "02.png", "03.png"]
    assert frames_in(again) == 3


def test_a_name_that_is_too_long_is_refused_in_one_line(make_clip, tmp_path):
    from emocolor.errors import SinkError

    settings = JobSettings(
        input=str(make_clip(frames=3)), output=str(tmp_path / ("x" * 252 + ".mp4")), effects=(), analysis=None
    )
    with pytest.raises(SinkError, match="File name too long"):
        Job(settings)
