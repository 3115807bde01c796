"""Joining: what does not fit is named, and nothing appears under the film's name."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import pytest

from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, files_of, plan
from stream.archive.joining import JoinError, join_pieces
from stream.archive.planning import PieceLengths
from tests.stream.archive.films import make_film, packets_of

SHOTS = PieceLengths(least=Fraction(0), most=Fraction(60))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A film of three pieces with a timeline, and its plan."""
    folder = tmp_path_factory.mktemp("rendered")
    job = FilmJob(
        input=make_film(folder / "film.mp4"),
        output=folder / "out.mp4",
        values={"effect": "none", "output": {"codec": "libx264"}},
        timeline=folder / "out.jsonl",
    )
    manifest = plan(job, lengths=SHOTS)
    list(InProcess().finished(job, [0, 1, 2]))
    return job, manifest


@pytest.fixture
def job(rendered, tmp_path):
    job, _ = rendered
    shutil.copytree(job.folder, tmp_path / job.folder.name)
    return replace(job, output=tmp_path / "out.mp4", timeline=tmp_path / "out.jsonl", strip=tmp_path / "out.png")


@pytest.fixture
def manifest(rendered):
    return rendered[1]


@pytest.fixture
def files(manifest, job):
    return [files_of(manifest, piece, job) for piece in manifest.pieces]


def test_packets_are_those_of_the_pieces_in_rising_order(manifest, files, job):
    joined = join_pieces(manifest, files, job.settings)
    assert (joined.warnings, joined.lost_packets) == ([], 0)
    packets = packets_of(job.output, "video")
    assert [data for *_, data in packets] == [data for each in files for *_, data in packets_of(each.video, "video")]
    decoded = [dts for _, dts, _ in packets]
    assert decoded == sorted(set(decoded))
    assert all(dts <= pts for pts, dts, _ in packets)
    audio = packets_of(job.output, "audio")
    assert [data for *_, data in audio] == [data for *_, data in packets_of(job.input, "audio")]


def test_all_outputs_appear_together_and_after_the_last_check(manifest, files, job):
    def refuse(part):
        assert part.stat().st_size > 0
        raise JoinError(manifest.pieces[0], files[0], "is refused")

    before = set(job.output.parent.iterdir())
    with pytest.raises(JoinError, match="is refused"):
        join_pieces(manifest, files, job.settings, before_placing=refuse)
    assert set(job.output.parent.iterdir()) == before
    join_pieces(manifest, files, job.settings)
    assert set(job.output.parent.iterdir()) - before == {job.output, job.timeline, job.strip}


def test_progress_is_told_by_frames(manifest, files, job):
    told = []
    join_pieces(manifest, files, job.settings, progress=told.append)
    assert told == list(range(1, 41))


def swap(one, other):
    """Exchange two files of the same size, as somebody would who tidies up."""
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)


def pad_to_one_size(files):
    """Bytes after the end of a video change nothing in it; records know of them."""
    size = max(each.video.stat().st_size for each in files)
    for each in files:
        content = each.video.read_bytes()
        each.video.write_bytes(content + bytes(size - len(content)))
        record = json.loads(each.record.read_text())
        each.record.write_text(json.dumps({**record, "bytes": size}))


def change_one_byte(path):
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 200
    content[middle] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda one, two, _: one.video.write_bytes(one.video.read_bytes()[:900]), "Piece 0 is missing or incomplete"),
        (lambda one, two, _: two.video.write_bytes(one.video.read_bytes()), "Piece 1 is missing or incomplete"),
        (lambda one, two, last: last.video.unlink(), "Piece 2 is missing or incomplete"),
        (lambda one, two, _: one.record.unlink(), "Piece 0 is missing or incomplete"),
        (lambda one, two, _: swap(one.record, two.record), "Piece 0 is missing or incomplete"),
        (lambda one, two, _: swap(one.video, two.video), "Piece 0 is damaged, or the file of another piece"),
        (lambda one, two, last: change_one_byte(last.video), "Piece 2 is damaged, or the file of another piece"),
        (lambda one, two, _: two.timeline.write_text("{}\n"), "Piece 1 has a timeline that is not its own"),
    ],
    ids=["truncated", "copied", "gone", "no record", "swapped records", "swapped", "one bit", "timeline"],
)
def test_pieces_that_are_not_what_was_rendered_are_named(manifest, files, job, damage, words):
    if words.startswith("Piece 0 is damaged"):
        pad_to_one_size(files)
    damage(*files)
    with pytest.raises(JoinError, match=words):
        join_pieces(manifest, files, job.settings)
    assert not job.output.exists()
    assert not list(job.output.parent.glob(".out*"))


def test_a_piece_of_another_encoder_is_named(manifest, files, job, tmp_path):
    record = json.loads(files[1].record.read_text())
    files[1].record.write_text(json.dumps({**record, "encoder": "another"}))
    with pytest.raises(JoinError, match="Piece 1 was encoded otherwise than the first"):
        join_pieces(manifest, files, job.settings)
