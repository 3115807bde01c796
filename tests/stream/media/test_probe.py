import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from stream.media.probe import (
    companions_of,
    display_matrix_of,
    duration_of,
    field_order_of,
    frame_rate_of,
    hdr_of,
    left_out,
    main_video,
    promised_end,
    rotation_of,
    start_of,
)
from tests.stream.media.clip_io import frames_of, packets_of, read


@pytest.mark.parametrize(("turn", "expected"), [(-90, 90), (90, 270), (180, 180), (0, 0)])
def test_rotation_is_what_a_player_turns_clockwise(make_clip: Any, turn: int, expected: int) -> None:
    source, units = read(make_clip(turn=turn))
    assert source.info.rotation == expected
    assert frames_of(units)[0].rotation == expected


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_the_field_order_is_read(make_clip: Any, name: str) -> None:
    source, _ = read(make_clip(name, fields="tff"))
    assert source.info.field_order == "top first"


def test_chapters_and_subtitles_are_cut_to_the_part(make_clip: Any) -> None:
    path = make_clip(
        "clip.mkv",
        frames=50,
        chapters=[(0, 500, "a"), (500, 1500, "b"), (1500, 2000, "c")],
        subtitles=[{"codec": "subrip", "lines": [(200, 600, "x"), (900, 900, "y")], "metadata": {}}],
    )
    source, units = read(path, start_seconds=0.6, end_seconds=1.2)
    assert [(float(c.start), float(c.end)) for c in source.info.chapters] == [(0, pytest.approx(0.6))]
    assert [(p.pts, p.duration, bytes(p)) for p in packets_of(units)] == [(0, 200, b"x"), (300, 300, b"y")]


def test_cover_art_is_never_the_video(make_clip: Any) -> None:
    cover = make_clip("cover.jpg", codec="mjpeg", pix_fmt="yuvj420p", format_name="image2", frames=1).read_bytes()
    path = make_clip(
        "clip.mkv", frames=5, attachments=[("cover.jpg", "image/jpeg", cover), ("f.ttf", "font/ttf", b"F")]
    )
    source, units = read(path)
    assert len(frames_of(units)) == 5
    kinds = {companion.kind: companion.content for companion in source.info.companions}
    assert kinds == {"cover": cover, "attachment": b"F"}


def test_a_second_video_is_left_out_and_named(make_clip: Any, shared_clips: Path) -> None:
    source, units = read(shared_clips / "odd_nasa_multistream_subs.mp4")
    assert source.info.left_out == ("video 3 (h264)",)
    assert [companion.kind for companion in source.info.companions] == ["audio", "subtitle", "audio", "subtitle"]
    assert len(frames_of(units)) == 325


def test_the_video_is_the_one_marked_as_default(make_clip: Any, tmp_path: Path) -> None:
    clip, path = make_clip("clip.mkv"), tmp_path / "two.mkv"
    with av.open(str(clip)) as given, av.open(str(path), "w") as made:
        streams = [made.add_stream_from_template(given.streams.video[0]) for _ in range(2)]
        streams[0].disposition, streams[1].disposition = 0, int(Disposition.default)
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = streams[1]
                made.mux(packet)
    with av.open(str(path)) as container:
        main = main_video(container)
        assert main is not None
        assert main.index == 1
        assert companions_of(container, main) == ()
        assert left_out(container, [main.index]) == ("video 0 (h264)",)


def test_audio_alone_has_no_main_video(make_clip: Any, tmp_path: Path) -> None:
    clip, path = make_clip("clip.mkv", audio=[{"codec": "aac", "parts": 20}]), tmp_path / "audio.mkv"
    with av.open(str(clip)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    with av.open(str(path)) as container:
        assert main_video(container) is None


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_start_rate_and_end_are_read_from_the_header(make_clip: Any, name: str) -> None:
    times = [12800 + 512 * index for index in range(25)]
    with av.open(str(make_clip(name, times=times, options={"bf": "0"}))) as container:
        stream, start = container.streams.video[0], start_of(container)
        assert (frame_rate_of(stream), start) == (25, 1)
        assert promised_end(stream, start) == 1
        duration = duration_of(container, stream)
    assert duration == {"clip.mp4": 1, "clip.mkv": 2}[name], "Matroska's begins at the clock's zero"


def test_a_frame_that_is_shown_as_it_is_stored_has_no_matrix(make_clip: Any) -> None:
    with av.open(str(make_clip())) as container:
        frame = next(container.decode(video=0))
        assert display_matrix_of(frame) is None
        assert hdr_of(frame) is None
        assert field_order_of(container.streams.video[0], frame) == "progressive"
        # a = -1 mirrors left to right; with b, c it is turned by a quarter as well
        one = 1 << 16
        assert rotation_of(frame, (-one, 0, 0, 0, one, 0, 0, 0, 1 << 30)) == 0
        assert rotation_of(frame, (one, 0, 0, 0, -one, 0, 0, 0, 1 << 30)) == 180
        assert rotation_of(frame, (0, -one, 0, -one, 0, 0, 0, 0, 1 << 30)) == 90


def joined_streams(path: Path, *clips: Path) -> Path:
    """A file with the video and audio of several, as they are."""
    with contextlib.ExitStack() as stack:
        given = [stack.enter_context(av.open(str(clip))) for clip in clips]
        made = stack.enter_context(av.open(str(path), "w"))
        pairs = [(one, made.add_stream_from_template(one)) for other in given for one in other.streams]
        for source, target in pairs:
            for packet in (one for one in source.container.demux(source) if one.size):
                packet.stream = target
                made.mux(packet)
    return path


def test_of_two_videos_the_one_that_moves_is_taken(make_clip: Any, tmp_path: Path) -> None:
    still, moving = make_clip("still.mp4", frames=1), make_clip("moving.mp4", frames=10)
    with av.open(str(joined_streams(tmp_path / "both.mp4", still, moving))) as container:
        video = main_video(container)
        assert video is not None
        assert video.frames == 10


def test_audio_that_is_longer_than_the_video_is_no_promise(make_clip: Any) -> None:
    path = make_clip("clip.mkv", frames=25, audio=[{"codec": "flac", "parts": 120}])
    with av.open(str(path)) as container:
        assert float(promised_end(container.streams.video[0], Fraction(0)) or 0) == pytest.approx(1, abs=0.05)


def test_windows_media_counts_its_length_from_zero(make_clip: Any) -> None:
    times = range(7 * 12_800, 8 * 12_800, 512)
    with av.open(str(make_clip("clip.wmv", times=times, codec="wmv2"))) as container:
        stream, start = container.streams.video[0], start_of(container)
        assert float(start) == pytest.approx(7, abs=0.1)
        assert float(promised_end(stream, start) or 0) == pytest.approx(1, abs=0.1)


def test_a_pause_does_not_lower_the_frame_rate(make_clip: Any) -> None:
    times = [512 * index for index in (*range(20), *range(5000, 5020))]
    with av.open(str(make_clip(times=times))) as container:
        assert frame_rate_of(container.streams.video[0]) == 25
