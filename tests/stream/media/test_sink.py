import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emocolor.errors import ConfigurationError, EmocolorError, SinkError
from emocolor.frames import PIXEL_FORMATS
from stream.media.frames import ColorTags, planes_of
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import SourceOptions, Unit, VideoSource

AUDIO = {"codec": "aac", "parts": 40, "metadata": {"language": "ger", "title": "Ton"}}
UNEVEN = [0, 512, 1024, 1100, 2048, 5000, 5512, 9000]
LOSSLESS = {"libx264": {"qp": "0"}, "ffv1": {}, "libx265": {"x265-params": "lossless=1"}}


def process(given: Any, target: Any, part: SourceOptions | None = None, **options: Any) -> VideoSink:
    """Read everything and write it, without effects."""
    source = VideoSource(str(given), part)
    sink = VideoSink(str(target), source, SinkOptions(**options))
    try:
        for unit in source.units():
            sink.write(unit)
        sink.finish()
    except BaseException:
        sink.abort()
        raise
    finally:
        source.close()
    return sink


def decoded_frames(path: Any) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


def times(path: Any) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in decoded_frames(path)]


def packets(path: Any, index: int) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(container.streams[index]) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in found]


def samples(path: Any) -> tuple[float, np.ndarray[Any, Any]]:
    """When the audio starts, in seconds, and its first channel."""
    with av.open(str(path)) as container:
        stream, made = container.streams.audio[0], []
        frames = list(container.decode(stream))
        resampler = av.AudioResampler("fltp", "stereo", stream.codec_context.sample_rate)
        made = [piece for frame in frames for piece in resampler.resample(frame)]
        return float(frames[0].pts * frames[0].time_base), np.concatenate([piece.to_ndarray()[0] for piece in made])


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_audio_is_copied_bit_for_bit_and_frames_keep_their_times(make_clip: Any, tmp_path: Path, name: str) -> None:
    path = make_clip("in.mkv", frames=20, audio=[AUDIO])
    sink = process(path, tmp_path / name)
    assert sink.warnings == []
    assert sink.frames_written == 20
    assert times(tmp_path / name) == times(path)
    assert packets(tmp_path / name, 1) == packets(path, 1)


@pytest.mark.parametrize(("name", "layout"), [("in.avi", "stereo"), ("in.mkv", "stereo"), ("in.mkv", "5.1")])
def test_audio_whose_channels_have_no_names_is_copied(make_clip: Any, tmp_path: Path, name: str, layout: str) -> None:
    """AVI and Matroska store PCM so; MP4's and MOV's headers must name them."""
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    path = make_clip(name, frames=20, codec=codec, audio=[{**AUDIO, "codec": "pcm_s16le", "layout": layout}])
    with av.open(str(path)) as clip:
        assert clip.streams.audio[0].layout.name.endswith("channels")
    for target in (tmp_path / "out.mp4", tmp_path / "out.mov", tmp_path / "out.mkv"):
        assert process(path, target).warnings == []
        with av.open(str(target)) as made:
            stream = made.streams.audio[0]
            assert stream.codec_context.name == "pcm_s16le"
            assert target.suffix == ".mkv" or stream.layout.name == layout
        assert b"".join(data for *_, data in packets(target, 1)) == b"".join(data for *_, data in packets(path, 1))


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


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_cover_art_is_kept(make_clip: Any, tmp_path: Path, name: str) -> None:
    cover = make_clip("cover.jpg", codec="mjpeg", form="yuvj420p", format_name="image2", frames=1).read_bytes()
    path = make_clip("in.mkv", frames=5, attachments=[("cover.jpg", "image/jpeg", cover)])
    process(path, tmp_path / name)
    again = VideoSource(str(tmp_path / name))
    assert [(companion.kind, companion.content) for companion in again.facts.companions] == [("frame", cover)]
    again.close()


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
@pytest.mark.parametrize("turn", [90, 180, -90])
def test_rotation_is_kept(make_clip: Any, tmp_path: Path, name: str, turn: int) -> None:
    path = make_clip(turn=turn, frames=3)
    assert process(path, tmp_path / name).warnings == []
    assert decoded_frames(tmp_path / name)[0].rotation == decoded_frames(path)[0].rotation != 0


