from fractions import Fraction
from typing import Any

import pytest

from emocolor.errors import ConfigurationError
from stream.media.reading.source_options import SourceOptions, parse_amount, parse_time


@pytest.mark.parametrize(
    "options",
    [
        {"start_seconds": -1},
        {"start_seconds": 2, "end_seconds": 2},
        {"start_seconds": float("nan")},
        {"max_pixels": 0},
        {"format": "nonsense"},
        {"probesize": 31},
        {"analyzeduration": -1},
    ],
)
def test_options_check_themselves(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        SourceOptions(**options)


def test_times_are_exact_to_the_microsecond() -> None:
    options = SourceOptions(start_seconds=0.1, end_seconds=0.4)
    assert (options.start, options.length) == (Fraction(1, 10), Fraction(3, 10))
    assert SourceOptions(start_seconds=1 / 3).start == Fraction(333_333, 1_000_000)
    assert SourceOptions(end_seconds=float("inf")).length is None
    assert SourceOptions().start == 0


def test_times_are_written_as_for_ffmpeg() -> None:
    assert [parse_time(text) for text in ("1.5", "2:03", "1:00:01.25")] == [1.5, 123, 3601.25]
    with pytest.raises(ConfigurationError, match="is not a time"):
        parse_time("1:2:3:4")


@pytest.mark.parametrize(
    ("text", "amount"), [("5000000", 5_000_000), ("50M", 50_000_000), ("32k", 32_000), ("1G", 10**9)]
)
def test_amounts_are_written_as_for_ffmpeg(text: str, amount: int) -> None:
    assert parse_amount(text) == amount


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "5 M", "much", "9" * 400])
def test_what_is_no_amount_is_an_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no amount"):
        parse_amount(text)
