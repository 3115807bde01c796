from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emocolor.errors import SinkError
from emocolor.frames import PIXEL_FORMATS
from stream.media.encoder import has_captions
from stream.media.frames import ColorTags, planes_of
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import MediaUnit, SourceOptions, VideoSource
from tests.stream.archive.films import make_film
from tests.stream.media.clip_io import decoded_frames, frames_of, process, read

LOSSLESS = {"libx264": {"qp": "0"}, "ffv1": {}, "libx265": {"x265-params": "lossless=1"}}


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.avi", "out.ts"])
def test_sample_aspect_is_kept(make_clip: Any, tmp_path: Path, name: str) -> None:
    process(make_clip(sample_aspect_ratio=Fraction(4, 3), frames=10), tmp_path / name)
    with av.open(str(tmp_path / name)) as made:
        assert made.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"color_range": 1, "colorspace": 6, "color_primaries": 5, "color_trc": 6},
        {"color_range": 2, "colorspace": 1, "color_primaries": 1, "color_trc": 13},
        {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16},
    ],
)
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_colour_tags_are_kept(make_clip: Any, tmp_path: Path, name: str, tags: dict[str, int]) -> None:
    path = make_clip(tags=tags, frames=3)
    process(path, tmp_path / name)
    assert ColorTags.of(decoded_frames(tmp_path / name)[0]) == ColorTags.of(decoded_frames(path)[0])