def test_rotation_that_cannot_be_kept_is_told(make_clip: Any, tmp_path: Path) -> None:
    sink = process(make_clip(turn=90, frames=3), tmp_path / "out.ts")
    assert any("turned" in warning for warning in sink.warnings)


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
    ("form", "codec"),
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
def test_planes_pass_unchanged_to_a_lossless_encoder(make_clip: Any, tmp_path: Path, form: str, codec: str) -> None:
    path = make_clip("in.mkv", codec="ffv1" if form != "yuvj420p" else "libx264", form=form, frames=3)
    sink = process(path, tmp_path / "out.mkv", codec=codec, options=LOSSLESS[codec])
    given, made = decoded_frames(path), decoded_frames(tmp_path / "out.mkv")
    assert sink.warnings == []
    for one, other in zip(given, made, strict=True):
        plain = PIXEL_FORMATS[form.replace("yuvj", "yuv")]
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
    path = make_clip("in.mkv", codec="ffv1", form="gray", frames=2)
    process(path, tmp_path / "out.mp4", options={"qp": "0"})
    made = decoded_frames(tmp_path / "out.mp4")[0]
    assert (made.format.name, made.color_range) == ("yuvj420p", 2)
    luma, u, v = planes_of(made, PIXEL_FORMATS["yuv420p"])
    np.testing.assert_array_equal(luma, planes_of(decoded_frames(path)[0], PIXEL_FORMATS["gray"])[0])
    assert (u.min(), u.max(), v.min(), v.max()) == (128, 128, 128, 128)


def test_odd_sizes_lose_no_line(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="ffv1", size_wh=(33, 17), frames=3)
    process(path, tmp_path / "out.mp4")
    made = decoded_frames(tmp_path / "out.mp4")[0]
    assert (made.width, made.height, made.format.name) == (33, 17, "yuv444p")


