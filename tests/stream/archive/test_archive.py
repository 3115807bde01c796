"""Films rendered in pieces from an event loop."""

import asyncio

import pytest

from emocolor.errors import ConfigurationError
from stream.archive.archive import FilmPlanned, Notice, PieceFinished, _Events, open_archive
from stream.archive.film import PieceWork, Progress
from stream.archive.run import FilmResult
from tests.stream.archive.films import frames_of, make_film

VALUES = {"effect": "none", "output": {"preset": "ultrafast"}}


@pytest.fixture
def film(tmp_path):
    (tmp_path / "out").mkdir()
    return make_film(tmp_path / "film.mp4")


async def all_events(archive):
    async with archive:
        return [event async for event in archive]


def test_a_film_is_planned_rendered_and_finished(film, tmp_path):
    archive = open_archive([film, tmp_path / "none.mp4"], tmp_path / "out", VALUES, workers=1)
    planned, piece, done, failed = asyncio.run(all_events(archive))
    assert planned == FilmPlanned(film="film.mp4", frames=40, pieces=1, waiting=1)
    assert (piece.film, piece.piece, piece.waiting) == ("film.mp4", 0, 0)
    assert piece.worker
    assert piece.seconds > 0
    assert (done.ending, failed.ending) == ("done", "failed")
    assert archive.results == [done, failed]
    assert len(frames_of(tmp_path / "out" / "film.mp4")) == 40
    assert (archive.progress.phase, archive.progress.frames) == ("join", 40)


def test_a_folder_stands_for_its_films(film, tmp_path):
    (tmp_path / "in" / "series").mkdir(parents=True)
    film.rename(tmp_path / "in" / "series" / "one.mp4")
    archive = open_archive([tmp_path / "in"], tmp_path / "out", VALUES)
    asyncio.run(all_events(archive))
    assert [result.ending for result in archive.results] == ["done"]
    assert (tmp_path / "out" / "series" / "one.mp4").exists()


def test_a_stop_keeps_what_is_rendered(film, tmp_path):
    async def stopped_when_planned():
        async with open_archive([film], tmp_path / "out", VALUES, workers=1) as archive:
            async for event in archive:
                if isinstance(event, FilmPlanned):
                    archive.stop()
        return archive.results

    (result,) = asyncio.run(stopped_when_planned())
    assert result.ending == "stopped"
    assert (tmp_path / "out" / "film.mp4.pieces" / "manifest.jsonl").exists()
    *_, done = asyncio.run(all_events(open_archive([film], tmp_path / "out", VALUES, workers=1)))
    assert done.ending == "done"


@pytest.mark.parametrize("workers", [1, 2])
def test_leaving_the_block_early_ends_all_work(film, tmp_path, workers):
    async def left():
        async with open_archive([film], tmp_path / "out", VALUES, workers=workers) as archive:
            async for event in archive:
                assert isinstance(event, FilmPlanned)
                break
        return archive

    asyncio.run(left())
    assert not (tmp_path / "out" / "film.mp4").exists()
    assert (tmp_path / "out" / "film.mp4.pieces" / "manifest.jsonl").exists()


def test_the_loop_is_free_while_films_are_rendered(film, tmp_path):
    async def counted():
        turns, ended = 0, asyncio.Event()

        async def count():
            nonlocal turns
            while not ended.is_set():
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await all_events(open_archive([film], tmp_path / "out", VALUES, workers=1))
        ended.set()
        await counting
        return turns

    assert asyncio.run(counted()) > 100


def test_an_error_of_the_block_goes_on(film, tmp_path):
    async def broken():
        async with open_archive([film], tmp_path / "out", VALUES, workers=1):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(broken())


def test_what_is_no_failure_of_a_film_is_raised(film, tmp_path):
    with pytest.raises(AttributeError):
        asyncio.run(all_events(open_archive([film], tmp_path / "out", {"effect": 3})))


def test_films_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="would both become"):
        open_archive([tmp_path / "a" / "one.mp4", tmp_path / "b" / "one.mkv"], tmp_path)


def test_pieces_are_timed_and_notes_told():
    told, times = [], iter([1.0, 2.0, 5.0, 9.0])
    events = _Events(told.append, lambda: next(times))

    def note(**more):
        events.note(
            Progress(film="f", **{"phase": "render", "frames": 0, "total": 50, "pieces": 2, "waiting": 2, **more})
        )

    note(phase="plan")
    note(work=PieceWork(worker="a", piece=1, frames=0))
    note(work=PieceWork(worker="b", piece=0, frames=0))
    note(work=PieceWork(worker="a", piece=1, frames=20))
    note(note="paused", total=None)
    note(piece=1, waiting=1, work=PieceWork(worker="a", piece=1, frames=25))
    note(piece=0, waiting=0, work=PieceWork(worker="b", piece=0, frames=25))
    note(phase="join")
    assert told == [
        FilmPlanned(film="f", frames=50, pieces=2, waiting=2),
        Notice(film="f", text="paused"),
        PieceFinished(film="f", piece=1, worker="a", seconds=4.0, waiting=1),
        PieceFinished(film="f", piece=0, worker="b", seconds=7.0, waiting=0),
    ]
    assert not isinstance(told[0], FilmResult)
