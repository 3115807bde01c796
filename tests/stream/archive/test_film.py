"""A film in pieces is the film in one run: the same frames, times, audio and timeline."""

import os
import shutil
from dataclasses import replace
from fractions import Fraction

import av
import pytest

from emocolor.errors import ConfigurationError
from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, differences, join, missing, plan, render
from stream.archive.manifest import ManifestError
from stream.archive.planning import PieceLengths
from stream.job import Job
from stream.settings import job_settings
from tests.stream.archive.films import frames_of, make_film, packets_of

SHOTS = PieceLengths(least=Fraction(0), most=Fraction(60))
"""A piece for every shot."""
LOSSLESS = {"codec": "ffv1"}


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4")


def in_pieces(film, folder, values, lengths=SHOTS, *, name="joined.mkv", timeline=False):
    job = FilmJob(
        input=film, output=folder / name, values=values, timeline=folder / "joined.jsonl" if timeline else None
    )
    manifest = plan(job, lengths=lengths)
    list(InProcess().finished(job, [piece.index for piece in missing(manifest, job)]))
    join(manifest, job)
    return job, manifest


def in_one_run(film, folder, values, *, name="whole.mkv", timeline=False):
    settings = job_settings(
        values, input=str(film), output=str(folder / name), timeline=folder / "whole.jsonl" if timeline else None
    )
    with Job(settings) as job:
        for _ in job:
            pass
    return folder / name


def test_pieces_at_cuts_give_the_frames_of_one_run(film, tmp_path):
    values = {"effect": "none", "output": LOSSLESS}
    job, manifest = in_pieces(film, tmp_path, values)
    assert [(piece.start, len(piece.times)) for piece in manifest.pieces] == [("film", 12), ("cut", 15), ("cut", 13)]
    assert frames_of(job.output) == frames_of(in_one_run(film, tmp_path, values))
    assert not job.folder.exists()


@pytest.mark.parametrize("seconds", [Fraction(1, 2), Fraction(1, 3)])
def test_a_long_shot_is_divided_and_its_timeline_joined(demo_clip, tmp_path, seconds):
    values = {"effect": "tint", "output": LOSSLESS}
    lengths = PieceLengths(least=Fraction(0), most=seconds)
    job, manifest = in_pieces(demo_clip, tmp_path, values, lengths, timeline=True)
    assert "joint" in {piece.start for piece in manifest.pieces}
    assert frames_of(job.output) == frames_of(in_one_run(demo_clip, tmp_path, values, timeline=True))
    assert job.timeline.read_text() == (tmp_path / "whole.jsonl").read_text() != ""


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("f.mp4", "libx264"), ("f.mkv", "libx265"), ("f.webm", "libvpx-vp9"), ("f.mkv", "libsvtav1"),
        ("f.mov", "prores_ks"), ("f.ts", "libx264"),
    ],
)  # fmt: skip
def test_codecs_are_joined_with_the_times_of_the_plan(film, tmp_path, name, codec):
    values = {"effect": "none", "output": {"codec": codec}}
    job, manifest = in_pieces(film, tmp_path, values, name=name)
    whole = in_one_run(film, tmp_path, values, name=f"whole-{name}")
    joined = frames_of(job.output)
    assert [time for time, _ in joined] == [time for time, _ in frames_of(whole)]
    assert len(joined) == manifest.frame_count == 40
    if name != "f.webm":  # where AAC becomes Opus
        assert [data for *_, data in packets_of(job.output, "audio")] == [
            data for *_, data in packets_of(whole, "audio")
        ]


def test_a_variable_rate_keeps_every_time(tmp_path):
    film = make_film(tmp_path / "film.mkv", step=4)
    values = {"effect": "none", "output": {"codec": "libx264"}}
    job, _ = in_pieces(film, tmp_path, values, name="joined.mp4")
    whole = in_one_run(film, tmp_path, values, name="whole.mp4")
    assert [time for time, _ in frames_of(job.output)] == [time for time, _ in frames_of(whole)]


def test_a_film_without_stated_times_is_read_from_its_start(tmp_path):
    film = make_film(tmp_path / "film.avi", codec="mpeg4")
    values = {"effect": "none", "output": LOSSLESS}
    job, manifest = in_pieces(film, tmp_path, values)
    assert not manifest.header.seeks
    assert frames_of(job.output) == frames_of(in_one_run(film, tmp_path, values))


