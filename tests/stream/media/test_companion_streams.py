from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

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


def test_mono_whose_channel_has_no_name_stays_mono(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.avi", frames=20, codec="mpeg4", audio=[{**AUDIO, "codec": "pcm_s16le", "layout": "mono"}])
    for name in ("out.ts", "out.webm", "out.mxf"):
        assert not any("channels" in warning for warning in process(path, tmp_path / name).warnings)
        with av.open(str(tmp_path / name)) as made:
            assert made.streams.audio[0].layout.nb_channels == 1


def test_fewer_channels_are_reported(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", frames=20, audio=[{**AUDIO, "codec": "flac", "layout": "5.1"}])
    sink = process(path, tmp_path / "out.mpg")
    assert "mp2 has no 6 channels: audio 1 (flac) ger becomes stereo." in sink.warnings


@pytest.mark.parametrize(
    ("codec", "layout", "names"),
    [
        ("pcm_alaw", "mono", ["in.mov", "out.mov", "out.avi"]),
        ("adpcm_ms", "mono", ["in.avi", "out.avi"]),
        ("adpcm_ima_qt", "mono", ["in.mov", "out.mov"]),
        ("wmav2", "stereo", ["in.wmv", "out.wmv", "out.avi"]),
        ("ac3", "5.1", ["in.mkv", "out.mkv", "out.mp4", "out.mov", "out.ts", "out.mpg", "out.avi"]),
    ],
)
def test_audio_is_copied_where_the_container_takes_it(
    make_clip: Any, tmp_path: Path, codec: str, layout: str, names: list[str]
) -> None:
    given, *targets = names
    path = make_clip(given, frames=20, codec="mpeg4", audio=[{**AUDIO, "codec": codec, "layout": layout}])
    for name in targets:
        sink = process(path, tmp_path / name)
        assert not [text for text in sink.warnings if "audio" in text and "language" not in text], name
        assert sink.lost_packets == 0
        data = b"".join(data for *_, data in packets(tmp_path / name, 1))
        assert data == b"".join(data for *_, data in packets(path, 1)), name


@pytest.mark.parametrize(
    ("codec", "given"),
    [("pcm_alaw", "in.mov"), ("pcm_mulaw", "in.avi"), ("adpcm_ms", "in.avi"), ("adpcm_ima_qt", "in.mov")],
)
def test_audio_that_pyav_does_not_copy_into_matroska_loses_nothing(
    make_clip: Any, tmp_path: Path, codec: str, given: str
) -> None:
    path = make_clip(given, frames=20, codec="mpeg4", audio=[{**AUDIO, "codec": codec, "layout": "mono"}])
    trial = av.open(str(tmp_path / "trial.mkv"), "w")
    with av.open(str(path)) as clip, pytest.raises(ValueError, match="does not support"):  # else it can be copied
        trial.add_stream_from_template(clip.streams.audio[0], opaque=True)
    sink = process(path, tmp_path / "out.mkv")
    assert any("converted to flac" in warning for warning in sink.warnings)
    (before_start, before), (after_start, after) = samples(path), samples(tmp_path / "out.mkv")
    assert after_start == pytest.approx(before_start, abs=0.001)
    assert np.array_equal(before, after)
    process(path, tmp_path / "lossy.mkv", audio="aac")
    with av.open(str(tmp_path / "lossy.mkv")) as made:
        assert made.streams.audio[0].codec_context.name == "aac"


def without_description(path: Path, target: Path) -> Path:
    """Copy a clip and lose the description of its audio."""
    with av.open(str(path)) as given, av.open(str(target), "w") as made:
        streams = [made.add_stream_from_template(stream, opaque=True) for stream in given.streams]
        streams[1].codec_context.extradata = None
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return target


@pytest.mark.parametrize("name", ["out.mkv", "out.ts", "out.mp4"])
def test_audio_of_which_no_packet_would_be_taken_is_reencoded(make_clip: Any, tmp_path: Path, name: str) -> None:
    """Headers take AAC without its description; Matroska then refuses each packet, and MPEG-TS makes noise of it."""
    path = without_description(make_clip("in.mp4", frames=20, audio=[AUDIO]), tmp_path / "bare.mov")
    sink = process(path, tmp_path / name)
    assert sink.lost_packets == 0
    assert any("converted to aac" in warning for warning in sink.warnings) == (name != "out.mp4")
    start, wave = samples(tmp_path / name)
    assert start + len(wave) / 48000 == pytest.approx(40 * 1024 / 48000, abs=0.09)
    assert np.abs(wave).max() == pytest.approx(8000 / 32768, rel=0.3)


def test_audio_that_turns_out_to_be_refused_is_named(make_clip: Any, tmp_path: Path) -> None:
    """Where none of it was read before the first frame."""
    source = VideoSource(str(without_description(make_clip("in.mp4", frames=20, audio=[AUDIO]), tmp_path / "bare.mov")))
    late = replace(source.info, companions=tuple(replace(one, beginning=()) for one in source.info.companions))
    sink = VideoSink(str(tmp_path / "out.mkv"), late)
    for unit in source.units():
        sink.write(unit)
    sink.finish()
    source.close()
    assert sink.lost_packets > 0
    assert sink.warnings[-1] == (
        "matroska took no packet of audio 1 (aac): its track is empty. "
        "Set the option output.audio to aac to convert it."
    )


@pytest.mark.parametrize("name", ["out.yuv", "out.h264", "out.y4m", "out.gif", "out.ivf"])
def test_formats_for_video_alone_get_no_other_packets(make_clip: Any, tmp_path: Path, name: str) -> None:
    text = {"codec": "subrip", "lines": [(0, 400, "x")], "metadata": {}}
    sink = process(make_clip("in.mkv", audio=[AUDIO], subtitles=[text]), tmp_path / name)
    assert len([warning for warning in sink.warnings if "left out" in warning]) == 2
    if name == "out.yuv":
        assert (tmp_path / name).stat().st_size == 10 * 64 * 48 * 3 // 2


def test_mxf_gets_pcm(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", frames=20, audio=[{**AUDIO, "rate": 44100}, {**AUDIO, "codec": "flac"}])
    process(path, tmp_path / "out.mxf")
    with av.open(str(tmp_path / "out.mxf")) as made:
        found = [(stream.codec_context.name, stream.codec_context.sample_rate) for stream in made.streams.audio]
    assert found == [("pcm_s16le", 48000)] * 2


def test_streams_fit_together_or_are_left_out(make_clip: Any, tmp_path: Path) -> None:
    """The cover takes its place beside the video, which the container is asked about too."""
    path = make_clip("in.mkv", frames=5, audio=[{**AUDIO, "codec": "mp2"}] * 3)
    sink = process(path, tmp_path / "out.mp4")
    assert sink.warnings == []
    with av.open(str(tmp_path / "out.mp4")) as made:
        assert len(made.streams.audio) == 3


def test_forced_subtitles_are_marked(make_clip: Any, tmp_path: Path) -> None:
    """MP4 by FFmpeg's flag and in the track's description, MOV in the description alone; both are read."""
    lines = {"codec": "subrip", "lines": [(100, 400, "Guten Tag")], "metadata": {}, "disposition": Disposition.forced}
    path = make_clip("in.mkv", frames=25, subtitles=[lines])
    for name in ("out.mp4", "out.mov"):
        sink = process(path, tmp_path / name)
        assert any("as forced" in warning for warning in sink.warnings) == (name == "out.mov")
        with av.open(str(tmp_path / name)) as made:
            stream = made.streams.subtitles[0]
            assert stream.codec_context.extradata[0] == 0x80
            assert bool(stream.disposition & Disposition.forced) == (name == "out.mp4")
        again = process(tmp_path / name, tmp_path / f"{name}.mkv")
        assert not any("forced" in warning for warning in again.warnings)
        with av.open(str(tmp_path / f"{name}.mkv")) as made:
            assert made.streams.subtitles[0].disposition & Disposition.forced


def test_forced_timed_text_is_copied_with_its_mark(make_clip: Any, tmp_path: Path) -> None:
    lines = {"codec": "subrip", "lines": [(100, 400, "Guten Tag")], "metadata": {}, "disposition": Disposition.forced}
    process(make_clip("in.mkv", frames=25, subtitles=[lines]), tmp_path / "first.mov")
    sink = process(tmp_path / "first.mov", tmp_path / "second.mov")
    assert [warning for warning in sink.warnings if "forced" in warning] == [
        "mov marks subtitle 1 (mov_text) as forced for QuickTime alone; mp4 for all."
    ]
    process(tmp_path / "second.mov", tmp_path / "third.mp4")
    with av.open(str(tmp_path / "third.mp4")) as made:
        assert made.streams.subtitles[0].disposition & Disposition.forced


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


@pytest.mark.parametrize("codec", ["aac", "eac3", "flac", "ac3", "mp2"])
def test_audio_in_avi_is_as_long_as_it_was(make_clip: Any, tmp_path: Path, codec: str) -> None:
    path = make_clip("in.mkv", frames=25, audio=[{"codec": codec, "parts": 47}])
    process(path, tmp_path / "out.avi")
    with av.open(str(tmp_path / "out.avi")) as made:
        last = [packet for packet in made.demux(audio=0) if packet.size][-1]
        assert float(last.pts * last.time_base) == pytest.approx(1, abs=0.1)
