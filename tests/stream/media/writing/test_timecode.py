from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.media.writing.timecode import shifted

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "expected"),
    [
        ("01:02:03:04", 25, Fraction(25), "01:02:04:04"),
        ("01:02:03:24", 1, Fraction(25), "01:02:04:00"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:00:00", -1, Fraction(25), "23:59:59:24"),
        ("10:00:00:00", 30, NTSC, "10:00:01:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),
        ("00:10:59;29", 1, NTSC, "00:11:00;02"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("00:00:00;00", 107892, NTSC, "01:00:00;00"),
    ],
)
def test_timecodes_move_by_frames(timecode: str, frames: int, rate: Fraction, expected: str) -> None:
    assert shifted(timecode, frames, rate) == expected


@given(st.integers(0, 2_589_407), st.integers(-100_000, 100_000))
def test_moving_in_two_steps_is_moving_in_one(start: int, frames: int) -> None:
    begin = shifted("00:00:00;00", start, NTSC)
    assert begin is not None
    moved = shifted(begin, frames, NTSC)
    assert moved == shifted("00:00:00;00", start + frames, NTSC)


@pytest.mark.parametrize("text", ["", "01:02:03", "soon", "1:2:3:4"])
def test_other_texts_are_no_timecodes(text: str) -> None:
    assert shifted(text, 1, Fraction(25)) is None
