import json
import random
import tracemalloc
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.archive.planning import PieceLengths, divide, lengths_for
from stream.settings import job_settings

UNIT = Fraction(1, 25)
LENGTHS = PieceLengths(least=Fraction(2), most=Fraction(6))


def pieces(seconds, cuts, lengths=LENGTHS):
    return list(divide(((pts, pts in cuts) for pts in range(int(seconds * 25))), UNIT, lengths))


def test_a_piece_ends_at_the_first_cut_after_the_least_length():
    made = pieces(8, cuts={25, 60, 70, 130})
    assert [(piece.start, piece.times.first, len(piece.times)) for piece in made] == [
        ("film", 0, 60),
        ("cut", 60, 70),
        ("cut", 130, 70),
    ]
    assert [piece.cuts for piece in made] == [(25,), (60, 70), (130,)]


def test_a_long_shot_is_divided_at_joints():
    made = pieces(14, cuts=set())
    assert [(piece.start, piece.times.first) for piece in made] == [("film", 0), ("joint", 150), ("joint", 300)]


def test_a_film_with_a_cut_at_every_frame_still_has_long_pieces():
    made = pieces(6, cuts=set(range(1, 150)))
    assert [len(piece.times) for piece in made] == [50, 50, 50]


def test_one_frame_is_one_piece_and_none_is_none():
    assert [len(piece.times) for piece in pieces(0.04, cuts=set())] == [1]
    assert pieces(0, cuts=set()) == []


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=300))
def test_no_frame_is_lost_or_doubled(steps):
    frames, pts = [], 0
    for step, cut in steps:
        pts += step
        frames.append((pts, cut))
    made = list(divide(frames, UNIT, LENGTHS))
    assert [pts for piece in made for pts in piece.times] == [pts for pts, _ in frames]
    assert [pts for piece in made for pts in piece.cuts] == [pts for pts, cut in frames if cut]
    assert [piece.index for piece in made] == list(range(len(made)))
    for piece in made[1:]:
        assert (piece.start == "cut") == (piece.times.first in piece.cuts)


def test_lengths_are_checked():
    with pytest.raises(ValueError, match="cannot last"):
        PieceLengths(least=Fraction(7), most=Fraction(6))


@pytest.mark.parametrize(("effect", "seconds"), [("tint", 60), ("none", 60), ("colorize", 600), ("colorize,tint", 600)])
def test_shots_are_divided_rarely_where_that_shows(effect, seconds):
    assert lengths_for(job_settings({"effect": effect}, input="film.mp4")).most == seconds


@pytest.mark.slow
def test_two_hours_at_a_variable_rate_take_little_memory():
    rng = random.Random(1)
    steps = (rng.choice((39, 40, 41)) for _ in range(2 * 3600 * 25))
    frames = ((pts, number % 200 == 0) for number, pts in enumerate(accumulate(steps)))
    tracemalloc.start()
    try:
        made = list(divide(frames, Fraction(1, 1000)))
        lines = [json.dumps(piece.to_json()) for piece in made]
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert (len(made), sum(map(len, lines)) < 3_000_000) == (300, True)
