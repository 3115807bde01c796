from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from stream.media.reading.timestamps import FrameTimes, in_units, unit_for
from tests.stream.media.clip_io import frames_of, packets_of, read

AUDIO = {"codec": "aac", "parts": 20, "metadata": {"language": "ger"}}
UNEVEN = [0, 512, 1024, 1100, 2048, 5000, 5512, 9000]


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"bf": "3"}), ("mpeg4", {"bf": "2"}), ("mjpeg", {})])
def test_frames_of_avi_files_come_at_their_numbers(make_clip: Any, codec: str, options: dict[str, str]) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make_clip(
        "clip.avi", times=range(20), time_base=Fraction(1, 25), codec=codec, pix_fmt=pix_fmt, options=options
    )
    source, units = read(path)
    assert [frame.pts for frame in frames_of(units)] == list(range(20))
    assert source.warnings == []


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


def frame_at(pts: int | None) -> av.VideoFrame:
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.pts = pts
    return frame


def test_seconds_are_rounded_to_the_nearest_unit() -> None:
    assert in_units(Fraction(1, 3), Fraction(1, 1000)) == 333
    assert in_units(Fraction(2, 3), Fraction(1, 1000)) == 667


@pytest.mark.parametrize("unit", [Fraction(1, 2), Fraction(1, 25), Fraction(1001, 30_000), Fraction(125, 2997)])
def test_a_unit_of_a_frame_is_divided_where_a_part_begins_within_it(unit: Fraction) -> None:
    assert unit_for(unit, 3 * unit) == unit
    fine = unit_for(unit, Fraction(7, 10))
    assert fine <= Fraction(1, 90_000)
    assert unit % fine == 0


@pytest.mark.parametrize("unit", [Fraction(1, 1000), Fraction(1, 12_800), Fraction(1, 90_000)])
def test_fine_units_stay(unit: Fraction) -> None:
    assert unit_for(unit, Fraction(1, 7)) == unit


def test_a_part_may_begin_within_a_frame_s_time(make_clip: Any) -> None:
    path = make_clip(
        "slow.avi",
        times=range(6),
        rate=2,
        time_base=Fraction(1, 2),
        codec="mjpeg",
        pix_fmt="yuvj420p",
        audio=[{"codec": "pcm_s16le", "parts": 140}],
    )
    _, units = read(path, start_seconds=0.7, end_seconds=2.2)
    assert [frame.time for frame in frames_of(units)] == pytest.approx([0.3, 0.8, 1.3])
    assert float(packets_of(units)[0].pts * packets_of(units)[0].time_base) == pytest.approx(0, abs=0.03)
    _, whole = read(path)
    assert frames_of(whole)[0].time_base == Fraction(1, 2)


def test_every_frame_is_later_than_the_one_before() -> None:
    times = FrameTimes(Fraction(1, 100), Fraction(25))
    assert [times.next_pts(frame_at(pts)) for pts in (3, 3, 2, None, 20)] == [3, 4, 5, 9, 20]
    assert times.repaired == 2


def test_without_a_frame_rate_25_are_assumed() -> None:
    assert FrameTimes(Fraction(1, 100), None).step == 4
    assert FrameTimes(Fraction(1, 10), Fraction(50)).step == 1, "never zero"


@pytest.mark.parametrize(("pts", "by_decoding"), [([0, 1, 2], True), ([1, 3, 2], False)])
def test_where_packets_lack_times_of_presentation_those_of_decoding_count(pts: list[int], by_decoding: bool) -> None:
    times = FrameTimes(Fraction(1, 25), None, by_decoding=None)
    for dts, time in enumerate(pts):
        packet: Any = av.Packet(b"x")
        packet.dts, packet.pts = dts, time
        times.note_packet(packet)
    frame = frame_at(5)
    frame.dts = 2
    assert times.next_pts(frame) == (0 if by_decoding else 5)
    assert times.by_decoding == by_decoding


def test_intra_frames_keep_the_times_that_their_packets_state() -> None:
    times = FrameTimes(Fraction(1, 25), None, by_decoding=None)
    packet: Any = av.Packet(b"x")
    packet.dts = packet.pts = 3
    times.note_packet(packet)
    frame = frame_at(3)
    frame.dts = 3
    assert times.next_pts(frame) == 3
    assert times.are_stated
