import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from emocolor.errors import SourceError
from stream.media.locations import (
    display_name,
    ffmpeg_url,
    files_of,
    first_number,
    is_image_pattern,
    is_readable_twice,
    is_standard_stream,
    is_url,
    local_path,
    missing_image,
    numbered_name,
    write_failure,
)
from stream.media.source import VideoSource
from tests.stream.media.clip_io import frames_of, read


def test_numbered_images_are_read_from_any_first_number(make_clip: Any, tmp_path: Path) -> None:
    make_clip("%03d.png", codec="png", pix_fmt="rgb24", format_name="image2", frames=5)
    for number in range(5, 0, -1):
        (tmp_path / f"{number:03d}.png").rename(tmp_path / f"{number + 41:03d}.png")
    _, units = read(tmp_path / "%03d.png")
    assert len(frames_of(units)) == 5


def test_images_after_a_gap_are_missed_with_a_warning(make_clip: Any, tmp_path: Path) -> None:
    make_clip("%03d.png", codec="png", pix_fmt="rgb24", format_name="image2", frames=9)
    pattern = str(tmp_path / "%03d.png")
    assert missing_image(pattern) is None
    (tmp_path / "005.png").unlink()
    source, units = read(pattern)
    assert (missing_image(pattern), len(frames_of(units))) == ((5, 4), 4)
    assert [text for text in source.warnings if "Image 5 of" in text and "4 after it are left out" in text]
    assert source.damage.truncated
    assert read(pattern, end_seconds=0.1)[0].warnings == []


def test_unreadable_files_are_one_clear_line(make_clip: Any, tmp_path: Path) -> None:
    def reason(name: str, content: bytes | None = None, **options: Any) -> str:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SourceError) as caught:
            read(path, **options)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    whole = make_clip(frames=5).read_bytes()
    assert "there is no such file" in reason("missing.mp4")
    assert "no file matches the pattern" in reason("%04d.png")
    assert "it is a folder" in reason(".")
    assert "the file is empty" in reason("empty.mp4", b"")
    assert "not a video" in reason("text.mp4", b"no video at all " * 50)
    assert "moov" in reason("unfinished.mp4", whole[: whole.index(b"moov") - 4])
    assert "ends before its streams begin" in reason("head.mkv", make_clip("clip.mkv", frames=1).read_bytes()[:300])
    assert "no frame after 60 s" in reason("clip.mp4", whole, start_seconds=60)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(make_clip: Any) -> None:
    path = make_clip()
    path.chmod(0)
    with pytest.raises(SourceError, match="permission denied"):
        VideoSource(str(path))


def test_unknown_protocols_list_those_there_are() -> None:
    with pytest.raises(SourceError, match=r"'srt' is not supported; use one of .*rtsp"):
        VideoSource("srt://127.0.0.1:9")


def test_a_refused_connection_hides_the_password() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match=r"anna:\*\*\*@.*refused"):
        VideoSource(f"http://anna:secret@127.0.0.1:{port}/a.mp4")


def test_a_path_with_a_colon_is_no_protocol(make_clip: Any) -> None:
    _, units = read(make_clip("at 12:30.mp4"))
    assert len(frames_of(units)) == 10


@pytest.mark.parametrize(
    ("location", "stream", "url", "pattern"),
    [
        ("-", True, False, False),
        ("pipe:0", True, True, False),
        ("clip.mp4", False, False, False),
        ("file:clip.mp4", False, False, False),
        ("C:/clip.mp4", False, False, False),
        ("rtsp://camera/1", False, True, False),
        ("http://host/%04d.png", False, True, False),
        ("frames/%04d.png", False, False, True),
        ("frames/%d.png", False, False, True),
        ("100%.mp4", False, False, False),
    ],
)
def test_locations_are_distinguished(location: str, stream: bool, url: bool, pattern: bool) -> None:
    assert (is_standard_stream(location), is_url(location), is_image_pattern(location)) == (stream, url, pattern)


def test_the_first_number_is_the_lowest_that_the_pattern_spells(tmp_path: Path) -> None:
    for name in ("0042.png", "0043.png", "7.png", "0001.jpg", "x0001.png"):
        (tmp_path / name).touch()
    assert first_number(str(tmp_path / "%04d.png")) == 42
    assert first_number(str(tmp_path / "%d.png")) == 7
    assert first_number(str(tmp_path / "%03d.png")) is None
    assert first_number(str(tmp_path / "missing" / "%d.png")) is None
    assert first_number(str(tmp_path / "0042.png")) is None


@pytest.mark.parametrize(
    ("location", "url", "shown"),
    [
        ("at 12:30.mp4", "file:at 12:30.mp4", "at 12:30.mp4"),
        ("file:a.mp4", "file:a.mp4", "file:a.mp4"),
        ("-", "-", "standard input"),
        ("rtsp://anna:secret@host/1", "rtsp://anna:secret@host/1", "rtsp://anna:***@host/1"),
    ],
)
def test_ffmpeg_and_people_get_a_location_in_their_own_spelling(location: str, url: str, shown: str) -> None:
    assert (ffmpeg_url(location), display_name(location)) == (url, shown)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "The disk is full: 3 MB are left."),
        (errno.EPIPE, "The reader of out.mp4 went away before the video ended."),
        (errno.EACCES, "Cannot write out.mp4: Permission denied."),
    ],
)
def test_a_failed_write_reports_what_happened(number: int, message: str) -> None:
    error = OSError(number, os.strerror(number))
    assert str(write_failure("out.mp4", error, disk_full="3 MB are left")) == message


def test_a_colon_makes_no_protocol(tmp_path: Path) -> None:
    for name in ("Film: Part 2.mp4", "Data: a history.mkv", "srt: the format.mp4", "HTTP:x"):
        assert local_path(name) == Path(name)
        assert ffmpeg_url(name) == f"file:{name}"
    for url in ("http:x", "concat:a.ts|b.ts", "srt://host", "Unknown://host", "pipe:3"):
        assert local_path(url) is None
        assert ffmpeg_url(url) == url
    assert local_path("-") is None
    long = "http://host/" + "x" * 300
    assert is_url(long)


def test_the_files_of_a_location(tmp_path: Path) -> None:
    for name in ("7.png", "08.png", "film.mp4", "%d.mkv"):
        (tmp_path / name).touch()
    assert files_of(f"file:{tmp_path}/film.mp4") == [tmp_path / "film.mp4"]
    assert files_of(f"{tmp_path}/%d.png") == [tmp_path / "7.png"]
    assert files_of(f"{tmp_path}/%02d.png") == [tmp_path / "08.png"]
    assert files_of(f"{tmp_path}/%d.mkv") == [tmp_path / "%d.mkv"], "a file that exists is no pattern"
    assert files_of("-") == files_of("standard input") == [Path("/dev/stdin")]
    assert files_of("rtsp://host/1") == []


def test_what_can_be_read_twice_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    os.mkfifo(tmp_path / "pipe")
    assert is_readable_twice(f"file:{tmp_path}/film.mp4")
    for other in (f"{tmp_path}/pipe", f"{tmp_path}/none", str(tmp_path), f"{tmp_path}/%d.png", "-", "rtsp://host/1"):
        assert not is_readable_twice(other)


def test_patterns_are_spelled_for_ffmpeg_and_for_files() -> None:
    assert ffmpeg_url("50% off/%03d.png") == "50%% off/%03d.png"
    assert ffmpeg_url("file:a%d/%03d.png") == "a%%d/%03d.png"
    assert numbered_name("100%% %03d.png", 7) == "100% 007.png"
