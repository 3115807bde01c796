import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from emocolor.errors import ConfigurationError, EmocolorError, SinkError
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import MediaUnit, SourceOptions, VideoSource
from tests.stream.media.clip_io import decoded_frames, packets, process, times

AUDIO = {"codec": "aac", "parts": 40, "metadata": {"language": "ger", "title": "Ton"}}
UNEVEN = [0, 512, 1024, 1100, 2048, 5000, 5512, 9000]


def test_uneven_times_stay_exact(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip(times=UNEVEN)
    process(path, tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == [Fraction(time, 12800) for time in UNEVEN] == times(path)


def test_names_languages_chapters_and_metadata_are_kept(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip(
        "in.mkv",
        frames=25,
        audio=[AUDIO, {**AUDIO, "metadata": {"language": "fre"}}],
        subtitles=[{"codec": "subrip", "lines": [(100, 500, "Guten Tag")], "metadata": {"language": "ger"}}],
        chapters=[(0, 400, "one"), (400, 1000, "two")],
        metadata={"title": "A film", "artist": "Somebody"},
        attachments=[("font.ttf", "font/ttf", b"a font")],
    )
    process(path, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as made:
        assert [stream.type for stream in made.streams] == ["video", "audio", "audio", "subtitle", "attachment"]
        assert [stream.language for stream in made.streams][1:4] == ["ger", "fre", "ger"]
        assert made.streams.audio[0].metadata["title"] == "Ton"
        assert (made.metadata["title"], made.metadata["ARTIST"]) == ("A film", "Somebody")
        assert [(c["start"] * c["time_base"], c["metadata"]["title"]) for c in made.chapters()] == [
            (0, "one"),
            (Fraction(2, 5), "two"),
        ]
        assert made.streams.attachments[0].data == b"a font"
    assert packets(tmp_path / "out.mkv", 3) == [(Fraction(1, 10), b"Guten Tag")]


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize(("start", "expected"), [(None, "01:02:03:04"), (0.4, "01:02:03:14"), (0.41, "01:02:03:15")])
def test_timecodes_begin_with_the_first_frame(
    make_clip: Any, tmp_path: Path, name: str, start: float | None, expected: str
) -> None:
    path = make_clip("in.mov", frames=25, metadata={"timecode": "01:02:03:04"})
    sink = process(path, tmp_path / name, SourceOptions(start_seconds=start))
    assert sink.warnings == []
    source = VideoSource(str(tmp_path / name))
    metadata = {key.lower(): value for key, value in source.info.video_metadata.items()}
    assert metadata["timecode"] == expected
    assert source.info.left_out == ()
    source.close()


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
@pytest.mark.parametrize("turn", [90, 180, -90])
def test_rotation_is_kept(make_clip: Any, tmp_path: Path, name: str, turn: int) -> None:
    path = make_clip(turn=turn, frames=3)
    assert process(path, tmp_path / name).warnings == []
    assert decoded_frames(tmp_path / name)[0].rotation == decoded_frames(path)[0].rotation != 0


def test_rotation_that_cannot_be_stored_is_reported(make_clip: Any, tmp_path: Path) -> None:
    sink = process(make_clip(turn=90, frames=3), tmp_path / "out.ts")
    assert any("rotation" in warning for warning in sink.warnings)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.ts", "out.webm"])
def test_the_same_input_gives_the_same_bytes(make_clip: Any, tmp_path: Path, name: str) -> None:
    path = make_clip("in.mkv", frames=20, audio=[AUDIO], chapters=[(0, 500, "a")])
    made = []
    for _ in range(2):
        process(path, tmp_path / name, overwrite=True)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "name",
    [
        "out.avi",
        "out.y4m",
        "out.gif",
        "out.apng",
        "out.m4v",
        "out.flv",
        "out.wmv",
        "out.mpg",
        "out.vob",
        "out.ogv",
        "out.mxf",
    ],
)
def test_other_containers_hold_all_frames(make_clip: Any, tmp_path: Path, name: str) -> None:
    process(make_clip(frames=10), tmp_path / name)
    assert len(decoded_frames(tmp_path / name)) == 10


@pytest.mark.parametrize("pix_fmt", ["yuv422p10le", "yuv420p12le"])
def test_y4m_holds_more_than_eight_bits(make_clip: Any, tmp_path: Path, pix_fmt: str) -> None:
    process(make_clip("in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=3), tmp_path / "out.y4m")
    assert [frame.format.name for frame in decoded_frames(tmp_path / "out.y4m")] == [pix_fmt] * 3


@pytest.mark.parametrize("format_name", [None, "yuv4mpegpipe", "mpegts", "mp4", "mov", "webm", "avi", "nut"])
def test_standard_output(make_clip: Any, tmp_path: Path, format_name: str | None) -> None:
    path = make_clip(frames=10)
    code = (
        "from stream.media.sink import *\nfrom stream.media.source import *\n"
        f"source = VideoSource({str(path)!r})\nsink = VideoSink('-', source, SinkOptions(format={format_name!r}))\n"
        "for unit in source.units(): sink.write(unit)\nsink.finish()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    (tmp_path / "piped").write_bytes(done.stdout)
    assert len(decoded_frames(tmp_path / "piped")) == 10
    assert done.stderr == b""


def test_a_packet_that_is_refused_at_the_end_ends_no_job(make_clip: Any, tmp_path: Path) -> None:
    """MP4's muxer parses E-AC-3 when its turn comes, which is here when the file is closed."""
    path = make_clip("in.mkv", frames=20, audio=[{**AUDIO, "codec": "eac3", "parts": 60}])
    source = VideoSource(str(path))
    sink = VideoSink(str(tmp_path / "out.mp4"), source, SinkOptions())
    units = list(source.units())
    damaged: Any = av.Packet(b"\x12" * 200)
    place = max(index for index, unit in enumerate(units) if unit.packets)
    last = units[place].packets[-1]
    damaged.stream, damaged.time_base, damaged.pts, damaged.dts = last.stream, last.time_base, last.pts, last.dts
    units[place] = replace(units[place], packets=(*units[place].packets[:-1], damaged))
    for unit in units:
        sink.write(unit)
    sink.finish()
    source.close()
    assert sink.lost_packets == 1
    assert any("when" in warning and "was ended" in warning for warning in sink.warnings)
    assert len(decoded_frames(tmp_path / "out.mp4")) == 20


@pytest.mark.parametrize(("name", "size", "sync"), [("out.ts", 188, 0), ("out.m2ts", 192, 4), ("out.MTS", 192, 4)])
def test_transport_streams_have_the_packets_that_their_name_promises(
    make_clip: Any, tmp_path: Path, name: str, size: int, sync: int
) -> None:
    process(make_clip(frames=10), tmp_path / name)
    data = (tmp_path / name).read_bytes()
    assert set(data[sync::size]) == {0x47}
    assert len(decoded_frames(tmp_path / name)) == 10


def test_abort_leaves_nothing_behind(make_clip: Any, tmp_path: Path) -> None:
    source = VideoSource(str(make_clip(frames=30)))
    target = tmp_path / "sub" / "out.mkv"
    target.parent.mkdir()
    sink = VideoSink(str(target), source, SinkOptions())
    for unit in source.units():
        sink.write(unit)
    sink.abort()
    sink.abort()
    source.close()
    assert os.listdir(target.parent) == []


def test_a_sink_without_frames_is_an_error(make_clip: Any, tmp_path: Path) -> None:
    source = VideoSource(str(make_clip()))
    sink = VideoSink(str(tmp_path / "out.mp4"), source, SinkOptions())
    sink.write(MediaUnit(frame=None))
    with pytest.raises(SinkError, match="No frame"):
        sink.finish()
    sink.abort()
    source.close()


def test_a_full_disk_is_reported_and_cleaned_up(make_clip: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        path = make_clip("in.mkv", codec="ffv1", frames=40, size_wh=(320, 240))
        for name in ("out.mkv", "out.mp4"):
            with pytest.raises(SinkError, match=r"disk is full: .* MB are left"):
                process(path, disk / name, options={"qp": "0"})
            assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("other.mp4", {}, "option output.overwrite"),
        ("out.png", {}, r"frames/%04d\.png"),
        ("out.mp4", {"codec": "libx246"}, "libx264"),
        ("out.mp4", {"preset": "fastest"}, "veryfast"),
        ("out.mp4", {"options": {"g": "five"}}, "cannot be used"),
        ("out.webm", {"codec": "libx264"}, "cannot hold the video"),
        ("out.ogv", {"codec": "libx264"}, "cannot hold the video"),
        ("out.wav", {}, "cannot hold the video"),
    ],
)
def test_mistakes_are_found_before_work_starts(
    make_clip: Any, tmp_path: Path, target: str, options: dict[str, Any], message: str
) -> None:
    path = make_clip("in.mp4")
    (tmp_path / "other.mp4").touch()
    source = VideoSource(str(path))
    with pytest.raises((ConfigurationError, SinkError), match=message) as caught:
        VideoSink(str(tmp_path / target), source, SinkOptions(**options))
    source.close()
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "other.mp4"]


def test_the_summary_names_encoder_format_and_streams(make_clip: Any, tmp_path: Path) -> None:
    sink = process(make_clip("in.mkv", audio=[AUDIO]), tmp_path / "out.mp4", crf=30, preset="fast")
    assert sink.summary == "mp4, libx264 yuv420p crf=30 preset=fast, with audio 1 (aac) ger"


def test_an_unknown_audio_policy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="copy, aac, none"):
        SinkOptions(audio="loud")  # type: ignore[arg-type]


def test_a_dead_server_is_an_error(make_clip: Any) -> None:
    with pytest.raises(EmocolorError, match="refused"):
        process(make_clip(), "rtmp://127.0.0.1:1/live")


def test_real_footage_passes_with_nothing_lost(shared_clips: Path, tmp_path: Path) -> None:
    for name in (
        "face_noface_hevc.mov",
        "odd_face_rotated90.mov",
        "person_pancake.mkv",
        "odd_nasa_multistream_subs.mp4",
    ):
        target = tmp_path / name
        process(shared_clips / name, target, preset="ultrafast")
        given, made = VideoSource(str(shared_clips / name)), VideoSource(str(target))
        assert times(target) == [f.pts * f.time_base for f in _frames(given)]
        assert [c.codec for c in made.info.companions] == [c.codec for c in given.info.companions]
        for before, after in zip(given.info.companions, made.info.companions, strict=True):
            if before.kind == "audio":
                assert packets(target, after.index) == packets(shared_clips / name, before.index)
        assert made.info.rotation == given.info.rotation
        given.close()
        made.close()


def _frames(source: VideoSource) -> list[Any]:
    return [unit.frame for unit in source.units() if unit.frame is not None]
