"""What goes wrong with films and their pieces: a clear line, nothing lost, never a wrong film under the final name."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.errors import SinkError, SourceError
from stream.archive.film import MANIFEST, FilmJob, files_of, plan
from stream.archive.manifest import ManifestError, write_lines
from stream.archive.planning import PieceLengths, divide
from stream.archive.run import run_film
from stream.files.stop_request import StopRequest
from stream.job import Job
from tests.stream.archive.films import frames_of, make_film

SHOTS = PieceLengths(least=Fraction(0), most=Fraction(60))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4")


@pytest.fixture
def job(film, tmp_path):
    return job_for(shutil.copy(film, tmp_path / "film.mp4"), tmp_path)


def job_for(film, folder):
    return FilmJob(input=film, output=folder / "out.mkv", values={"effect": "none", "output": {"codec": "ffv1"}})


def run(job, watch=lambda progress: None, **more):
    return run_film(job, workers=1, stop=StopRequest(), watch=watch, **more)


def once(condition, action):
    """Watches for a moment, and does something then, once."""
    done = []

    def watch(progress):
        if not done and condition(progress):
            done.append(True)
            action()

    return watch


def notes_of(job, **more):
    told = []
    result = run(job, told.append, **more)
    assert result.ending == "done"
    return [progress.note for progress in told if progress.note]


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def nothing_is_left_but(job, *names):
    assert sorted(path.name for path in job.output.parent.iterdir()) == sorted(names)


def test_an_input_that_is_replaced_between_two_pieces_ends_the_film(job, tmp_path):
    plan(job, lengths=SHOTS)
    other = make_film(tmp_path / "other.mp4", shots=(9, 11))
    watch = once(lambda progress: progress.piece is not None, lambda: other.replace(job.input))
    with pytest.raises(ManifestError, match=r"film.mp4 was planned with something else: the input. Plan it anew"):
        run(job, watch)
    nothing_is_left_but(job, "film.mp4", "out.mkv.pieces")
    assert "Since it was planned, the input changed" in notes_of(job)[0]
    assert [digest for _, digest in frames_of(job.output)] == [digest for _, digest in frames_of(job.input)]
    assert len(frames_of(job.output)) == 20


def test_an_input_that_changes_while_pieces_are_joined_gives_no_film(job):
    plan(job, lengths=SHOTS)
    with pytest.raises(ManifestError, match="the input"):
        run(job, once(lambda progress: progress.phase == "join", lambda: append(job.input)))
    nothing_is_left_but(job, "film.mp4", "out.mkv.pieces")


def test_a_film_that_grows_while_it_is_planned_is_not_planned(job):
    with pytest.raises(SourceError, match=r"film.mp4 changed while it was planned. Wait until it is complete"):
        run(job, once(lambda progress: progress.frames == 20, lambda: append(job.input)))
    nothing_is_left_but(job, "film.mp4")


@pytest.mark.parametrize("waiting", [2, 0])
def test_a_folder_that_is_gone_ends_the_film(job, waiting):
    plan(job, lengths=SHOTS)
    watch = once(lambda p: p.piece is not None and p.waiting == waiting, lambda: shutil.rmtree(job.folder))
    with pytest.raises(SinkError, match=r"out\.mkv"):
        run(job, watch)
    nothing_is_left_but(job, "film.mp4")
    assert run(job).ending == "done"


def test_a_truncated_piece_is_named_and_rendered_again(job, film):
    manifest = rendered(job)
    video = files_of(manifest, manifest.pieces[1], job).video
    video.write_bytes(video.read_bytes()[:-100])
    assert notes_of(job) == ["Damaged or incomplete pieces are rendered again: 1."]
    assert [digest for _, digest in frames_of(job.output)] == [digest for _, digest in frames_of(film)]


def test_swapped_pieces_of_one_size_are_named_and_rendered_again(tmp_path):
    job = job_for(make_film(tmp_path / "film.mp4", shots=(10, 10)), tmp_path)
    manifest = rendered(job)
    one, two = (files_of(manifest, piece, job) for piece in manifest.pieces)
    size = max(each.video.stat().st_size for each in (one, two))
    contents = [each.video.read_bytes().ljust(size, b"\0") for each in (one, two)]
    for each, content in zip((two, one), contents, strict=True):
        each.video.write_bytes(content)
        each.record.write_text(json.dumps({**json.loads(each.record.read_text()), "bytes": size}))
    assert notes_of(job) == [
        f"Piece {piece} is damaged, or the file of another piece. It is rendered again." for piece in (0, 1)
    ]
    assert [digest for _, digest in frames_of(job.output)] == [digest for _, digest in frames_of(job.input)]


def test_pieces_of_an_older_version_are_not_taken(job):
    manifest = rendered(job)
    path = job.folder / MANIFEST
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 1'))
    files = files_of(manifest, manifest.pieces[0], job)
    older = job.folder / f"{'0' * 20}.mkv"
    files.video.rename(older)
    files.record.rename(older.with_suffix(".json"))
    told = []
    assert plan(job, lengths=SHOTS, watch=told.append) == manifest
    assert told[-1].note.endswith(
        "it has version 1 and not 2. It is planned anew. Pieces 1 to 2 are kept, others are rendered again: 1."
    )
    assert not older.exists()
    assert not older.with_suffix(".json").exists()


def test_what_a_process_left_that_was_killed_at_its_very_end_is_removed(job):
    plan(job, lengths=SHOTS)
    assert run(job, keep_pieces=True).ending == "done"
    before = job.output.stat().st_mtime_ns
    assert run(job).ending == "skipped"
    nothing_is_left_but(job, "film.mp4", "out.mkv")
    assert job.output.stat().st_mtime_ns == before


def rendered(job):
    """The plan of a film whose pieces are all there, and which was stopped before they were joined."""
    stop, manifest = StopRequest(), plan(job, lengths=SHOTS)
    run_film(job, workers=1, stop=stop, watch=lambda progress: stop.stop() if progress.phase == "join" else None)
    return manifest


def film_at(path, times):
    """A film with frames at these milliseconds, all different."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            gray = np.full((64, 96), 60, np.uint8)
            gray[:, 4 * (number % 20) :] = 80
            frame = av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