def test_a_part_of_a_film_is_counted_from_its_start(film, tmp_path):
    values = {"effect": "none", "output": LOSSLESS, "input": {"start_seconds": 0.2, "end_seconds": 1.4}}
    job, manifest = in_pieces(film, tmp_path, values)
    assert manifest.frame_count == 30
    assert frames_of(job.output) == frames_of(in_one_run(film, tmp_path, values))


def test_a_timecode_begins_with_the_part(film, tmp_path):
    coded = tmp_path / "coded.mov"
    with av.open(str(film)) as source, av.open(str(coded), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.metadata["timecode"] = "01:00:00:00"
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    values = {"effect": "none", "input": {"start_seconds": 0.4}}
    job, _ = in_pieces(coded, tmp_path, values, name="joined.mov")
    whole = in_one_run(coded, tmp_path, values, name="whole.mov")
    codes = [av.open(str(path)).streams.video[0].metadata.get("timecode") for path in (job.output, whole)]
    assert codes == ["01:00:00:10"] * 2


@pytest.fixture
def job(film, tmp_path):
    copy = tmp_path / "film.mp4"
    shutil.copy(film, copy)
    return FilmJob(input=copy, output=tmp_path / "out.mp4", values={"effect": "none"})


def test_only_what_is_missing_is_rendered_again(job):
    manifest = plan(job, lengths=SHOTS)
    assert [piece.index for piece in missing(manifest, job)] == [1, 2, 0]  # the longest first
    assert render(job, 1, cores=1)
    again = plan(job)
    assert again == manifest
    assert [piece.index for piece in missing(again, job)] == [2, 0]


def test_what_has_changed_is_named_and_planned_anew(job):
    manifest = plan(job, lengths=SHOTS)
    assert differences(manifest, job) == []
    os.utime(job.input)  # another date is no other film
    assert differences(manifest, job) == []
    other = replace(job, values={"effect": "grade", "output": {"crf": 30}})
    assert differences(manifest, other) == ["the effects (none, now grade)", "the option output.crf (None, now 30.0)"]
    with job.input.open("ab") as film:
        film.write(b"more")
    assert differences(manifest, job) == ["the input"]
    with pytest.raises(ManifestError, match=r"planned with something else: the input. Plan it anew."):
        render(job, 0, cores=1)
    assert plan(job).header.input != manifest.header.input


def test_a_damaged_manifest_is_planned_anew(job):
    manifest, told = plan(job, lengths=SHOTS), []
    render(job, 0, cores=1)
    render(job, 1, cores=1)
    path = job.folder / "manifest.jsonl"
    path.write_text(path.read_text()[:-40])
    assert plan(job, lengths=SHOTS, watch=told.append) == manifest
    assert "is damaged or unfinished" in told[-1].note
    assert told[-1].note.endswith("It is planned anew. Pieces 0 to 1 are kept.")
    assert [piece.index for piece in missing(manifest, job)] == [2]


def test_pieces_of_other_options_are_removed_and_that_is_told(job):
    manifest, told = plan(job, lengths=SHOTS), []
    render(job, 0, cores=1)
    render(job, 2, cores=1)
    other = replace(job, values={"effect": "none", "output": {"crf": 30}})
    assert len(missing(plan(other, lengths=SHOTS, watch=told.append), other)) == 3
    assert [path.name for path in job.folder.iterdir()] == ["manifest.jsonl"]
    assert told[-1].note == (
        "Since it was planned, the option output.crf (None, now 30.0) changed, so it is planned anew. "
        "Pieces that were rendered are rendered again: 2."
    )
    assert plan(job, lengths=SHOTS) == manifest


def test_overwriting_changes_no_piece(job):
    manifest = plan(job, lengths=SHOTS)
    assert differences(manifest, replace(job, values={**job.values, "output": {"overwrite": True}})) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"effect": "tint,overlay"}, "overlay"),
        ({"effect": "tint", "analysis": {"fresh_masks": True}}, "fresh_masks"),
        ({"effect": "tint", "decoder": "nvdec"}, "in software"),
        ({"effect": "tint", "output": {"format": "avi"}}, "avi"),
    ],
)
def test_what_depends_on_the_whole_film_is_refused(film, tmp_path, values, words):
    with pytest.raises(ConfigurationError, match=words):
        plan(FilmJob(input=film, output=tmp_path / "out.mp4", values=values))
    assert list(tmp_path.iterdir()) == []
