"""Who renders: in this process or in several, with the same result, and what happens where a process ends."""

import multiprocessing
import os
import signal
from fractions import Fraction

import pytest

from emocolor.errors import SourceError
from stream.archive.executors import InProcess, Processes, default_workers, executor_for
from stream.archive.film import FilmJob, files_of, missing, plan
from stream.archive.planning import PieceLengths
from stream.files.stop_request import StopRequest
from tests.stream.archive.films import make_film


def film_job(folder, name="out.mkv", **values):
    film = folder / "film.mp4"
    if not film.exists():
        make_film(film)
    return FilmJob(input=film, output=folder / name, values={"effect": "none", **values})


def planned(job):
    return plan(job, lengths=PieceLengths(least=Fraction(0), most=Fraction(60)))


def test_processes_render_what_one_process_renders(tmp_path):
    here, there = film_job(tmp_path), film_job(tmp_path, "other.mkv")
    manifest, other = planned(here), planned(there)
    assert list(InProcess().finished(here, [0, 1, 2])) == [0, 1, 2]
    assert sorted(Processes(2).finished(there, [0, 1, 2])) == [0, 1, 2]
    for piece in manifest.pieces:
        one, two = (files_of(m, piece, job).video for m, job in ((manifest, here), (other, there)))
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("make", "names"), [(InProcess, {"this process"}), (lambda: Processes(2), {"process 1", "process 2"})]
)
def test_workers_tell_what_they_begin(tmp_path, make, names):
    job, told = film_job(tmp_path), []
    planned(job)
    assert sorted(make().finished(job, [0, 1, 2], told.append)) == [0, 1, 2]
    assert {work.worker for work in told} == names
    assert sorted(work.piece for work in told if work.frames == 0) == [0, 1, 2]


def test_frames_of_a_piece_are_told_as_they_are_rendered(tmp_path):
    job, told = film_job(tmp_path), []
    manifest = planned(job)
    list(InProcess().finished(job, [1], told.append))
    assert [work.frames for work in told] == sorted(work.frames for work in told)
    assert told[-1].frames == len(manifest.pieces[1].times)


def test_a_worker_that_is_killed_is_replaced(tmp_path):
    job = film_job(tmp_path)
    planned(job)
    finished = Processes(1).finished(job, [0, 1, 2])
    assert next(finished) == 0
    (worker,) = multiprocessing.active_children()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert list(finished) == [1, 2]


def test_an_error_of_a_piece_arrives_as_it_is(tmp_path):
    job = film_job(tmp_path)
    planned(job)
    job.input.unlink()
    with pytest.raises(SourceError, match=r"Cannot read .*film\.mp4: No such file"):
        list(Processes(2).finished(job, [0, 1, 2]))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("make", [InProcess, lambda stop: Processes(2, stop)])
def test_a_stop_ends_it_and_keeps_what_is_finished(tmp_path, make):
    job = film_job(tmp_path)
    manifest, stop = planned(job), StopRequest()
    finished = make(stop).finished(job, [0, 1, 2])
    done = [next(finished)]
    stop.stop()
    done += list(finished)
    waiting = {piece.index for piece in missing(manifest, job)}
    assert waiting
    assert waiting.isdisjoint(done)
    assert multiprocessing.active_children() == []


def test_one_worker_is_this_process():
    assert isinstance(executor_for(1), InProcess)
    assert isinstance(executor_for(2), Processes)


def test_there_must_be_a_worker():
    with pytest.raises(ValueError, match="cannot be 0 workers"):
        Processes(0)


@pytest.mark.parametrize(
    ("cores", "gigabytes", "workers"), [(2, 24, 2), (16, 24, 16), (16, 8, 5), (4, 1, 1), (1, 0, 1)]
)
def test_workers_fit_cores_and_memory(cores, gigabytes, workers):
    assert default_workers("cpu", cores=cores, free_bytes=gigabytes * 1_000_000_000) == workers


def test_this_machine_has_room_for_a_worker():
    assert default_workers() >= 1