EVERYWHERE = None
"""A cut at every frame."""


@pytest.mark.parametrize(
    ("make", "lengths", "pieces"),
    [
        (lambda path: make_film(path, shots=(1,)), SHOTS, 1),
        (lambda path: make_film(path, shots=(1,) * 8), EVERYWHERE, 8),
        (lambda path: film_at(path, range(0, 1200, 40)), PieceLengths(least=Fraction(0), most=Fraction(2, 5)), 3),
        (lambda path: film_at(path, [0, 40, 90, 100, 9000, 9033, 9066, 70000, 70001, 70002]), SHOTS, 2),
    ],
    ids=["one frame", "cuts everywhere", "no cut", "gaps"],
)
@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_odd_films_are_those_of_one_run(tmp_path, make, lengths, pieces, codec):
    values = {"effect": "none", "output": {"codec": codec}}
    job = FilmJob(input=make(tmp_path / "film.mkv"), output=tmp_path / "out.mkv", values=values)
    manifest = plan(job, lengths=lengths)
    if lengths is EVERYWHERE:
        manifest = divided_everywhere(manifest, job)
    assert len(manifest.pieces) == pieces
    assert run(job).ending == "done"
    whole = FilmJob(input=job.input, output=tmp_path / "whole.mkv", values=values)
    with Job(whole.settings) as plain:
        for _ in plain:
            pass
    joined, expected = frames_of(job.output), frames_of(whole.output)
    assert [time for time, _ in joined] == [time for time, _ in expected]
    if codec == "ffv1":
        assert joined == expected


def divided_everywhere(manifest, job):
    """The plan with a piece for every frame, in place of the one on the disk."""
    frames = ((pts, True) for piece in manifest.pieces for pts in piece.times)
    divided = replace(manifest, pieces=tuple(divide(frames, manifest.header.unit, SHOTS)))
    (job.folder / MANIFEST).write_text("\n".join(write_lines(divided)))
    return divided
