"""What counts as a flip, and as face time."""

import numpy as np
import pytest

from emocolor.emotions import EMOTIONS
from tests.benchmarks.label_flips import FaceSample, FlipStatistics, tally, together


def seen(track_id, time, raw, smoothed="neutral"):
    one, other = (np.eye(7)[EMOTIONS.index(name)] * 0.3 + 0.1 for name in (raw, smoothed))
    return FaceSample(track_id=track_id, time=time, raw=one, smoothed=other, mutual_information=0.05)


def test_flips_are_changes_within_a_track_and_a_second():
    row = tally(
        [
            seen(1, 0.0, "sad"),
            seen(2, 0.0, "happy"),  # another face, not a change
            seen(1, 0.5, "angry"),  # 1
            seen(2, 0.5, "happy"),
            seen(1, 1.0, "angry", "angry"),  # after smoothing: 1
            seen(2, 2.0, "fear"),  # too long unseen
            seen(2, 2.5, "sad"),  # 2
        ]
    )
    assert (row.faces, row.flips_before, row.flips_after) == (7, 2, 1)
    assert row.face_seconds == pytest.approx(0.5 + 0.5 + 0.5 + 0.5)
    assert row.per_minute(row.flips_before) == pytest.approx(60)
    assert row.top_probability == pytest.approx(0.4)
    assert row.mutual_information == pytest.approx(0.05)


def test_several_clips_count_by_their_faces():
    common = {"face_seconds": 2.0, "flips_before": 3, "flips_after": 1}
    few = FlipStatistics(faces=1, top_probability=0.9, mutual_information=0.3, **common)
    many = FlipStatistics(faces=3, top_probability=0.5, mutual_information=0.1, **common)
    both = together([few, many])
    assert (both.faces, both.face_seconds, both.flips_before, both.flips_after) == (4, 4.0, 6, 2)
    assert both.top_probability == pytest.approx(0.6)
    assert both.mutual_information == pytest.approx(0.15)
