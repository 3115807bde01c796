"""Jobs in pieces: they end as others do, with the same result, and go on where they were stopped."""

import signal

import pytest

from emocolor.errors import ConfigurationError
from stream.archive.divisible import LONG_SECONDS
from stream.cli.jobs import remaster_command, run_command
from stream.cli.resumable import film_job, is_in_pieces
from stream.settings import PiecesOptions, job_settings
from tests.stream.archive.films import frames_of, make_film, packets_of
from tests.stream.cli.command_process import CommandProcess
from tests.stream.cli.command_process import call as call_process
from tests.stream.cli.test_jobs import call

LOSSLESS = {"option_codec": "ffv1"}
RECORDS = f"{'?' * 20}.json"
"""Of rendered pieces, in their folder."""


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two minutes at two frames a second: several pieces, and few frames."""
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", shots=(60, 70, 50, 60), rate=2)


@pytest.fixture(scope="module")
def short_film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4")


@pytest.fixture
def both(tmp_path, capsys):
    """Does a job at once and in pieces; what both printed, their exit code, and their outputs without the ending."""

    def run(command, film, **arguments):
        printed, codes = [], []
        for name, resumable in (("whole", False), ("pieces", True)):
            places = {key: tmp_path / f"{name}{ending}" for key, ending in (("timeline", ".csv"),) if key in arguments}
            code, _, err = call(
                command(),
                capsys,
                **{
                    "input": str(film),
                    "output": str(tmp_path / f"{name}.mkv"),
                    "option_resumable": resumable,
                    **arguments,
                    **places,
                },
            )
            printed.append(err.replace(name, "*"))
            codes.append(code)
        assert printed[0] == printed[1]
        assert codes[0] == codes[1]
        assert frames_of(tmp_path / "whole.mkv") == frames_of(tmp_path / "pieces.mkv")
        assert packets_of(tmp_path / "whole.mkv", "audio") == packets_of(tmp_path / "pieces.mkv", "audio")
        assert not (tmp_path / "pieces.mkv.pieces").exists()
        return codes[0], printed[0], tmp_path / "whole", tmp_path / "pieces"

    return run


def test_frames_audio_and_timeline_are_those_of_a_plain_run(demo_clip, both):
    part = {"option_ss": "0.3", "option_to": "1.5"}
    code, printed, whole, pieces = both(run_command, demo_clip, timeline=True, **part, **LOSSLESS)
    assert (code, printed) == (0, "")
    timeline = whole.with_suffix(".csv").read_text()
    assert timeline.count("\n") > 5
    assert pieces.with_suffix(".csv").read_text() == timeline


@pytest.mark.slow
def test_a_restored_film_and_its_strip_are_those_of_a_plain_run(demo_clip, both):
    options = {"option_colorize_force": True, "option_to": "0.3", **LOSSLESS}
    code, printed, whole, pieces = both(remaster_command, demo_clip, **options)
    assert (code, printed) == (0, "")
    strips = [path.with_suffix(".compare.png").read_bytes() for path in (whole, pieces)]
    assert strips[0] == strips[1]


def test_what_is_said_of_colours_is_said_too(demo_clip, both):
    _, printed, *_ = both(remaster_command, demo_clip, option_to="0.2", **LOSSLESS)
    assert "warning: The input is in colour already" in printed


def test_effects_that_had_no_face_to_follow_are_named(short_film, both):
    _, printed, *_ = both(run_command, short_film, effect="grade", **LOSSLESS)
    assert "no emotion for grade to follow" in printed


def test_damage_of_the_input_has_its_exit_code(tmp_path, both):
    damaged = make_film(tmp_path / "film.mkv")
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 2 // 3])
    code, printed, *_ = both(run_command, damaged, effect="none", **LOSSLESS)
    assert code == 3
    assert "the input is damaged" in printed


def arguments(film, output, *more):
    return [film, "-o", output, "--effect", "none", "--codec", "ffv1", "--resumable", *more]


def test_a_stopped_job_goes_on_where_it_was(film, tmp_path):
    output, folder = tmp_path / "out.mkv", tmp_path / "out.mkv.pieces"
    with CommandProcess(*arguments(film, output)) as command:
        command.wait_until(lambda: list(folder.glob(RECORDS)))
        command.signal(signal.SIGTERM)
        code, printed = command.finish()
    assert code == 143
    assert printed.splitlines() == [
        "stopping; what is rendered is kept, and the same command goes on from there.",
        f"stopped: {output} is not finished; its pieces lie in {folder}.",
    ]
    assert not output.exists()
    rendered = {path: path.stat().st_mtime_ns for path in folder.glob("[0-9a-f]*.mkv")}
    assert rendered
    done = call_process(*arguments(film, output, "--keep-pieces"))
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in rendered} == rendered
    assert [digest for _, digest in frames_of(output)] == [digest for _, digest in frames_of(film)]
    again = call_process(*arguments(film, output, "--keep-pieces"))
    assert (again.returncode, again.stderr) == (0, f"{output} was finished before.\n")


def test_a_job_is_begun_anew_where_that_is_wanted(short_film, tmp_path, capsys):
    options = {
        "input": str(short_film),
        "output": str(tmp_path / "out.mkv"),
        "effect": "none",
        "option_resumable": True,
        "option_overwrite": True,
        "option_keep_pieces": True,
    }

    def rendered(**more):
        assert call(run_command(), capsys, **options, **more)[0] == 0
        (record,) = (tmp_path / "out.mkv.pieces").glob(RECORDS)
        return record.stat().st_ino, record.stat().st_mtime_ns

    first = rendered()
    assert rendered() == first
    assert rendered(option_restart=True) != first


def test_other_options_are_named_and_pieces_rendered_again(short_film, tmp_path, capsys):
    options = {"input": str(short_film), "output": str(tmp_path / "out.mp4"), "effect": "none"}
    options |= {"option_resumable": True, "option_keep_pieces": True, "option_overwrite": True}
    assert call(run_command(), capsys, **options)[0] == 0
    _, _, printed = call(run_command(), capsys, **options, option_crf="30")
    assert printed == (
        "Since it was planned, --crf (None, now 30.0) changed, so it is planned anew. "
        "Pieces that were rendered are rendered again: 1.\n"
    )


def test_an_existing_output_is_not_replaced(short_film, tmp_path, capsys):
    output = tmp_path / "out.mkv"
    output.write_bytes(b"mine")
    code, _, printed = call(run_command(), capsys, input=str(short_film), output=str(output), option_resumable=True)
    assert (code, printed) == (5, f"error: {output} exists. --overwrite replaces it.\n")
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"output": "out.avi"}, "Pieces cannot be joined in avi"),
        ({"output": None, "timeline": "out.csv"}, "--resumable needs a video file as the output."),
        ({"output": "out.mkv", "input": "-"}, "--resumable needs a file as the input."),
        ({"output": "out.mkv", "overlay": True}, "The overlay shows numbers"),
    ],
)
def test_what_cannot_be_in_pieces_is_told_where_that_is_asked_for(
    short_film, tmp_path, capsys, monkeypatch, more, words
):
    monkeypatch.chdir(tmp_path)
    code, _, printed = call(run_command(), capsys, **{"input": str(short_film), "option_resumable": True, **more})
    assert code == ConfigurationError.exit_code
    assert words in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_plan_names_the_folder(short_film, tmp_path, capsys):
    output = str(tmp_path / "out.mkv")
    _, plan, _ = call(run_command(), capsys, input=str(short_film), output=output, option_resumable=True, dry_run=True)
    assert plan.splitlines()[-1] == f"pieces    {output}.pieces: from there the same command goes on"


def test_long_films_are_in_pieces_unless_that_is_not_wanted(tmp_path):
    film = make_film(tmp_path / "film.mkv", shots=(LONG_SECONDS + 4,), rate=1)
    settings = job_settings({"effect": "none"}, input=str(film), output=str(tmp_path / "out.mkv"))
    assert is_in_pieces(settings, PiecesOptions())
    assert not is_in_pieces(settings, PiecesOptions(resumable=False))


def test_the_film_is_that_of_the_settings(short_film, tmp_path):
    values = {"effect": "none"}
    settings = job_settings(values, input=f"file:{short_film}", output=str(tmp_path / "out.mkv"))
    job = film_job(settings, values)
    assert (job.input, job.values) == (short_film, {"effect": "none"})
