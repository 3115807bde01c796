import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from stream.media.packets import Packet
from stream.media.writing.muxer import Muxer
from tests.stream.media.clip_io import packets, process

AUDIO = {"codec": "aac", "parts": 20}


def copied_audio(path: Any) -> tuple[list[Packet], Any, av.container.InputContainer]:
    """The packets of the first audio stream, the stream and its container."""
    given = av.open(str(path))
    return [packet for packet in given.demux(audio=0) if packet.size], given.streams.audio[0], given


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.avi", "out.mkv", "out.ts"])
def test_decoding_times_rise_in_the_units_of_the_output(make_clip: Any, tmp_path: Path, name: str) -> None:
    """Times that differ by less than a unit, are equal, or fall: FFmpeg's muxers take none of these."""
    given, stream, _ = copied_audio(make_clip("in.ts", audio=[{"codec": "mp2", "parts": 20}]))
    fine = Fraction(1, 1_000_000)
    for index, packet in enumerate(given):
        packet.time_base, packet.duration = fine, 21_333
        packet.pts = packet.dts = 21_333 * index
    given[3].pts = given[3].dts = given[2].dts + 1
    given[5].pts = given[5].dts = given[4].dts
    given[8].pts = given[8].dts = given[6].dts - 50_000
    with av.open(str(tmp_path / name), "w") as made:
        copy = made.add_stream_from_template(stream, opaque=True)
        muxer = Muxer(made)
        for packet in given:
            packet.stream = copy
        muxer.write(given, copied=True)
        muxer.close()
    assert muxer.refused == 0
    found = packets(tmp_path / name, 0)
    assert b"".join(data for _, data in found) == b"".join(bytes(packet) for packet in given)
    assert all(one[0] < other[0] or (one[0] == other[0] and name == "out.mkv") for one, other in pairwise(found))


def test_packets_shorter_than_a_unit_keep_their_times(make_clip: Any, tmp_path: Path) -> None:
    """Matroska counts milliseconds; 1200 packets a second, as TrueHD has, must not last longer for that."""
    given, stream, _ = copied_audio(make_clip("in.ts", audio=[{"codec": "mp2", "parts": 20}]))
    short = [av.Packet(bytes(given[0])) for _ in range(600)]
    with av.open(str(tmp_path / "out.mkv"), "w") as made:
        copy = made.add_stream_from_template(stream, opaque=True)
        for index, packet in enumerate(short):
            packet.pts = packet.dts = index
            packet.duration, packet.time_base, packet.stream = 1, Fraction(1, 1200), copy
        muxer = Muxer(made)
        muxer.write(short, copied=True)
        muxer.close()
    times = [time for time, _ in packets(tmp_path / "out.mkv", 0)]
    assert len(times) == 600
    assert float(times[-1] - times[0]) == pytest.approx(599 / 1200, abs=0.002)


def test_what_a_bitstream_filter_refuses_is_left_out_and_counted(make_clip: Any, tmp_path: Path) -> None:
    """MP4 gets AAC without the headers that MPEG-TS repeats in every packet; a damaged one cannot be taken off."""
    given, stream, _ = copied_audio(make_clip("in.ts", audio=[AUDIO]))
    damaged: Packet = av.Packet(b"\0\0\0\0" + bytes(given[5])[4:])
    damaged.pts, damaged.dts, damaged.time_base = given[5].pts, given[5].dts, given[5].time_base
    with av.open(str(tmp_path / "out.mp4"), "w") as made:
        copy = made.add_stream_from_template(stream, opaque=True)
        muxer = Muxer(made)
        for packet in (*given, damaged):
            packet.stream = copy
        muxer.write([*given[:5], damaged, *given[6:]], copied=True)
        muxer.close()
    assert muxer.refused == 1
    assert not muxer.refused_at_end
    assert len(packets(tmp_path / "out.mp4", 0)) == len(given) - 1


@pytest.mark.parametrize(("place", "at_end"), [(4, False), (-1, True)])
def test_what_a_muxer_refuses_when_its_turn_comes_is_left_out(
    make_clip: Any, tmp_path: Path, place: int, at_end: bool
) -> None:
    """MP4's muxer parses E-AC-3 when it writes it, after other packets were queued, or when the file is closed."""
    given, stream, source = copied_audio(make_clip("in.mkv", audio=[{"codec": "eac3", "parts": 40}]))
    video: Any = source.streams.video[0]
    source.seek(0)
    frames: list[Any] = [packet for packet in source.demux(video) if packet.size]
    damaged: Packet = av.Packet(b"\x12" * 200)
    damaged.pts, damaged.dts, damaged.time_base = given[place].pts, given[place].dts, given[place].time_base
    given[place] = damaged
    with av.open(str(tmp_path / "out.mp4"), "w") as made:
        streams = [made.add_stream_from_template(one, opaque=True) for one in (video, stream)]
        muxer = Muxer(made)
        for packets_of_one, copy in zip((frames, given), streams, strict=True):
            for packet in packets_of_one:
                packet.stream = copy
        muxer.write(given, copied=True)
        muxer.write(frames)
        muxer.close()
    assert (muxer.refused, muxer.refused_at_end) == (1, at_end)
    assert (len(packets(tmp_path / "out.mp4", 0)), len(packets(tmp_path / "out.mp4", 1))) == (10, len(given) - 1)


def test_no_packet_of_ours_is_left_out(make_clip: Any) -> None:
    given, stream, _ = copied_audio(make_clip("in.ts", audio=[AUDIO]))
    with av.open(io.BytesIO(), "w", format="mp4") as made:
        copy = made.add_stream_from_template(stream, opaque=True)
        muxer = Muxer(made)
        damaged: Packet = av.Packet(b"\0\0\0\0")
        damaged.pts, damaged.dts, damaged.time_base = 0, 0, given[0].time_base
        for packet in (given[0], damaged):
            packet.stream = copy
        muxer.write(given[:1])
        with pytest.raises(av.FFmpegError):
            muxer.write([damaged])
    assert muxer.refused == 0


def test_an_output_that_fails_is_no_refusal(make_clip: Any) -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    given, stream, _ = copied_audio(make_clip("in.mkv", audio=[AUDIO]))
    made = av.open(FullDisk(), "w", format="matroska")
    copy = made.add_stream_from_template(stream, opaque=True)
    muxer = Muxer(made)
    for packet in given:
        packet.stream = copy

    def write_all() -> None:
        muxer.write(given, copied=True)
        muxer.close()

    with pytest.raises(OSError, match="No space"):
        write_all()


def test_subtitles_may_begin_together(make_clip: Any, tmp_path: Path) -> None:
    lines = [(100, 400, "one"), (100, 300, "two"), (600, 300, "three")]
    path = make_clip("in.mkv", frames=25, subtitles=[{"codec": "subrip", "lines": lines, "metadata": {}}])
    process(path, tmp_path / "out.mkv")
    assert [float(time) for time, _ in packets(tmp_path / "out.mkv", 1)] == [0.1, 0.1, 0.6]
