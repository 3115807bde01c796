from pathlib import Path
from typing import Any

import av
import pytest

from emocolor.errors import SourceError
from stream.media.reading.frame_size import decoder_options, is_too_large, limit_frames, too_large
from stream.media.reading.source_options import SourceOptions
from stream.media.source import VideoSource
from tests.stream.media.clip_io import frames_of, read

MARGIN = 64 * 65_536
"""Pixels by which FFmpeg's own count may exceed a frame's."""


def growing(make_clip: Any, path: Path, **settings: Any) -> Path:
    """Two clips joined byte by byte, the second of more pixels than the margin."""
    parts = [
        make_clip(f"{number}{path.suffix}", size_wh=size_wh, frames=frames, **settings)
        for number, (size_wh, frames) in enumerate([((64, 48), 12), ((2624, 1640), 8)])
    ]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "settings"),
    [
        ("grows.h264", "libx264", {"options": {"preset": "ultrafast", "bf": "0"}}),
        ("grows.mjpeg", "mjpeg", {"pix_fmt": "yuvj420p"}),
    ],
)
def test_frames_that_grow_beyond_the_limit_are_left_out_and_named(
    make_clip: Any, tmp_path: Path, name: str, codec: str, settings: Any
) -> None:
    path = growing(make_clip, tmp_path / name, codec=codec, **settings)
    source, units = read(path, max_pixels=64 * 48)
    assert {frame.size_wh for frame in frames_of(units)} == {(64, 48)}
    assert len(frames_of(units)) == 12
    assert source.damage.packets > 0
    if codec == "libx264":  # other decoders forget a size that they refuse
        assert any("2624x1640 are more than 3072 pixels" in warning for warning in source.warnings)
    assert len(frames_of(read(path)[1])) == 20


def test_frames_within_ffmpeg_s_margin_are_left_out_too(make_clip: Any, tmp_path: Path) -> None:
    parts = [make_clip("a.h264", frames=3), make_clip("b.h264", frames=3, size_wh=(128, 96))]
    path = tmp_path / "grows.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    source, units = read(path, max_pixels=64 * 48)
    assert len(frames_of(units)) == 3
    assert source.damage.packets == 3
    assert any("Frames of 128x96" in warning for warning in source.warnings)


def test_a_header_that_names_a_smaller_size_is_seen_through(make_clip: Any, tmp_path: Path) -> None:
    jpeg = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}
    with (
        av.open(str(make_clip("small.mkv", **jpeg))) as small,
        av.open(str(make_clip("big.mkv", size_wh=(640, 480), **jpeg))) as big,
    ):
        path = tmp_path / "wrong.mkv"
        with av.open(str(path), "w") as made:
            stream = made.add_stream_from_template(small.streams.video[0])
            for packet in big.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    made.mux(packet)
    with pytest.raises(SourceError, match="is 640x480, more than 3072 pixels"):
        VideoSource(str(path), SourceOptions(max_pixels=64 * 48))


def test_a_decoder_refuses_before_it_allocates(make_clip: Any) -> None:
    limit = 2624 * 1640 - MARGIN - 1
    path = make_clip("big.png", codec="png", pix_fmt="rgb24", format_name="image2", frames=1, size_wh=(2624, 1640))
    context: Any = av.CodecContext.create("png", "r")
    limit_frames(context, limit)
    assert context.options == decoder_options(limit)
    with pytest.raises(av.FFmpegError):
        context.decode(av.Packet(path.read_bytes()))


def test_the_limit_itself_is_allowed_whatever_the_width(make_clip: Any) -> None:
    assert len(frames_of(read(make_clip("odd.mkv", size_wh=(66, 50), frames=3), max_pixels=66 * 50)[1])) == 3
    frame = av.VideoFrame(66, 50, "yuv420p")
    assert not is_too_large(frame, 3300)
    assert is_too_large(frame, 3299)


def test_the_error_names_the_option_that_allows_it() -> None:
    assert str(too_large("film.mkv", (200, 100), 99)) == (
        "film.mkv is 200x100, more than 99 pixels. Set the option input.max_pixels to 20000 to allow it."
    )


def test_a_small_file_that_grows_to_a_huge_frame(cases: Path) -> None:
    source, units = read(cases / "broken/max_pixels_bypass_grow.h264")
    assert {frame.size_wh for frame in frames_of(units)} == {(160, 120)}
    assert any("Frames of 16384x8192" in warning for warning in source.warnings)
