"""Columns of text, and lengths of time."""

import pytest

from stream.cli.archive.tables import aligned, duration


def test_columns_are_as_wide_as_they_must_be():
    rows = [("film", "frames", "what"), ("a.mp4", "12", ""), ("漢字.mp4", "1234", "failed")]
    assert aligned(rows, numeric=[1]) == [
        "film      frames  what",
        "a.mp4         12",
        "漢字.mp4    1234  failed",
    ]


def test_lines_are_cut_where_a_terminal_ends():
    rows = [("film", "what"), ("漢字.mp4", "failed for a reason"), ("a", "b")]
    assert aligned(rows, max_width=16) == ["film      what", "漢字.mp4  faile…", "a         b"]


def test_names_obey_no_terminal():
    assert aligned([("red\x1b[31m", "x")]) == [r"red\x1b[31m  x"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (3599.9, "1:00:00"), (11525, "3:12:05"), (183600, "2 d 3 h")],
)
def test_lengths_of_time_are_short(seconds, text):
    assert duration(seconds) == text
