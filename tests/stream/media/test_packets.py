import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stream.media.packets import PacketReader, demux, late_streams
from stream.media.source import SourceOptions, VideoSource
from stream.media.source_info import Damage
from tests.stream.media.clip_io import frames_of, packets_of, read, with_empty_packets, with_late_audio

AUDIO = {"codec": "aac", "parts": 20, "metadata": {"language": "ger"}}


def test_packets_of_other_streams_travel_in_order(make_clip: Any) -> None:
    path = make_clip(frames=20, audio=[AUDIO])
    _, units = read(path)
    with av.open(str(path)) as container:
        expected = [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]
    assert [(packet.pts, bytes(packet)) for packet in packets_of(units)] == expected


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


@contextmanager
def reader_of(path: Path, origin: Fraction = Fraction(0)) -> Iterator[PacketReader]:
    container = av.open(str(path))
    video, *others = container.streams.video[0], *container.streams.audio
    reader = PacketReader(container, video, others, origin, Damage())
    yield reader
    reader.close()


def test_times_begin_at_the_origin_and_the_video_s_end_is_known(make_clip: Any) -> None:
    path = make_clip(times=[12800 + 512 * index for index in range(10)])
    with reader_of(path, Fraction(1)) as reader:
        assert min(packet.pts for packet in reader.packets()) == 0
        assert reader.video_end == pytest.approx(0.4)
        assert (reader.failure, reader.times.restarts, reader.stopped) == (None, 0, False)


def test_reading_goes_on_where_it_was_left(make_clip: Any) -> None:
    with reader_of(make_clip(frames=10, options={"bf": "0"})) as reader:
        first = next(iter(reader.packets()))
        rest = list(reader.packets())
        assert [packet.pts for packet in [first, *rest]] == [512 * index for index in range(10)]


@pytest.mark.parametrize("end", ["stop", "close"])
def test_no_packet_follows_a_stop(make_clip: Any, end: str) -> None:
    with reader_of(make_clip(frames=50)) as reader:
        packets = reader.packets()
        next(packets)
        getattr(reader, end)()
        assert reader.stopped
        assert list(packets) == []


def test_empty_packets_show_the_frame_before_and_are_no_damage(make_clip: Any, tmp_path: Path) -> None:
    path = tmp_path / "repeats.nut"
    with_empty_packets(make_clip("clip.mkv", codec="mjpeg", pix_fmt="yuvj420p", frames=12), path, every=3)
    with av.open(str(path)) as container:
        assert [packet.size > 0 for packet in demux(container, [container.streams.video[0]])] == [True, True, False] * 4
    source, units = read(path)
    assert [round(frame.time * 25) for frame in frames_of(units)] == [0, 1, 3, 4, 6, 7, 9, 10]
    assert not source.damage.any
    assert source.warnings == []


@pytest.fixture
def late_audio(make_clip: Any, tmp_path: Path) -> Path:
    """A flash video that names no audio in its header, and whose audio begins in mid-file."""
    whole = make_clip("whole.flv", frames=50, audio=[{**AUDIO, "codec": "libmp3lame", "rate": 44100, "parts": 80}])
    return with_late_audio(whole, tmp_path / "late.flv")


def test_a_stream_that_appears_in_mid_file_is_left_out_and_named(late_audio: Path) -> None:
    source, units = read(late_audio, options={"probesize": "1000"})
    assert len(frames_of(units)) == 50
    assert packets_of(units) == []
    assert not source.damage.any
    (warning,) = source.warnings
    assert re.search(
        r"only in mid-file.*\(Audio: mp3.*option input\.analyzeduration, and the option input\.probesize", warning
    )


def test_what_is_cut_out_of_the_clock_is_not_counted(make_clip: Any, tmp_path: Path) -> None:
    path = tmp_path / "leap.ts"
    early, late = ([start * 12_800 + 512 * index for index in range(50)] for start in (0, 600))
    path.write_bytes(b"".join(make_clip(f"{times[0]}.ts", times=times).read_bytes() for times in (early, late)))
    source = VideoSource(str(path))
    assert source.duration == pytest.approx(602, abs=0.1)
    frames = frames_of(list(source.units()))
    assert source.duration == pytest.approx(len(frames) / 25, abs=0.1)
    source.close()
    part = VideoSource(str(path), SourceOptions(end_seconds=3))
    frames = frames_of(list(part.units()))
    assert part.duration == pytest.approx(3)
    assert frames[-1].time < 3
    part.close()


def test_streams_within_what_is_probed_are_taken(late_audio: Path) -> None:
    source, units = read(late_audio)
    assert len(packets_of(units)) > 20
    assert not any("appears" in text for text in source.warnings)


def test_all_packets_come_in_order(make_clip: Any) -> None:
    path = make_clip("clip.mkv", frames=20, audio=[AUDIO])
    with av.open(str(path)) as container:
        expected = [(packet.stream.index, packet.pts) for packet in container.demux() if packet.size]
    with av.open(str(path)) as container:
        found = [(packet.stream.index, packet.pts) for packet in demux(container, list(container.streams))]
        assert late_streams(container) == ()
    assert found == expected
    assert av.logging.get_level() is None


def test_real_late_audio_is_left_out(cases: Path) -> None:
    source, units = read(cases / "broken/late_audio.flv")
    assert len(frames_of(units)) == 300
    assert any("Audio: mp3, 44100 Hz" in warning for warning in source.warnings)


def test_frames_before_matroskas_zero_lie_before_the_first_that_has_a_time(make_clip: Any, tmp_path: Path) -> None:
    times = [index * 512 for index in range(-15, 25)]
    clip = make_clip("clip.mp4", times=[time + 25_600 for time in times], options={"bf": "2"})
    path = tmp_path / "negative.mkv"
    with (
        av.open(str(clip)) as given,
        av.open(str(path), "w", container_options={"avoid_negative_ts": "disabled"}) as made,
    ):
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in (one for one in given.demux(video=0) if one.size):
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts, packet.dts = (round(time - 2 / packet.time_base) for time in (packet.pts, packet.dts))
            packet.stream = stream
            made.mux(packet)
    source, units = read(path)
    found = [frame.time for frame in frames_of(units)]
    assert np.diff(found) == pytest.approx(0.04, abs=1e-3)
    assert found[0] == 0
    assert len(found) == 40
    assert source.warnings == []
