from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stream.media.writing.subtitle_cues import JOINT, ConsecutiveCues, Cue


def consecutive(*cues: tuple[int, int, str]) -> list[tuple[int, int, str]]:
    made = ConsecutiveCues()
    parts = [part for cue in cues for part in made.add(Cue(*cue))] + made.flush()
    return [(part.start, part.end, part.text) for part in parts]


def test_cues_that_do_not_overlap_stay_as_they_are() -> None:
    cues = [(0, 5, "a"), (5, 8, "b"), (20, 21, "c")]
    assert consecutive(*cues) == cues


def test_cues_that_overlap_are_shown_together() -> None:
    assert consecutive((0, 10, "a"), (4, 6, "b"), (6, 12, "c")) == [
        (0, 4, "a"),
        (4, 6, f"a{JOINT}b"),
        (6, 10, f"a{JOINT}c"),
        (10, 12, "c"),
    ]


def test_cues_that_begin_together_share_one_part() -> None:
    assert consecutive((3, 5, "a"), (3, 5, "b")) == [(3, 5, f"a{JOINT}b")]


def test_a_late_cue_begins_where_the_last_one_ended() -> None:
    assert consecutive((10, 20, "a"), (5, 30, "b"), (2, 3, "gone")) == [(10, 20, f"a{JOINT}b"), (20, 30, "b")]


def test_a_cue_without_duration_is_left_out() -> None:
    assert consecutive((1, 1, "a"), (2, 3, "b")) == [(2, 3, "b")]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12))
def test_every_moment_shows_what_the_cues_show(spans: list[tuple[int, int]]) -> None:
    cues = [(start, start + length, f"<{n}>") for n, (start, length) in enumerate(sorted(spans))]
    parts = consecutive(*cues)
    assert all(one[1] <= other[0] for one, other in pairwise(parts))
    for moment in range(72):
        shown = [text for start, end, text in parts if start <= moment < end]
        expected = [text for start, end, text in cues if start <= moment < end]
        assert "".join(shown).replace(JOINT, "") == "".join(expected)
