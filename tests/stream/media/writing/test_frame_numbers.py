from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from stream.media.writing.frame_numbers import MOST_SKIPPED, FrameNumbers
from tests.stream.media.clip_io import decoded_frames, frames_of, process, read, times


def placed(format_name: str, *seconds: float, rate: int = 10) -> list[range | None]:
    numbers = FrameNumbers(Fraction(rate), format_name)
    return [numbers.place(Fraction(one).limit_denominator(1000)) for one in seconds]


def test_frames_between_numbers_stay_a_frame_apart() -> None:
    found = placed("avi", 0.05, 0.15, 0.25, 0.35)
    assert [one.stop for one in found if one is not None] == [0, 1, 2, 3]


def test_only_what_holds_no_gap_is_filled() -> None:
    assert placed("matroska", 0.3, 0.7) == [range(3, 3), range(7, 7)]
    assert placed("avi", 0.3, 0.7) == [range(3), range(7, 7)]
    assert placed("mxf", 0.3, 0.7) == [range(3), range(4, 7)]


@pytest.mark.parametrize("format_name", ["avi", "mxf"])
def test_a_hole_of_a_month_is_cut(format_name: str) -> None:
    numbers = FrameNumbers(Fraction(25), format_name)
    found = [numbers.place(Fraction(at)) for at in (0, 2_667_577, 2_667_578)]
    assert [one.stop for one in found if one is not None] == [0, 1 + MOST_SKIPPED, 26 + MOST_SKIPPED]
    assert numbers.cut


def test_more_frames_than_numbers_are_left_out() -> None:
    numbers = FrameNumbers(Fraction(10), "avi")
    kept = [numbers.place(Fraction(index, 40)) for index in range(40)]
    stops = [one.stop for one in kept if one is not None]
    assert stops == sorted(set(stops))
    assert (len(stops), stops[-1]) == (11, 10)
    assert numbers.dropped == 29


def test_a_hole_keeps_its_length_in_mxf(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("in.mkv", times=[512 * index for index in (*range(10), *range(30, 40))])
    sink = process(path, tmp_path / "out.mxf")
    found = [float(time) for time in times(tmp_path / "out.mxf")]
    assert found == pytest.approx([index / 25 for index in range(40)])
    assert sink.warnings == []


def test_mxf_and_avi_start_with_the_audio_before_the_first_frame(make_clip: Any, tmp_path: Path) -> None:
    late = range(12_800, 19_200, 512)
    path = make_clip("in.mkv", times=late, audio=[{"codec": "mp3", "parts": 70}])
    for name in ("out.mxf", "out.avi"):
        process(path, tmp_path / name)
        frames = frames_of(read(tmp_path / name)[1])
        assert frames[-1].time == pytest.approx(1.48, abs=0.05), name


@pytest.mark.parametrize("parts", [20, 120])
def test_video_and_audio_end_together_in_mxf(make_clip: Any, tmp_path: Path, parts: int) -> None:
    path = make_clip("in.mkv", frames=50, audio=[{"codec": "pcm_s16le", "parts": parts}])
    sink = process(path, tmp_path / "out.mxf")
    assert len(decoded_frames(tmp_path / "out.mxf")) == 50
    with av.open(str(tmp_path / "out.mxf")) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) == pytest.approx(96_000, abs=1920)
    assert bool([text for text in sink.warnings if "ends with the video" in text]) == (parts == 120)


@pytest.mark.parametrize(("rate", "expected"), [(Fraction(25, 2), 25), (Fraction(26), 25)])
def test_mxf_gets_a_rate_that_it_has(make_clip: Any, tmp_path: Path, rate: Fraction, expected: int) -> None:
    moments = [round(index / rate * 90_000) for index in range(10)]
    process(make_clip("in.mkv", times=moments, rate=rate, time_base=Fraction(1, 90_000)), tmp_path / "out.mxf")
    with av.open(str(tmp_path / "out.mxf")) as made:
        assert made.streams.video[0].average_rate == expected
