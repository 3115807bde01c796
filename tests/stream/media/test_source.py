import os
import re
import socket
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emocolor.errors import ConfigurationError, SourceError
from stream.media.source import SourceOptions, VideoSource

AUDIO = {"codec": "aac", "parts": 20, "metadata": {"language": "ger"}}
UNEVEN = [0, 512, 1024, 1100, 2048, 5000, 5512, 9000]


def read(location: Any, **options: Any) -> tuple[VideoSource, list[Any]]:
    """The source, closed, and all its units."""
    source = VideoSource(str(location), SourceOptions(**options))
    units = list(source.units())
    source.close()
    return source, units


def frames_of(units: list[Any]) -> list[Any]:
    return [unit.frame for unit in units if unit.frame is not None]


def packets_of(units: list[Any]) -> list[Any]:
    return [packet for unit in units for packet in unit.packets]


def raw_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov", "clip.nut"])
def test_every_frame_comes_once_with_its_own_time(make_clip: Any, name: str) -> None:
    path = make_clip(name, times=range(20), time_base=Fraction(1, 25))
    _, units = read(path)
    raw = raw_times(path)
    shift = raw[0] if name == "clip.nut" else 0  # where decoding begins before zero, NUT moves everything
    assert [frame.pts for frame in frames_of(units)] == [time - shift for time in raw]


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "3"}), ("mpeg4", {"bf": "2"}), ("mjpeg", {})])
def test_frames_of_avi_files_come_at_their_numbers(make_clip: Any, codec: str, options: dict[str, str]) -> None:
    form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make_clip("clip.avi", times=range(20), time_base=Fraction(1, 25), codec=codec, form=form, options=options)
    source, units = read(path)
    assert [frame.pts for frame in frames_of(units)] == list(range(20))
    assert source.warnings == []


def test_facts_tell_what_the_file_says(make_clip: Any) -> None:
    path = make_clip(
        frames=20,
        audio=[AUDIO],
        chapters=[(0, 400, "one"), (400, 800, "two")],
        metadata={"title": "A film"},
        sample_aspect_ratio=Fraction(4, 3),
        tags={"color_range": 2, "colorspace": 1, "color_primaries": 1, "color_trc": 1},
    )
    source, _ = read(path)
    facts = source.facts
    assert (facts.width, facts.height, facts.codec, facts.frame_rate) == (64, 48, "h264", 25)
    assert (facts.frame_count, facts.duration) == (20, pytest.approx(0.85, abs=0.06))
    assert (facts.sample_aspect, facts.rotation, facts.field_order) == (Fraction(4, 3), 0, "progressive")
    assert (facts.color.matrix, facts.color.full_range) == ("bt709", True)
    assert facts.metadata["title"] == "A film"
    assert [(float(c.start), float(c.end), c.metadata["title"]) for c in facts.chapters] == [
        (0, 0.4, "one"),
        (0.4, 0.8, "two"),
    ]
    assert [(c.kind, c.codec, c.metadata["language"]) for c in facts.companions] == [("audio", "aac", "ger")]
    assert facts.left_out == ()


def test_packets_of_other_streams_travel_in_order(make_clip: Any) -> None:
    path = make_clip(frames=20, audio=[AUDIO])
    _, units = read(path)
    with av.open(str(path)) as container:
        expected = [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]
    assert [(packet.pts, bytes(packet)) for packet in packets_of(units)] == expected


def test_one_origin_is_taken_from_all_streams(make_clip: Any) -> None:
    late = [12800 + i * 512 for i in range(10)]
    _, alone = read(make_clip("alone.ts", times=late))
    assert frames_of(alone)[0].pts == 0
    _, units = read(make_clip("both.mkv", times=late, audio=[{**AUDIO, "codec": "flac"}]))
    assert frames_of(units)[0].time == pytest.approx(1)
    assert packets_of(units)[0].pts == 0


def test_uneven_times_are_kept(make_clip: Any) -> None:
    _, units = read(make_clip(times=UNEVEN))
    assert [frame.pts for frame in frames_of(units)] == UNEVEN


def test_missing_times_come_from_the_frame_rate(make_clip: Any) -> None:
    _, units = read(make_clip("clip.h264", frames=10))
    times = [frame.time for frame in frames_of(units)]
    np.testing.assert_allclose(times, np.arange(10) / 25, atol=1e-6)


@pytest.mark.parametrize(("turn", "expected"), [(-90, 90), (90, 270), (180, 180), (0, 0)])
def test_rotation_is_what_a_player_turns_clockwise(make_clip: Any, turn: int, expected: int) -> None:
    source, units = read(make_clip(turn=turn))
    assert source.facts.rotation == expected
    assert frames_of(units)[0].rotation == expected


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_interlaced_is_told(make_clip: Any, name: str) -> None:
    source, _ = read(make_clip(name, fields=True))
    assert source.facts.field_order == "top first"


