"""Space on the disk: what is expected, what is refused, and how work waits."""

import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from emocolor.errors import SinkError
from stream.archive.disk import (
    DiskSpace,
    check_space,
    expected_bytes,
    free_bytes,
)
from stream.archive.film import FilmJob
from stream.archive.run import run_films
from stream.files.stop_request import StopRequest
from stream.media.source import VideoSource
from stream.settings import job_settings


def settings_of(output="film.mkv", **sink):
    return job_settings({"effect": "none", "output": sink}, input="in.mp4", output=output)


@pytest.fixture(scope="module")
def info(demo_clip):
    """Of two seconds at 480x270."""
    with closing(VideoSource(str(demo_clip))) as source:
        return source.info


@pytest.fixture(scope="module")
def an_hour(info):
    return replace(info, width=1920, height=1080, frame_count=90_000)


@pytest.mark.parametrize(
    ("codec", "output", "megabytes"),
    [(None, "film.mp4", 1166.4), ("prores_ks", "film.mov", 58_320), ("ffv1", "film.mkv", 116_640)],
)
def test_encoders_differ_in_what_they_take(an_hour, codec, output, megabytes):
    assert expected_bytes(an_hour, settings_of(output, codec=codec)) == megabytes * 1e6


def test_a_film_that_clearly_does_not_fit_is_refused(an_hour, tmp_path):
    lossless = settings_of(codec="ffv1")
    with pytest.raises(SinkError, match=r"about 233\.3 GB; 50\.0 GB are free in .* Free some space"):
        check_space(an_hour, lossless, tmp_path, free=lambda folder: 50_000_000_000)
    check_space(an_hour, lossless, tmp_path, free=lambda folder: 60_000_000_000)


def test_pieces_of_an_earlier_run_count_as_written(info, tmp_path):
    lossless = settings_of(codec="ffv1")
    with pytest.raises(SinkError):
        check_space(info, lossless, tmp_path, free=lambda folder: 0)
    (tmp_path / "piece.mkv").write_bytes(bytes(2_100_000))
    check_space(info, lossless, tmp_path, free=lambda folder: 0)


def test_where_the_length_is_not_known_nothing_is_refused(info, tmp_path):
    check_space(replace(info, frame_count=None), settings_of(), tmp_path, free=lambda folder: 0)


class Disk(DiskSpace):
    """One whose free space is told, reading by reading, with a piece of 1000 frames and 10 MB on it."""

    def __init__(self, *readings, interval_s=0.0, workers=1):
        self.told, self.stop, self._readings = [], StopRequest(), iter(readings)
        options = {"workers": workers, "free": self.next, "interval_s": interval_s}
        super().__init__(Path("/films/a.pieces"), self.stop, self.tell, **options)
        self.note(0, 1000, 10_000_000)

    def tell(self, line):
        self.told.append(line)

    def next(self, folder):
        assert folder == Path("/films/a.pieces")
        return next(self._readings)

    @property
    def readings_left(self):
        return list(self._readings)


PAUSED = (
    "Paused: the disk is nearly full. 10 MB are free in /films, and 40 MB are needed to go on. Free some space.",
    "There is room on the disk again: the work goes on.",
)


def test_work_waits_until_there_is_room():
    disk = Disk(10_000_000, 39_900_000, 40_000_000, 1)
    disk.wait_for_pieces([400, 1000, 300])  # may be twice as large as the one before, and a margin as much
    assert tuple(disk.told) == PAUSED
    assert disk.readings_left == [1]


def test_every_worker_needs_room_for_its_piece():
    disk = Disk(56_000_000, workers=2)
    disk.wait_for_pieces([400, 1000, 300])
    assert disk.told == []


def test_the_joined_film_needs_as_much_as_its_pieces():
    disk = Disk(10_000_000, 40_000_000)
    disk.note(1, 900, 10_000_000)
    disk.wait_for_film()
    assert tuple(disk.told) == PAUSED


def test_the_margin_of_large_films_is_bounded():
    disk = Disk(10_064_000_000)
    disk.note(0, 1000, 10_000_000_000)
    disk.wait_for_film()
    assert disk.told == []


def test_before_the_first_piece_nothing_is_waited_for():
    DiskSpace(Path("nowhere"), StopRequest(), pytest.fail).wait_for_pieces([500])


def test_a_stop_ends_the_pause_at_once():
    class Stopping(Disk):
        def tell(self, line):
            super().tell(line)
            self.stop.stop()

    disk = Stopping(10_000_000, 10_000_000, interval_s=3600)
    disk.wait_for_pieces([1000])
    assert disk.told == [PAUSED[0]]


def test_a_disk_that_is_gone_is_one_line(tmp_path):
    with pytest.raises(SinkError, match=r"gone cannot be written to: No such file"):
        free_bytes(tmp_path / "gone")


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_work_on_a_real_disk_goes_on_when_something_is_removed(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(900_000))
    told = []

    def tell(line):
        told.append(line)
        ballast.unlink(missing_ok=True)

    disk = DiskSpace(small_disk, StopRequest(), tell, interval_s=0)
    disk.note(0, 25, 250_000)
    disk.wait_for_film()
    assert len(told) == 2
    assert free_bytes(small_disk) >= 500_000


def test_a_film_too_large_for_its_disk_is_refused_before_the_work(demo_clip, small_disk):
    job = FilmJob(
        input=demo_clip, output=small_disk / "film.mkv", values={"effect": "none", "output": {"codec": "ffv1"}}
    )
    told = []
    (result,) = run_films([job], watch=told.append)
    assert "The film and its pieces take about 8 MB; 1 MB are free" in str(result.error)
    assert told == list(small_disk.iterdir()) == []


def test_a_film_waits_before_it_is_joined(demo_clip, small_disk):
    values = {"effect": "none", "output": {"preset": "ultrafast", "crf": 30}, "input": {"end_seconds": 1.0}}
    job, told = FilmJob(input=demo_clip, output=small_disk / "film.mp4", values=values), []
    ballast = small_disk / "ballast"

    def watch(progress):
        if progress.piece is not None:
            ballast.write_bytes(bytes(free_bytes(small_disk) - 5_000))
        if progress.note:
            told.append(progress.note)
            ballast.unlink(missing_ok=True)

    (result,) = run_films([job], watch=watch)
    assert result.ending == "done"
    assert ["Paused" in note for note in told] == [True, False]
