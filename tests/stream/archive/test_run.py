"""Whole films: skipped, begun again, and kept apart from each other."""

import fcntl
import os

import pytest

from emocolor.errors import SinkError
from stream.archive.film import FilmJob, files_of, plan
from stream.archive.run import LOCK, run_film, run_films
from stream.files.stop_request import StopRequest
from tests.stream.archive.films import frames_of, make_film


@pytest.fixture
def job(tmp_path):
    return FilmJob(input=make_film(tmp_path / "film.mp4"), output=tmp_path / "out.mp4", values={"effect": "none"})


def endings(jobs, **more):
    return [result.ending for result in run_films(jobs, **more)]


def test_a_film_is_finished_and_its_folder_gone(job):
    told = []
    assert endings([job], watch=told.append) == ["done"]
    assert len(frames_of(job.output)) == 40
    assert not job.folder.exists()
    assert [phase for phase in dict.fromkeys(one.phase for one in told)] == ["plan", "render", "join"]
    assert (told[-1].frames, told[-1].total) == (40, 40)
    rendering = [one for one in told if one.phase == "render"]
    assert (rendering[0].frames, rendering[0].waiting, rendering[0].pieces) == (0, 1, 1)
    assert (rendering[-1].frames, rendering[-1].waiting, rendering[-1].piece) == (40, 0, 0)
    assert rendering[-1].work.worker == "this process"


def test_a_finished_film_is_left_alone(job):
    job.output.write_bytes(b"mine")
    assert endings([job]) == ["skipped"]
    assert job.output.read_bytes() == b"mine"


class FinishedMeanwhile(FilmJob):
    """Another process finishes the film between a look at its output and the lock."""

    @property
    def folder(self):
        self.output.write_bytes(b"theirs")
        return super().folder


def test_a_film_that_another_process_has_just_finished_is_left_alone(job):
    raced = FinishedMeanwhile(input=job.input, output=job.output, values=job.values)
    assert endings([raced]) == ["skipped"]
    assert job.output.read_bytes() == b"theirs"
    assert not job.folder.exists()


def test_pieces_are_kept_where_that_is_wanted(job):
    assert endings([job], keep_pieces=True) == ["done"]
    assert (job.folder / "manifest.jsonl").exists()


def test_a_film_that_fails_does_not_stop_the_others(job, tmp_path):
    bad = FilmJob(input=tmp_path / "none.mp4", output=tmp_path / "none-out.mp4", values={"effect": "none"})
    results = list(run_films([bad, job]))
    assert [result.ending for result in results] == ["failed", "done"]
    assert "no such file" in str(results[0].error)


def test_after_a_stop_the_rest_is_not_begun(job):
    stop = StopRequest()
    stop.stop()
    assert endings([job], stop=stop) == ["stopped"]
    assert not job.output.exists()


def test_a_stopped_film_goes_on(job):
    stop = StopRequest()

    def watch(progress):
        if progress.phase == "render":
            stop.stop()

    assert run_film(job, workers=1, stop=stop, watch=watch).ending == "stopped"
    assert (job.folder / "manifest.jsonl").exists()
    assert run_film(job, workers=1, stop=StopRequest()).ending == "done"
    assert len(frames_of(job.output)) == 40


@pytest.mark.parametrize("phase", ["plan", "join"])
def test_a_stop_ends_every_phase(job, phase):
    stop, told = StopRequest(), []

    def watch(progress):
        told.append(progress.phase)
        if progress.phase == phase:
            stop.stop()

    assert run_film(job, workers=1, stop=stop, watch=watch).ending == "stopped"
    assert told.count(phase) == 1
    assert not job.output.exists()
    assert job.folder.exists() == (phase == "join")


def test_the_input_is_never_the_output(job):
    same = FilmJob(input=job.input, output=job.input, values={"effect": "none", "output": {"overwrite": True}})
    (result,) = run_films([same])
    assert "is the input itself" in str(result.error)
    assert not same.folder.exists()


def test_an_output_that_came_meanwhile_is_told_before_the_work(job):
    plan(job)
    job.output.write_bytes(b"mine")
    (result,) = run_films([job])
    assert "exists" in str(result.error)


def test_a_damaged_piece_is_rendered_again(job):
    manifest = plan(job)
    video = files_of(manifest, manifest.pieces[0], job).video
    video.write_bytes(b"no video at all")
    assert endings([job]) == ["done"]
    assert len(frames_of(job.output)) == 40


def test_two_processes_do_not_render_one_film(job):
    plan(job)
    descriptor = os.open(job.folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(SinkError, match="Another process renders"):
            run_film(job, workers=1, stop=StopRequest())
    finally:
        os.close(descriptor)
