"""One piece by itself: what it reads, and what becomes of it where the film is not as planned."""

from dataclasses import replace
from fractions import Fraction

import pytest

from stream.archive.film import FilmJob, plan
from stream.archive.frame_times import PtsList
from stream.archive.memory import memory_of
from stream.archive.pieces import PieceError, PieceFiles, part_of, render_piece
from stream.archive.planning import PieceLengths
from stream.files.stop_request import StopRequest
from tests.stream.archive.films import frames_of, make_film


@pytest.fixture
def job(tmp_path):
    return FilmJob(input=make_film(tmp_path / "film.mp4"), output=tmp_path / "out.mkv", values={"effect": "none"})


@pytest.fixture
def manifest(job):
    return plan(job, lengths=PieceLengths(least=Fraction(0), most=Fraction(60)))


def rendered(manifest, piece, job, folder, **more):
    files = PieceFiles(video=folder / "piece.mkv", timeline=None)
    return files.video, render_piece(manifest, piece, job.settings, files, cores=1, **more)


def test_at_cuts_a_piece_reads_its_own_frames_alone(manifest, job):
    parts = [part_of(manifest, piece, job.settings) for piece in manifest.pieces]
    assert [(part.first, part.end) for part in parts] == [
        (manifest.pieces[0].times.first, manifest.pieces[1].times.first),
        (manifest.pieces[1].times.first, manifest.pieces[2].times.first),
        (manifest.pieces[2].times.first, None),
    ]
    assert [part.seeks for part in parts] == [False, True, True]


def test_at_joints_a_piece_reads_what_the_stages_remember_but_not_beyond_the_shot(manifest, job):
    one, two, three = manifest.pieces
    manifest = replace(manifest, pieces=(one, replace(two, start="joint", cuts=()), three))
    settings = replace(job, values={"effect": "tint"}).settings
    assert memory_of(settings).before > 2
    assert part_of(manifest, manifest.pieces[1], settings).first == one.times.first
    assert part_of(manifest, one, settings).end == three.times.first


def test_a_piece_starts_at_zero_and_holds_the_planned_frames(manifest, job, tmp_path):
    video, done = rendered(manifest, manifest.pieces[1], job, tmp_path)
    assert done
    times = [time for time, _ in frames_of(video)]
    assert (times[0], len(times)) == (0, 15)


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda times: [*times, times[-1] + 7], "gave no frame"), (lambda times: times[:3] + times[4:], "not planned")],
)
def test_a_film_that_is_not_as_planned_leaves_nothing(manifest, job, tmp_path, change, words):
    piece = manifest.pieces[2]
    wrong = replace(piece, times=PtsList(change(list(piece.times))))
    with pytest.raises(PieceError, match=words):
        rendered(manifest, wrong, job, tmp_path)
    assert not (tmp_path / "piece.mkv").exists()


def test_a_stop_drops_the_piece(manifest, job, tmp_path):
    stop = StopRequest()
    stop.stop()
    video, done = rendered(manifest, manifest.pieces[0], job, tmp_path, stop=stop)
    assert not done
    assert not video.exists()
