"""How far films are, from what lies on the disk."""

import os
from fractions import Fraction

import pytest

from emocolor.errors import SourceError
from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, files_of, plan
from stream.archive.planning import PieceLengths
from stream.archive.run import run_film
from stream.archive.status import film_statuses, is_in_work, recent_fps
from stream.files.stop_request import StopRequest
from tests.stream.archive.films import make_film


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", shots=(12, 8, 10, 10))


@pytest.fixture
def job(film, tmp_path):
    (tmp_path / "series").mkdir()
    return FilmJob(input=film, output=tmp_path / "series" / "film.mkv", values={"effect": "none"})


def planned(job):
    return plan(job, lengths=PieceLengths(least=Fraction(0), most=Fraction(60)))


def test_a_film_that_was_stopped_waits(job, tmp_path):
    manifest = planned(job)
    for piece, minute in ((0, 1), (2, 3), (1, 2)):
        list(InProcess().finished(job, [piece]))
        os.utime(files_of(manifest, manifest.pieces[piece], job).video, (60 * minute, 60 * minute))
    (status,) = film_statuses(tmp_path)
    assert (status.output, status.state, status.problem) == (job.output, "waiting", "")
    assert (status.pieces_rendered, status.pieces) == (3, 4)
    assert (status.frames_rendered, status.frames) == (30, 40)
    assert status.fps == pytest.approx(18 / 120)
    assert status.seconds_left == pytest.approx(10 * 120 / 18)


def test_a_film_is_in_work_while_a_process_renders_it(job, tmp_path):
    told = []

    def watch(progress):
        told.append((progress.phase, film_statuses(tmp_path)[0].state))

    assert run_film(job, workers=1, stop=StopRequest(), watch=watch).ending == "done"
    assert set(told) == {("plan", "planning"), ("render", "in work"), ("join", "in work")}
    assert film_statuses(tmp_path) == []


def test_a_finished_film_whose_pieces_were_kept_is_finished(job, tmp_path):
    run_film(job, workers=1, keep_pieces=True, stop=StopRequest())
    (status,) = film_statuses(tmp_path)
    assert (status.state, status.frames_rendered) == ("finished", 40)
    assert not is_in_work(job.folder)


def test_what_is_damaged_keeps_no_other_from_its_line(job, tmp_path):
    planned(job)
    (tmp_path / "bad.mp4.pieces").mkdir()
    (tmp_path / "bad.mp4.pieces" / "manifest.jsonl").write_text('{"film": {}}\n')
    (tmp_path / "stopped.mp4.pieces").mkdir()
    bad, stopped, good = film_statuses(tmp_path)
    assert (bad.output.name, bad.state) == ("bad.mp4", "damaged")
    assert "is damaged or unfinished" in bad.problem
    assert (stopped.output.name, stopped.state, stopped.pieces) == ("stopped.mp4", "waiting", 0)
    assert (good.output.name, good.state, good.pieces) == ("film.mkv", "waiting", 4)


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        film_statuses(tmp_path / "none")


@pytest.mark.parametrize(
    ("finished", "fps"),
    [
        ([], None),
        ([(10, 500)], None),
        ([(10, 500), (10, 500)], None),
        ([(30, 100), (10, 500), (20, 300)], 20),
        ([(0, 9), (10, 100), (20, 100), (9000, 100), (9010, 100)], 10),
        ([(n * 10 - n % 2, 50) for n in range(100)], 5),
    ],
)
def test_a_rate_follows_from_when_pieces_were_finished(finished, fps):
    assert recent_fps(finished) == (fps if fps is None else pytest.approx(fps, rel=0.06))