@pytest.mark.parametrize(
    ("codec", "form", "name", "expected"),
    [
        ("libx264", "yuv444p", "clip.mkv", "yuv444p"),
        ("libx264", "yuv420p10le", "clip.mkv", "yuv420p10le"),
        ("libx264", "yuvj420p", "clip.mp4", "yuv420p"),
        ("ffv1", "gray", "clip.mkv", "gray"),
        ("ffv1", "bgra", "clip.mkv", "yuv444p"),
        ("png", "rgb24", "clip.nut", "yuv444p"),
        ("ffv1", "yuv422p12le", "clip.mkv", "yuv422p12le"),
    ],
)
@pytest.mark.parametrize("size_wh", [(64, 48), (34, 18)])
def test_pixel_formats(
    make_clip: Any, codec: str, form: str, name: str, expected: str, size_wh: tuple[int, int]
) -> None:
    source, units = read(make_clip(name, codec=codec, form=form, size_wh=size_wh, frames=3))
    assert {(frame.format.name, frame.size_wh) for frame in frames_of(units)} == {(expected, size_wh)}
    assert bool(source.warnings) == (form == "bgra"), source.warnings


def test_raw_frames_are_read_with_a_named_format(tmp_path: Path) -> None:
    path = tmp_path / "frames.raw"
    path.write_bytes(bytes(64 * 48 * 3 // 2 * 4))
    options = {"video_size": "64x48", "pixel_format": "nv12", "framerate": "10"}
    source, units = read(path, format="rawvideo", options=options)
    assert source.facts.format.name == "nv12"
    assert [frame.time for frame in frames_of(units)] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_numbered_images_are_read_from_any_first_number(make_clip: Any, tmp_path: Path) -> None:
    make_clip("%03d.png", codec="png", form="rgb24", format_name="image2", frames=5)
    for number in range(5, 0, -1):
        (tmp_path / f"{number:03d}.png").rename(tmp_path / f"{number + 41:03d}.png")
    _, units = read(tmp_path / "%03d.png")
    assert len(frames_of(units)) == 5


def test_a_still_image_is_one_frame(make_clip: Any) -> None:
    source, units = read(make_clip("still.png", codec="png", form="rgb24", format_name="image2", frames=1))
    assert (source.facts.frame_count, len(frames_of(units))) == (1, 1)


@pytest.mark.parametrize("name", ["clip.y4m", "clip.mkv", "clip.ts"])
def test_standard_input_is_read_without_seeking(make_clip: Any, name: str) -> None:
    path = make_clip(name, codec="wrapped_avframe" if name.endswith("y4m") else "libx264", frames=12)
    code = (
        "from stream.media.source import VideoSource\nprint(sum(u.frame is not None for u in VideoSource('-').units()))"
    )
    with path.open("rb") as file:
        feed = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        done = subprocess.run([sys.executable, "-c", code], stdin=feed.stdout, capture_output=True, text=True)
    assert feed.stdout is not None
    feed.stdout.close()
    feed.wait()
    assert (done.stdout.strip(), done.stderr) == ("12", "")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (None, 0.6), (1.3, None), (0.4, 100)])
def test_a_part_begins_at_zero_and_ends_in_time(
    make_clip: Any, name: str, start: float | None, end: float | None
) -> None:
    path = make_clip(name, frames=50, audio=[{**AUDIO, "parts": 90}], options={"g": "20"})
    times = [frame.time for frame in frames_of(read(path)[1])]
    source, units = read(path, start_seconds=start, end_seconds=end)
    zero, last = start or 0, min(end or 100, 100)
    expected = [time - zero for time in times if zero - 1e-6 <= time < last - 1e-6]
    assert [frame.time for frame in frames_of(units)] == pytest.approx(expected, abs=2e-3)
    track = [float(packet.pts * packet.time_base) for packet in packets_of(units)]
    if start is not None:
        assert 0 <= min(track) < 0.03
    if end is not None and end < 2:
        assert end - zero - 0.03 < max(track) < end - zero
    assert not source.damage.any


def test_chapters_and_subtitles_are_cut_to_the_part(make_clip: Any) -> None:
    path = make_clip(
        "clip.mkv",
        frames=50,
        chapters=[(0, 500, "a"), (500, 1500, "b"), (1500, 2000, "c")],
        subtitles=[{"codec": "subrip", "lines": [(200, 600, "x"), (900, 900, "y")], "metadata": {}}],
    )
    source, units = read(path, start_seconds=0.6, end_seconds=1.2)
    assert [(float(c.start), float(c.end)) for c in source.facts.chapters] == [(0, pytest.approx(0.6))]
    assert [(p.pts, p.duration, bytes(p)) for p in packets_of(units)] == [(0, 200, b"x"), (300, 300, b"y")]