@pytest.mark.parametrize(
    ("pix_fmt", "codec"),
    [
        ("yuv420p", "libx264"),
        ("yuvj420p", "libx264"),
        ("yuv444p", "libx264"),
        ("yuv422p10le", "libx264"),
        ("yuv420p10le", "libx265"),
        ("yuv422p12le", "ffv1"),
        ("yuv411p", "ffv1"),
    ],
)
def test_planes_pass_unchanged_to_a_lossless_encoder(make_clip: Any, tmp_path: Path, pix_fmt: str, codec: str) -> None:
    path = make_clip("in.mkv", codec="ffv1" if pix_fmt != "yuvj420p" else "libx264", pix_fmt=pix_fmt, frames=3)
    sink = process(path, tmp_path / "out.mkv", codec=codec, options=LOSSLESS[codec], pix_fmt=pix_fmt)
    given, made = decoded_frames(path), decoded_frames(tmp_path / "out.mkv")
    assert sink.warnings == []
    for one, other in zip(given, made, strict=True):
        plain = PIXEL_FORMATS[pix_fmt.replace("yuvj", "yuv")]
        for expected, found in zip(planes_of(one, plain), planes_of(other, plain), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_raw_nv12_is_encoded_as_it_is(tmp_path: Path) -> None:
    raw = tmp_path / "in.raw"
    raw.write_bytes(np.random.default_rng(0).integers(30, 200, 64 * 72 * 3, np.uint8).tobytes())
    part = SourceOptions(format="rawvideo", options={"video_size": "64x48", "pixel_format": "nv12"})
    process(raw, tmp_path / "out.mp4", part, options={"qp": "0"})
    found = decoded_frames(tmp_path / "out.mp4")
    luma = np.concatenate([planes_of(one, PIXEL_FORMATS["yuv420p"])[0].ravel() for one in found])
    frames = np.frombuffer(raw.read_bytes(), np.uint8).reshape(3, -1)
    np.testing.assert_array_equal(luma, frames[:, : 64 * 48].ravel())


def test_gray_becomes_neutral_colour_with_the_same_luma(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="ffv1", pix_fmt="gray", frames=2)
    process(path, tmp_path / "out.mp4", options={"qp": "0"})
    made = decoded_frames(tmp_path / "out.mp4")[0]
    assert (made.format.name, made.color_range) == ("yuvj420p", 2)
    luma, u, v = planes_of(made, PIXEL_FORMATS["yuv420p"])
    np.testing.assert_array_equal(luma, planes_of(decoded_frames(path)[0], PIXEL_FORMATS["gray"])[0])
    assert (u.min(), u.max(), v.min(), v.max()) == (128, 128, 128, 128)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("pix_fmt", [None, "yuv420p"])
def test_odd_sizes_lose_no_line(make_clip: Any, tmp_path: Path, codec: str, pix_fmt: str | None) -> None:
    path = make_clip("in.mkv", codec="ffv1", size_wh=(33, 17), frames=3)
    sink = process(path, tmp_path / "out.mp4", codec=codec, options=LOSSLESS[codec], pix_fmt=pix_fmt)
    assert sink.warnings == [
        f"{codec} encodes yuv420p in even sizes alone: 33x17 becomes 34x18; the last column or row is repeated."
    ]
    pixel_format = PIXEL_FORMATS["yuv420p"]
    for given, made in zip(decoded_frames(path), decoded_frames(tmp_path / "out.mp4"), strict=True):
        assert (made.width, made.height, made.format.name) == (34, 18, "yuv420p")
        luma = planes_of(made, pixel_format)[0]
        np.testing.assert_array_equal(luma[:17, :33], planes_of(given, pixel_format)[0])
        np.testing.assert_array_equal(luma[:, 33], luma[:, 32])


def test_encoders_that_take_odd_sizes_get_them(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="ffv1", size_wh=(33, 17), frames=3)
    assert process(path, tmp_path / "out.webm").warnings == []
    made = decoded_frames(tmp_path / "out.webm")[0]
    assert (made.width, made.height, made.format.name) == (33, 17, "yuv420p")


def test_rgb_becomes_what_players_decode(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="libx264rgb", pix_fmt="rgb24", size_wh=(33, 17), frames=3)
    for name in ("out.mp4", "out.webm"):
        sink = process(path, tmp_path / name)
        assert decoded_frames(tmp_path / name)[0].format.name == "yuv420p"
        assert any("chroma resolution" in warning and "output.pix_fmt" in warning for warning in sink.warnings)
    assert process(path, tmp_path / "out.mkv", pix_fmt="yuv444p").warnings == []
    assert decoded_frames(tmp_path / "out.mkv")[0].format.name == "yuv444p"
    process(path, tmp_path / "lossless.mkv", codec="ffv1")
    assert decoded_frames(tmp_path / "lossless.mkv")[0].format.name == "yuv444p"


def test_h264_that_few_players_decode_is_reported(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="ffv1", pix_fmt="yuv444p", frames=3)
    assert process(path, tmp_path / "out.mp4").warnings == [
        "Few players decode H.264 in yuv444p. The option output.pix_fmt with yuv420p suits all of them."
    ]


def test_gray_has_the_matrix_of_its_chroma(make_clip: Any, tmp_path: Path) -> None:
    """FFmpeg tags gray PNG with the matrix of RGB, which YUV cannot have."""
    path = make_clip("in.mov", codec="png", pix_fmt="gray", tags={"colorspace": 0}, frames=2)
    assert int(decoded_frames(path)[0].colorspace) == 0
    process(path, tmp_path / "out.mp4")
    assert int(decoded_frames(tmp_path / "out.mp4")[0].colorspace) == 6


def test_lost_bits_are_reported(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="ffv1", pix_fmt="yuv444p12le", frames=2)
    sink = process(path, tmp_path / "out.mp4", codec="mpeg2video")
    assert decoded_frames(tmp_path / "out.mp4")[0].format.name == "yuv422p"
    assert any("bits and chroma resolution" in warning for warning in sink.warnings)


@pytest.mark.parametrize("codec", ["libx264", "libx264rgb", "mpeg2video", "mpeg4", "ffv1", "prores_ks"])
@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_fields_are_kept(make_clip: Any, tmp_path: Path, codec: str, order: str, name: str) -> None:
    if name == "out.mp4" and codec in ("libx264rgb", "ffv1", "prores_ks"):
        name = "out.mov" if codec == "prores_ks" else "out.mkv"
    path = make_clip(fields=order, frames=6, options={"x264-params": "bff=1"} if order == "bff" else {})
    process(path, tmp_path / name, codec=codec)
    assert all(frame.interlaced_frame for frame in decoded_frames(tmp_path / name))
    source, units = read(tmp_path / name)
    assert source.info.field_order == {"tff": "top first", "bff": "bottom first"}[order]
    assert len(frames_of(units)) == 6
    if name == "out.mkv" or codec == "libx264":
        with av.open(str(tmp_path / name)) as made:
            assert made.streams.video[0].codec_context.field_order == {"tff": 2, "bff": 3}[order]


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_the_order_of_fields_is_that_of_the_frames(make_clip: Any, order: str) -> None:
    """DV in AVI and much else has it in the frames alone."""
    path = make_clip("in.avi", codec="mpeg4", fields=order, frames=3)
    source, _ = read(path)
    assert source.info.field_order == {"tff": "top first", "bff": "bottom first"}[order]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_hdr_metadata_is_kept(shared_clips: Path, tmp_path: Path, codec: str) -> None:
    given = shared_clips / "made_hdr10_pq.mp4"
    process(given, tmp_path / "out.mp4", SourceOptions(end_seconds=0.2), codec=codec, preset="ultrafast")
    first, second = VideoSource(str(given)), VideoSource(str(tmp_path / "out.mp4"))
    assert second.info.hdr == first.info.hdr is not None
    assert (second.info.color, second.info.pix_fmt) == (first.info.color, "yuv420p10le")
    first.close()
    second.close()


def test_images_have_the_colours_of_the_video(make_clip: Any, tmp_path: Path) -> None:
    tags = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    path = make_clip("in.mkv", codec="ffv1", pix_fmt="yuv444p", tags=tags, frames=1)
    process(path, tmp_path / "%d.png")
    y, u, v = (plane.astype(float) for plane in planes_of(decoded_frames(path)[0], PIXEL_FORMATS["yuv444p"]))
    luma, blue, red = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    expected = np.stack([luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue], axis=-1)
    found = decoded_frames(tmp_path / "1.png")[0].to_ndarray(format="rgb24")
    np.testing.assert_allclose(found, np.clip(expected * 255, 0, 255), atol=1.6)


def test_frames_that_change_form_are_refused(make_clip: Any, tmp_path: Path) -> None:
    source = VideoSource(str(make_clip()))
    sink = VideoSink(str(tmp_path / "out.mp4"), source, SinkOptions())
    units = source.units()
    sink.write(next(units))
    frame = next(units).frame
    assert frame is not None
    smaller = replace(frame, planes=tuple(plane[:16, :16] for plane in frame.planes), handle=None)
    with pytest.raises(SinkError, match="16x16"):
        sink.write(MediaUnit(frame=smaller))
    sink.abort()
    source.close()


def captioned(make_clip: Any, **settings: Any) -> Path:
    """H.264 whose first frame has closed captions."""
    path: Path = make_clip("clip.h264", frames=3, options={"bf": "0"}, **settings)
    caption = bytes.fromhex("00000001 06 04 0e b5 0031 47413934 03 41 ff fc8080 ff 80")
    data = path.read_bytes()
    first = data.index(b"\x00\x00\x01\x65")
    path.write_bytes(data[:first] + caption[1:] + data[first:])
    return path


def test_frames_with_captions_are_known(make_clip: Any) -> None:
    """They go to NVENC by the host's memory, where PyAV keeps what is attached to them."""
    frames = decoded_frames(captioned(make_clip))
    assert [has_captions(one) for one in frames] == [True, False, False]
    assert not has_captions(None)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video", "libvpx-vp9", "libsvtav1", "ffv1"])
@pytest.mark.parametrize("size_wh", [(128, 96), (127, 95)])
def test_captions_are_kept_or_missed(make_clip: Any, tmp_path: Path, codec: str, size_wh: tuple[int, int]) -> None:
    path = captioned(make_clip, size_wh=size_wh, pix_fmt="yuv444p")
    sink = process(path, tmp_path / "out.mkv", codec=codec, pix_fmt="yuv420p")
    kept = [has_captions(frame) for frame in decoded_frames(tmp_path / "out.mkv")]
    assert kept == [codec in ("libx264", "libx265", "mpeg2video"), False, False]
    assert any("closed captions" in warning for warning in sink.warnings) != kept[0]


@pytest.mark.parametrize(
    ("codec", "rate", "expected"),
    [("mpeg2video", Fraction(25), 25), ("mpeg2video", Fraction(26), 25), ("mpeg4", Fraction(30000, 1001), 29.97)],
)
def test_encoders_that_count_frames_get_a_rate_that_they_have(
    make_clip: Any, tmp_path: Path, codec: str, rate: Fraction, expected: float
) -> None:
    step = 1 / rate / Fraction(1, 90000)
    path = make_clip(
        "in.mkv", times=[round(step * index) for index in range(10)], rate=rate, time_base=Fraction(1, 90000)
    )
    process(path, tmp_path / "out.mkv", codec=codec)
    with av.open(str(tmp_path / "out.mkv")) as made:
        assert float(made.streams.video[0].average_rate) == pytest.approx(expected, abs=0.01)
    assert len(decoded_frames(tmp_path / "out.mkv")) == 10


def test_times_are_rounded_to_a_fixed_rate_with_a_warning(make_clip: Any, tmp_path: Path) -> None:
    uneven = [512 * index + (200 if index == 20 else 0) for index in range(50)]
    sink = process(make_clip("in.mkv", times=uneven), tmp_path / "out.avi")
    _, units = read(tmp_path / "out.avi")
    assert [frame.pts for frame in frames_of(units)] == list(range(50))
    assert [warning for warning in sink.warnings if "fixed frame rate (25)" in warning]


def test_each_run_gives_the_same_bytes(tmp_path: Path) -> None:
    """A film in motion, of a size at which x264's code for AVX-512 reads beyond the macroblocks of a row."""
    film = make_film(tmp_path / "film.mp4")
    found = set()
    for _ in range(12):
        process(film, tmp_path / "out.mkv", overwrite=True)
        found.add((tmp_path / "out.mkv").read_bytes())
    assert len(found) == 1
