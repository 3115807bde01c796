"""The measurements of pieces: what is read from processes, and what counts as missed."""

import multiprocessing
import os

import av
import pytest

from tests.benchmarks.archive import Watched, packets_sha256, resident_mb, table, tree, verdicts, watched
from tests.benchmarks.archive_film import make_film

SPAWN = multiprocessing.get_context("spawn")
FOUND = {
    "plan": {"added_cpu": 0.1, "added_wall": 0.2},
    "overhead": {"overhead": 1.04, "overhead_cpu": 1.02, "two_workers": 0.9, "memory_growth": 1.0},
    "kills": {"ratio": 1.15, "equal": True},
}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", seconds=2.5, clips=None, seed=1, shot_seconds=1)


def test_the_film_has_shots_in_rising_time(film):
    with av.open(str(film)) as container:
        times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert len(times) == 75
    assert times == sorted(set(times))


def test_equal_films_have_equal_packets(film, demo_clip, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(film.read_bytes())
    assert packets_sha256(film) == packets_sha256(copy) != packets_sha256(demo_clip)


def test_what_misses_its_limit_is_marked():
    lines = list(table(FOUND))
    assert [line.split("  ")[0] for line in lines if line.endswith("missed")] == ["planning beyond reading, wall"]
    assert {what for what, *_ in verdicts({"kills": {"ratio": 1.0, "equal": False}})} == {
        "kills over none",
        "killed film differs (1: yes)",
    }
    assert [holds for *_, holds in verdicts({"kills": {"ratio": 1.0, "equal": False}})] == [True, False]


def test_growth_is_that_of_the_end():
    assert Watched(seconds=9.0, cpu_seconds=12.0, peaks_mb=(50.0, 100.0, 120.0)).growth == pytest.approx(1.2)


def test_processes_below_are_found_and_measured():
    ended = SPAWN.Event()
    process = SPAWN.Process(target=ended.wait)
    process.start()
    try:
        assert process.pid in list(tree(os.getpid()))
        assert resident_mb(os.getpid()) > 10
    finally:
        ended.set()
        process.join()
    assert resident_mb(process.pid) == 0.0


def test_a_run_is_killed_after_its_time():
    assert watched(SPAWN.Event().wait, kill_after_s=0.01) is None
