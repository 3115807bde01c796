"""Films whose results lie behind a URL: as those in a folder, wherever they are rendered."""

import os
import uuid
from pathlib import Path

import pytest

from emocolor.errors import SinkError
from stream.archive.executors import Processes
from stream.archive.film import FilmJob, plan
from stream.archive.remote.mirror import mirror_of, outline_of, render
from stream.archive.remote.storage import Storage
from stream.archive.run import run_film, run_films
from stream.archive.status import film_statuses
from stream.files.stop_request import StopRequest
from tests.stream.archive.films import make_film
from tests.stream.archive.remote.s3_server import KEY, SECRET, keys_in, s3_server

pytest.importorskip("fsspec")
LONG_SHOTS = (21, 21, 5)
"""In seconds: two pieces by the usual lengths."""
VALUES = {"effect": "none", "output": {"codec": "libx264", "preset": "ultrafast"}}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", LONG_SHOTS, rate=1)


@pytest.fixture(scope="module")
def whole(film, tmp_path_factory):
    """The film rendered in a folder."""
    job = FilmJob(input=film, output=tmp_path_factory.mktemp("whole") / "film.mp4", values=VALUES)
    assert run_film(job, workers=1, stop=StopRequest()).ending == "done"
    return job.output.read_bytes()


@pytest.fixture
def job(film, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return FilmJob(input=film, output=Path("films/film.mp4"), values=VALUES, store=f"memory://{uuid.uuid4()}")


def content_of(job, tmp_path):
    Storage(job.store).get(str(job.output), tmp_path / "back.mp4")
    return (tmp_path / "back.mp4").read_bytes()


def pieces_of(job):
    return Storage(f"{job.store}/{job.folder}").sizes()


def leave(job, *names):
    """Files that are no results, under the names of some."""
    for name in names:
        Storage(f"{job.store}/{job.folder}").put(job.input, name)


def ending(job, **more):
    (result,) = run_films([job], **more)
    return result.ending if result.error is None else str(result.error)


def test_a_film_behind_a_url_goes_on_where_it_was_stopped(job, whole, tmp_path):
    stop, told = StopRequest(), []

    def watch(progress):
        if progress.piece is not None:
            told.append(progress.piece)
            stop.stop()

    assert ending(job, stop=stop, watch=watch) == "stopped"
    assert len(told) == 1
    assert len(pieces_of(job)) == 3  # the plan, a piece and its record
    assert ending(job, watch=watch) == "done"
    assert sorted(told) == [0, 1]
    assert content_of(job, tmp_path) == whole
    assert pieces_of(job) == {}
    assert ending(job) == "skipped"
    assert list(tmp_path.glob(".*")) == []


def test_how_far_films_behind_a_url_are_is_read_without_them(job):
    stop = StopRequest()
    ending(job, stop=stop, watch=lambda progress: stop.stop() if progress.piece is not None else None)
    with outline_of(job.store) as folder:
        (status,) = film_statuses(folder)
        assert status.output.relative_to(folder) == job.output
    assert (status.state, status.pieces_rendered, status.pieces) == ("waiting", 1, 2)
    assert not folder.exists()


def test_pieces_are_kept_and_the_film_is_known_as_finished(job):
    assert ending(job, keep_pieces=True) == "done"
    assert len(pieces_of(job)) == 6  # with the note that it is finished
    with outline_of(job.store) as folder:
        assert [status.state for status in film_statuses(folder)] == ["finished"]
    assert ending(job, keep_pieces=True) == "skipped"
    assert ending(job) == "skipped"
    assert pieces_of(job) == {}


def test_what_was_rendered_before_can_be_dropped(job):
    leave(job, "manifest.jsonl", "00000000000000000000.mp4")
    assert ending(job, restart=True, keep_pieces=True) == "done"
    assert "00000000000000000000.mp4" not in pieces_of(job)


def test_a_damaged_plan_is_made_anew_and_its_pieces_are_removed(job):
    leave(job, "manifest.jsonl", "00000000000000000000.mp4")
    assert ending(job, keep_pieces=True) == "done"
    assert "00000000000000000000.mp4" not in pieces_of(job)


def test_a_film_of_somebody_else_is_not_replaced(job):
    Storage(job.store).put(job.input, str(job.output))
    assert ending(job) == "skipped"
    leave(job, "manifest.jsonl")
    assert "exists. Set output.overwrite" in ending(job)


def test_dates_decide_nothing(film, tmp_path):
    """A file server whose clock is wrong, and a copy of the film with another date."""
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(film.read_bytes())
    job = FilmJob(input=copy, output=tmp_path / "film.mp4", values=VALUES)
    plan(job)
    assert render(job, 0, cores=1)
    for path in (copy, *job.folder.iterdir()):
        os.utime(path, (4e9, 4e9))
    rendered = []
    assert ending(job, watch=lambda progress: rendered.append(progress.piece)) == "done"
    assert {piece for piece in rendered if piece is not None} == {1}


def test_a_piece_is_rendered_without_a_plan_at_hand_only_if_there_is_one(job):
    with pytest.raises(SinkError, match=r"^Cannot read memory://.*manifest\.jsonl"):
        render(job, 0, cores=1)


@pytest.fixture(scope="module")
def bucket():
    with s3_server("films") as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        yield url


@pytest.mark.slow
def test_processes_render_to_s3(film, whole, tmp_path, bucket):
    job = FilmJob(input=film, output=Path("film.mp4"), values=VALUES, store="s3://films/of/ours")
    assert ending(job, workers=2) == "done"
    assert keys_in(bucket, "films") == {"of/ours/film.mp4"}
    assert [file.name for file in Storage("s3://films").files_below()] == ["of/ours/film.mp4"]
    assert content_of(job, tmp_path) == whole
    assert ending(job) == "skipped"


@pytest.mark.slow
def test_what_s3_refuses_is_one_line_without_secrets(film, bucket):
    told = ending(FilmJob(input=film, output=Path("film.mp4"), values=VALUES, store="s3://nobodys/films"))
    assert told.startswith("Cannot write s3://nobodys/films")
    assert "\n" not in told
    assert KEY not in told
    assert SECRET not in told


def test_processes_put_pieces_behind_a_url_of_another_file_system(film, tmp_path):
    job = FilmJob(input=film, output=Path("film.mp4"), values=VALUES, store=f"local://{tmp_path}/there")
    with mirror_of(job) as mirror:
        plan(mirror.here)
        mirror.put_plan()
        assert sorted(Processes(2).finished(job, [0, 1])) == [0, 1]
    assert len(pieces_of(job)) == 5