def test_fewer_bits_are_told(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", codec="ffv1", form="yuv444p12le", frames=2)
    sink = process(path, tmp_path / "out.mp4", codec="mpeg2video")
    assert decoded_frames(tmp_path / "out.mp4")[0].format.name == "yuv422p"
    assert any("bits and chroma resolution" in warning for warning in sink.warnings)


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_fields_are_kept(make_clip: Any, tmp_path: Path, codec: str) -> None:
    process(make_clip(fields=True, frames=6), tmp_path / "out.mkv", codec=codec)
    assert all(frame.interlaced_frame for frame in decoded_frames(tmp_path / "out.mkv"))
    with av.open(str(tmp_path / "out.mkv")) as made:
        assert made.streams.video[0].codec_context.field_order == 2


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_hdr_metadata_is_kept(shared_clips: Path, tmp_path: Path, codec: str) -> None:
    given = shared_clips / "made_hdr10_pq.mp4"
    process(given, tmp_path / "out.mp4", SourceOptions(end_seconds=0.2), codec=codec, preset="ultrafast")
    first, second = VideoSource(str(given)), VideoSource(str(tmp_path / "out.mp4"))
    assert second.facts.hdr == first.facts.hdr is not None
    assert (second.facts.color, second.facts.pix_fmt) == (first.facts.color, "yuv420p10le")
    first.close()
    second.close()


@pytest.mark.parametrize(
    ("codec", "target", "expected"),
    [("libopus", "out.avi", "mp3"), ("aac", "out.webm", "opus"), ("pcm_s16le", "out.ts", "aac")],
)
def test_audio_that_does_not_fit_is_encoded_anew_in_time(
    make_clip: Any, tmp_path: Path, codec: str, target: str, expected: str
) -> None:
    path = make_clip("in.mkv", frames=20, audio=[{**AUDIO, "codec": codec}])
    sink = process(path, tmp_path / target)
    assert [warning for warning in sink.warnings if "audio 1" in warning]
    with av.open(str(tmp_path / target)) as made:
        assert made.streams.audio[0].codec_context.codec.canonical_name.startswith(expected)
    start, wave = samples(tmp_path / target)
    assert start + len(wave) / 48000 == pytest.approx(40 * 1024 / 48000, abs=0.09)
    assert np.abs(wave).max() == pytest.approx(8000 / 32768, rel=0.3)


def test_audio_encoded_anew_stays_where_it_was(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", frames=50, audio=[{**AUDIO, "codec": "flac", "parts": 90}])
    part = SourceOptions(start_seconds=0.4, end_seconds=1.4)
    process(path, tmp_path / "out.mp4", part, audio="aac")
    before_start, before = samples(path)
    after_start, after = samples(tmp_path / "out.mp4")
    # The tone's phase tells where it came to lie; Matroska's times are in milliseconds.
    steps = np.arange(20000, 24000)
    here = np.exp(-2j * np.pi * 440 * (steps / 48000))
    phase = np.angle((after[steps - round(after_start * 48000)] * here).sum())
    moved = np.angle((before[steps + round((0.4 - before_start) * 48000)] * here).sum())
    assert abs(np.angle(np.exp(1j * (phase - moved)))) / (2 * np.pi * 440) < 0.001
    assert len(after) / 48000 == pytest.approx(1.0, abs=0.06)


def test_gaps_in_the_audio_are_filled_with_silence(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", frames=50, audio=[{**AUDIO, "codec": "pcm_s16le", "parts": 90}])
    source = VideoSource(str(path))
    sink = VideoSink(str(tmp_path / "out.mkv"), source, SinkOptions(audio="aac"))
    for unit in source.units():
        kept = [packet for packet in unit.packets if not 0.5 <= packet.pts * packet.time_base < 1.0]
        sink.write(replace(unit, packets=tuple(kept)))
    sink.finish()
    source.close()
    start, wave = samples(tmp_path / "out.mkv")
    at = [int((time - start) * 48000) for time in (0.3, 0.75, 1.2)]
    levels = [np.abs(wave[place : place + 2000]).max() for place in at]
    assert levels[0] > 0.2 > 0.01 > levels[1]
    assert levels[2] > 0.2


def test_audio_can_be_left_out(make_clip: Any, tmp_path: Path) -> None:
    process(make_clip(audio=[AUDIO]), tmp_path / "out.mp4", audio="none")
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert [stream.type for stream in made.streams] == ["video"]


@pytest.mark.parametrize(("name", "codec"), [("out.mp4", "mov_text"), ("out.webm", "webvtt")])
def test_text_subtitles_change_their_format(make_clip: Any, tmp_path: Path, name: str, codec: str) -> None:
    lines = [(100, 400, "Guten Tag"), (600, 300, "Tschüs")]
    path = make_clip("in.mkv", frames=25, subtitles=[{"codec": "subrip", "lines": lines, "metadata": {}}])
    sink = process(path, tmp_path / name, codec=None if name == "out.mp4" else "libvpx-vp9")
    assert any(codec in warning for warning in sink.warnings)
    with av.open(str(tmp_path / name)) as made:
        stream = made.streams.subtitles[0]
        assert stream.codec_context.name == codec
        shown = []
        for packet in made.demux(stream):
            for text in packet.decode() if packet.size > 2 else []:
                shown.append((packet.pts * packet.time_base, text.dialogue.decode()))
    assert shown == [(Fraction(1, 10), "Guten Tag"), (Fraction(3, 5), "Tschüs")]


def test_subtitles_that_do_not_fit_are_left_out_and_named(make_clip: Any, tmp_path: Path) -> None:
    text = {"codec": "subrip", "lines": [(0, 400, "x")], "metadata": {}}
    sink = process(make_clip("in.mkv", subtitles=[text]), tmp_path / "out.ts")
    assert any("subtitle 1" in warning and "left out" in warning for warning in sink.warnings)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.ts", "out.webm"])
def test_the_same_input_gives_the_same_bytes(make_clip: Any, tmp_path: Path, name: str) -> None:
    path = make_clip("in.mkv", frames=20, audio=[AUDIO], chapters=[(0, 500, "a")])
    made = []
    for _ in range(2):
        process(path, tmp_path / name, overwrite=True)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(("ending", "form"), [("png", "rgb24"), ("jpg", "yuvj420p"), ("tiff", "rgb24")])
def test_numbered_images(make_clip: Any, tmp_path: Path, ending: str, form: str) -> None:
    process(make_clip(frames=4), tmp_path / f"%03d.{ending}")
    assert sorted(path.name for path in tmp_path.glob(f"*.{ending}")) == [f"00{n}.{ending}" for n in (1, 2, 3, 4)]
    assert decoded_frames(tmp_path / f"004.{ending}")[0].format.name == form


def test_images_have_the_colours_of_the_video(make_clip: Any, tmp_path: Path) -> None:
    tags = {"color_range": 1, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
    path = make_clip("in.mkv", codec="ffv1", form="yuv444p", tags=tags, frames=1)
    process(path, tmp_path / "%d.png")
    y, u, v = (plane.astype(float) for plane in planes_of(decoded_frames(path)[0], PIXEL_FORMATS["yuv444p"]))
    luma, blue, red = (y - 16) / 219, (u - 128) / 224, (v - 128) / 224
    expected = np.stack([luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue], axis=-1)
    found = decoded_frames(tmp_path / "1.png")[0].to_ndarray(format="rgb24")
    np.testing.assert_allclose(found, np.clip(expected * 255, 0, 255), atol=1.6)


@pytest.mark.parametrize(
    "name", ["out.avi", "out.y4m", "out.gif", "out.apng", "out.m4v", "out.flv", "out.wmv", "out.mpg"]
)
def test_other_containers_hold_all_frames(make_clip: Any, tmp_path: Path, name: str) -> None:
    process(make_clip(frames=10), tmp_path / name)
    assert len(decoded_frames(tmp_path / name)) == 10


@pytest.mark.parametrize("format_name", [None, "yuv4mpegpipe", "mpegts"])
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


def test_the_file_appears_only_when_it_is_whole(make_clip: Any, tmp_path: Path) -> None:
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
    sink.write(Unit(frame=None))
    with pytest.raises(SinkError, match="No frame"):
        sink.finish()
    sink.abort()
    source.close()


def test_frames_that_change_form_are_refused(make_clip: Any, tmp_path: Path) -> None:
    source = VideoSource(str(make_clip()))
    sink = VideoSink(str(tmp_path / "out.mp4"), source, SinkOptions())
    units = source.units()
    sink.write(next(units))
    frame = next(units).frame
    assert frame is not None
    smaller = replace(frame, planes=tuple(plane[:16, :16] for plane in frame.planes), handle=None)
    with pytest.raises(SinkError, match="16x16"):
        sink.write(Unit(frame=smaller))
    sink.abort()
    source.close()


def test_a_full_disk_is_told_and_cleaned_up(make_clip: Any, tmp_path: Path) -> None:
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
        ("out.foo", {}, r"'\.foo' tells no video format"),
        ("out", {}, "without an ending"),
        ("missing/out.mp4", {}, "does not exist"),
        (".", {}, "is a folder"),
        ("in.mp4", {"overwrite": True}, "is the input itself"),
        ("other.mp4", {}, "--overwrite"),
        ("out.png", {}, r"frames/%04d\.png"),
        ("out.mp4", {"format": "nonsense"}, "no output format 'nonsense'"),
        ("out.mp4", {"codec": "libx246"}, "libx264"),
        ("out.mp4", {"codec": "aac"}, "encodes audio"),
        ("out.mp4", {"pix_fmt": "rgb24"}, "yuv420p10le"),
        ("out.mp4", {"preset": "fastest"}, "veryfast"),
        ("out.mp4", {"crf": 99}, "between 0 and 51"),
        ("out.mp4", {"codec": "mpeg4", "crf": 3}, "no constant quality"),
        ("out.webm", {"preset": "fast"}, "no presets"),
        ("out.mp4", {"options": {"gop": "5"}}, "no option 'gop'"),
        ("out.mp4", {"options": {"g": "five"}}, "cannot be used"),
        ("out.webm", {"codec": "libx264"}, "cannot hold the video"),
        ("out.ogv", {}, "cannot hold the video"),
        ("out.wav", {}, "cannot hold the video"),
        ("srt://127.0.0.1:9", {}, "'srt'"),
    ],
)
def test_mistakes_are_found_before_work_starts(
    make_clip: Any, tmp_path: Path, target: str, options: dict[str, Any], message: str
) -> None:
    path = make_clip("in.mp4")
    (tmp_path / "other.mp4").touch()
    source = VideoSource(str(path))
    with pytest.raises((ConfigurationError, SinkError), match=message) as caught:
        VideoSink(target if "://" in target else str(tmp_path / target), source, SinkOptions(**options))
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
        assert [c.codec for c in made.facts.companions] == [c.codec for c in given.facts.companions]
        for before, after in zip(given.facts.companions, made.facts.companions, strict=True):
            if before.kind == "audio":
                assert packets(target, after.index) == packets(shared_clips / name, before.index)
        assert made.facts.rotation == given.facts.rotation
        given.close()
        made.close()


def _frames(source: VideoSource) -> list[Any]:
    return [unit.frame for unit in source.units() if unit.frame is not None]
