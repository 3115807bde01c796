from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import SourceOptions, VideoSource
from tests.stream.media.clip_io import packets, process, samples, times

AUDIO = {"codec": "aac", "parts": 40, "metadata": {"language": "ger", "title": "Ton"}}


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


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_cover_art_is_kept(make_clip: Any, tmp_path: Path, name: str) -> None:
    cover = make_clip("cover.jpg", codec="mjpeg", pix_fmt="yuvj420p", format_name="image2", frames=1).read_bytes()
    path = make_clip("in.mkv", frames=5, attachments=[("cover.jpg", "image/jpeg", cover)])
    process(path, tmp_path / name)
    again = VideoSource(str(tmp_path / name))
    assert [(companion.kind, companion.content) for companion in again.info.companions] == [("cover", cover)]
    again.close()


@pytest.mark.parametrize(
    ("codec", "target", "expected"),
    [("libopus", "out.avi", "mp3"), ("aac", "out.webm", "opus"), ("pcm_s16le", "out.ts", "aac")],
)
def test_audio_that_does_not_fit_is_reencoded_in_sync(
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


def test_reencoded_audio_stays_where_it_was(make_clip: Any, tmp_path: Path) -> None:
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
