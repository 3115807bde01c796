import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.archive.frame_times import PtsList

RISING = st.lists(st.integers(-1000, 10**12), unique=True).map(sorted)


@given(RISING)
def test_times_come_back(times):
    stored = PtsList(times)
    assert list(stored) == times
    assert len(stored) == len(times)
    again = PtsList.from_json(json.loads(json.dumps(stored.to_json())))
    assert again == stored
    assert list(again) == times
    assert (again.first, again.last) == (times[0], times[-1]) if times else len(again) == 0


def test_a_constant_rate_is_one_run_however_long():
    assert PtsList(range(0, 512 * 200_000, 512)).to_json() == [0, [512, 199_999]]


def test_a_list_from_disk_grows_on():
    times = PtsList.from_json([0, [40, 3]])
    times.append(160)
    assert times.to_json() == [0, [40, 4]]


@pytest.mark.parametrize("pts", [40, 39])
def test_times_must_rise(pts):
    with pytest.raises(ValueError, match=f"a frame at {pts} follows one at 40"):
        PtsList([0, 40, pts])


@pytest.mark.parametrize("stored", [["0"], [0, 5], [0, [5]], [0, [0, 3]], [0, [5, 0]], [0, [5, 1, 1]]])
def test_damage_is_noticed(stored):
    with pytest.raises(ValueError, match=r"run|number"):
        PtsList.from_json(stored)


def test_there_is_no_first_time_without_frames():
    for name in ("first", "last"):
        with pytest.raises(IndexError):
            getattr(PtsList(), name)
