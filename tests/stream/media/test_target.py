import os
from pathlib import Path
from typing import Any

import pytest

from emocolor.errors import ConfigurationError, SinkError
from stream.files.output_file import place_all
from stream.files.pipes import PipeWriter
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
from stream.media.target import Target
from tests.stream.media.clip_io import decoded_frames, process


@pytest.mark.parametrize(("ending", "pix_fmt"), [("png", "rgb24"), ("jpg", "yuvj420p"), ("tiff", "rgb24")])
def test_numbered_images(make_clip: Any, tmp_path: Path, ending: str, pix_fmt: str) -> None:
    process(make_clip(frames=4), tmp_path / f"%03d.{ending}")
    assert sorted(path.name for path in tmp_path.glob(f"*.{ending}")) == [f"00{n}.{ending}" for n in (1, 2, 3, 4)]
    assert decoded_frames(tmp_path / f"004.{ending}")[0].format.name == pix_fmt


def test_the_file_appears_only_when_it_is_complete(make_clip: Any, tmp_path: Path) -> None:
    source = VideoSource(str(make_clip(frames=30)))
    target = tmp_path / "sub" / "out.mp4"
    target.parent.mkdir()
    target.write_bytes(b"old")
    sink = VideoSink(str(target), source, SinkOptions(overwrite=True))
    for unit in source.units():
        sink.write(unit)
    source.close()
    assert target.read_bytes() == b"old"
    sink.finish()
    assert len(decoded_frames(target)) == 30
    assert os.listdir(target.parent) == ["out.mp4"]


def target_of(path: Any, **options: Any) -> Target:
    return Target(str(path), **{"format_name": None, "overwrite": False, "source": "in.mp4", **options})


@pytest.mark.parametrize(
    ("target", "format_name", "name", "shown"),
    [
        ("-", "matroska", "pipe:1", "standard output"),
        ("rtmp://anna:secret@host/live", "flv", "rtmp://anna:secret@host/live", "rtmp://anna:***@host/live"),
        ("udp://127.0.0.1:9", "mpegts", "udp://127.0.0.1:9", "udp://127.0.0.1:9"),
        ("http://host/out.webm", "webm", "http://host/out.webm", "http://host/out.webm"),
    ],
)
def test_pipes_and_addresses_get_the_format_that_receivers_expect(
    target: str, format_name: str, name: str, shown: str
) -> None:
    made = target_of(target)
    assert (made.format, made.name, made.display_name) == (format_name, name, shown)
    assert made.extension == ""
    assert made.disk_usage() == "the other side takes no more"


def test_a_finished_file_replaces_the_old_one_atomically(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    target = target_of(path, overwrite=True)
    assert (target.format, target.extension, target.is_pattern) == ("mp4", ".mp4", False)
    Path(target.name).write_bytes(b"new" * 1_000_000)
    assert path.read_bytes() == b"old"
    assert target.disk_usage().startswith("3.0 MB were written and ")
    place_all([target.output])
    assert path.read_bytes() == b"new" * 1_000_000
    assert os.listdir(tmp_path) == ["out.mp4"]


def test_a_part_of_a_file_is_removed_with_what_was_there_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    target = target_of(path, overwrite=True)
    Path(target.name).write_bytes(b"ne")
    target.remove()
    target.remove()
    assert os.listdir(tmp_path) == ["out.mp4"]
    assert path.read_bytes() == b"old"


def test_numbered_images_are_opened_by_the_muxer_itself(tmp_path: Path) -> None:
    target = target_of(tmp_path / "%03d.png")
    assert (target.format, target.is_pattern) == ("image2", True)
    folder, name = target.name.rsplit("/", 1)
    assert Path(folder.replace("%%", "%")) == target.output.part
    assert name == "%09d.png"
    target.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("out.foo", {}, ConfigurationError, r"'\.foo' belongs to no video format"),
        ("out", {}, ConfigurationError, "without an extension"),
        ("out.mp4", {"format_name": "nonsense"}, ConfigurationError, "no output format 'nonsense'"),
        ("missing/out.mp4", {}, SinkError, "does not exist"),
        (".", {}, SinkError, "is a folder"),
        ("in.mp4", {"overwrite": True}, SinkError, "is the input itself"),
        ("other.mp4", {}, SinkError, "option output.overwrite"),
    ],
)
def test_places_that_cannot_be_written_to_are_refused_untouched(
    tmp_path: Path, name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    for there in ("in.mp4", "other.mp4"):
        (tmp_path / there).touch()
    with pytest.raises(error, match=message) as caught:
        target_of(tmp_path / name, source=str(tmp_path / "in.mp4"), **options)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "other.mp4"]


def test_an_unknown_protocol_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'srt' of srt://127\.0\.0\.1:9 is not supported; use one of .*rtmp"):
        target_of("srt://127.0.0.1:9")


def test_a_playlist_appears_with_its_segments(make_clip: Any, tmp_path: Path) -> None:
    process(make_clip(frames=60, options={"g": "10"}), tmp_path / "out.m3u8")
    names = sorted(os.listdir(tmp_path))
    assert names[0] == "clip.mp4"
    assert names[1:] == ["out.m3u8", *(f"out{n}.ts" for n in range(len(names) - 2))]
    assert len(decoded_frames(tmp_path / "out.m3u8")) == 60


def test_a_single_image_is_one_file(make_clip: Any, tmp_path: Path) -> None:
    process(make_clip(frames=1), tmp_path / "one%.png")
    assert sorted(os.listdir(tmp_path)) == ["clip.mp4", "one%.png"]


@pytest.mark.parametrize("name", ["pipe.mkv", "/dev/null"])
def test_pipes_and_devices_are_opened_by_python_whose_waits_can_be_ended(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name != "/dev/null":
        os.mkfifo(path)
    target = target_of(path, format_name="matroska")
    assert isinstance(target.file, PipeWriter)
    assert not target.is_seekable
    assert target.disk_usage() == "the other side takes no more"
    target.remove()
    assert path.exists()


def test_the_output_of_a_file_url_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "in.mp4").write_bytes(b"film")
    for name in (f"file:{tmp_path}/in.mp4", f"{tmp_path}/./in.mp4"):
        with pytest.raises(SinkError, match="is the input itself"):
            target_of(name, overwrite=True, source=f"file:{tmp_path}/in.mp4")
    target = target_of(f"file:{tmp_path}/out: 2.mp4")
    assert target.name == f"file:{target.output.part}"
    target.remove()
