"""Joining: what does not fit is named, and nothing appears under the film's name."""

from fractions import Fraction

import pytest

from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, files_of, plan
from stream.archive.joining import JoinError, join_pieces
from stream.archive.planning import PieceLengths
from tests.stream.archive.films import make_film, packets_of


@pytest.fixture
def job(tmp_path):
    film = make_film(tmp_path / "film.mp4")
    return FilmJob(input=film, output=tmp_path / "out.mp4", values={"effect": "none", "output": {"codec": "libx264"}})


@pytest.fixture
def manifest(job):
    made = plan(job, lengths=PieceLengths(least=Fraction(0), most=Fraction(60)))
    list(InProcess().finished(job, [0, 1, 2]))
    return made


@pytest.fixture
def videos(manifest, job):
    return [files_of(manifest, piece, job).video for piece in manifest.pieces]


def joined(manifest, videos, job):
    return join_pieces(manifest, videos, job.settings, str(job.output))


def test_packets_are_those_of_the_pieces_in_rising_order(manifest, videos, job):
    assert joined(manifest, videos, job) == []
    packets = packets_of(job.output, "video")
    assert [data for *_, data in packets] == [data for video in videos for *_, data in packets_of(video, "video")]
    decoded = [dts for _, dts, _ in packets]
    assert decoded == sorted(set(decoded))
    assert all(dts <= pts for pts, dts, _ in packets)


def test_audio_is_interleaved_with_the_video(manifest, videos, job):
    joined(manifest, videos, job)
    audio = packets_of(job.output, "audio")
    assert [data for *_, data in audio] == [data for *_, data in packets_of(job.input, "audio")]


def test_progress_is_told_by_frames(manifest, videos, job):
    told = []
    join_pieces(manifest, videos, job.settings, str(job.output), progress=told.append)
    assert told == list(range(1, 41))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda videos: videos[0].write_bytes(videos[0].read_bytes()[:900]), "Piece 0 has 0 frames instead of 12"),
        (lambda videos: videos[1].write_bytes(videos[2].read_bytes()), "Piece 1 has 13 frames instead of 15"),
        (lambda videos: videos[2].unlink(), "Piece 2 cannot be read"),
    ],
)
def test_pieces_that_do_not_fit_are_named(manifest, videos, job, damage, words):
    damage(videos)
    with pytest.raises(JoinError, match=words):
        joined(manifest, videos, job)
    assert not job.output.exists()


def test_a_piece_of_another_encoder_is_named(manifest, videos, job, tmp_path):
    other = FilmJob(
        input=job.input, output=tmp_path / "other.mp4", values={"effect": "none", "output": {"codec": "mpeg4"}}
    )
    foreign = plan(other, lengths=PieceLengths(least=Fraction(0), most=Fraction(60)))
    list(InProcess().finished(other, [1]))
    videos[1] = files_of(foreign, foreign.pieces[1], other).video
    with pytest.raises(JoinError, match="Piece 1 was encoded otherwise than the first"):
        joined(manifest, videos, job)