def test_cover_art_is_never_the_video(make_clip: Any) -> None:
    cover = make_clip("cover.jpg", codec="mjpeg", form="yuvj420p", format_name="image2", frames=1).read_bytes()
    path = make_clip(
        "clip.mkv", frames=5, attachments=[("cover.jpg", "image/jpeg", cover), ("f.ttf", "font/ttf", b"F")]
    )
    source, units = read(path)
    assert len(frames_of(units)) == 5
    kinds = {companion.kind: companion.content for companion in source.facts.companions}
    assert kinds == {"frame": cover, "attachment": b"F"}


def test_a_second_video_is_left_out_and_named(make_clip: Any, shared_clips: Path) -> None:
    source, units = read(shared_clips / "odd_nasa_multistream_subs.mp4")
    assert source.facts.left_out == ("video 3 (h264)",)
    assert [companion.kind for companion in source.facts.companions] == ["audio", "subtitle", "audio", "subtitle"]
    assert len(frames_of(units)) == 325


def test_a_frame_that_changes_size_is_scaled_to_the_first(make_clip: Any, tmp_path: Path) -> None:
    parts = [make_clip("a.ts", frames=5), make_clip("b.ts", frames=5, size_wh=(96, 64))]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    source, units = read(joined)
    assert {frame.size_wh for frame in frames_of(units)} == {(64, 48)}
    assert len(frames_of(units)) == 10
    assert any("changes from 64x48" in warning for warning in source.warnings)
    times = [frame.pts for frame in frames_of(units)]
    assert times == sorted(set(times)), "the clock starts anew in the second part"


def test_a_truncated_file_gives_what_it_has(make_clip: Any, tmp_path: Path) -> None:
    whole = make_clip(frames=100, size_wh=(128, 96))
    data = whole.read_bytes()
    # The index at the end of the file has to come first for the rest to be readable at all.
    moved = tmp_path / "moved.mp4"
    with av.open(str(whole)) as given, av.open(str(moved), "w", container_options={"movflags": "faststart"}) as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    moved.write_bytes(moved.read_bytes()[: len(data) * 6 // 10])
    source, units = read(moved)
    assert 10 < len(frames_of(units)) < 100
    assert source.damage.truncated
    assert re.search(r"ends too early, at [123]\.\d s instead of 4\.0 s", source.damage.text)


def test_damaged_pieces_are_counted_and_skipped(make_clip: Any) -> None:
    path = make_clip("clip.nut", codec="png", form="rgb24", frames=30, options={"pred": "none"})
    data = bytearray(path.read_bytes())
    place = data.find(b"IDAT", len(data) // 2)
    data[place + 6 : place + 40] = b"\0" * 34
    path.write_bytes(bytes(data))
    source, units = read(path)
    assert 1 <= source.damage.packets <= 2
    assert len(frames_of(units)) == 30 - source.damage.packets
    assert f"{source.damage.packets} damaged packets" in source.damage.text


def test_stop_ends_the_units_from_another_thread(make_clip: Any) -> None:
    source = VideoSource(str(make_clip(frames=200)))
    units = source.units()
    next(units)
    thread = threading.Thread(target=source.stop)
    thread.start()
    thread.join()
    rest = frames_of(list(units))
    source.close()
    assert len(rest) < 199
    assert not source.damage.any


def test_units_end_after_close(make_clip: Any) -> None:
    source = VideoSource(str(make_clip(frames=200)))
    units = source.units()
    next(units)
    source.close()
    assert len(list(units)) < 199


def test_large_frames_are_refused_with_the_option_that_allows_them(make_clip: Any) -> None:
    path = make_clip()
    with pytest.raises(SourceError, match=r"64x48.*--max-pixels 3072"):
        VideoSource(str(path), SourceOptions(max_pixels=3071))
    read(path, max_pixels=3072)


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
    assert "no frame after 60 s" in reason("clip.mp4", whole, start_seconds=60)


def test_audio_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "audio.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="only audio"):
        VideoSource(str(path))


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
    "options",
    [
        {"start_seconds": -1},
        {"start_seconds": 2, "end_seconds": 2},
        {"start_seconds": float("nan")},
        {"max_pixels": 0},
        {"format": "nonsense"},
    ],
)
def test_options_check_themselves(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SourceOptions(**options)


def test_real_footage_is_read_whole(shared_clips: Path) -> None:
    for name in ("face_noface_hevc.mov", "odd_face_rotated90.mov", "person_pancake.mkv", "made_vfr_face.mp4"):
        source, units = read(shared_clips / name)
        with av.open(str(shared_clips / name)) as container:
            assert [f.pts for f in frames_of(units)] == [p.pts for p in container.decode(container.streams.video[0])]
        assert not source.damage.any, name
