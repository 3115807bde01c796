"""Films of folders and lists, from the choice to the summary."""

import fcntl
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from emocolor.errors import ConfigurationError, SinkError, SourceError
from stream.archive.film import FilmJob
from stream.archive.run import LOCK, FilmResult
from stream.cli.archive.rendering import Ended, FilmChoice, Rendering, Turns, exit_code, lines_of, summary
from tests.stream.archive.films import frames_of, make_film

OPTIONS = {"list_file": None, "pattern": None, "name": "{relative}", "watch": False, "settle": 10.0}
VALUES = {"effect": "none", "output": {"codec": "ffv1"}}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", shots=(12, 8))


@pytest.fixture
def place(tmp_path, film):
    """A folder of two films, one of them damaged, and an empty one for what is finished."""
    for name in ("films/b.mp4", "films/series/one.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(film, tmp_path / name)
    (tmp_path / "films" / "a.mp4").write_bytes(b"no film at all")
    (tmp_path / "out").mkdir()
    return tmp_path


def choice(place, *films, **options):
    return FilmChoice.of(films or [place / "films"], str(place / "out"), ".mkv", OPTIONS | options)


def rendered(chosen, quiet=False):
    return Rendering(chosen, {"workers": 1}, quiet=quiet).run(VALUES)


def finished(place):
    return sorted(str(path.relative_to(place / "out")) for path in (place / "out").rglob("*.mkv"))


def result(ending, error=None):
    return FilmResult(job=FilmJob(input=Path("film.mp4"), output=Path("out/film.mkv")), ending=ending, error=error)


def test_one_failed_film_does_not_stop_the_rest_and_the_summary_names_it(place, capsys):
    assert rendered(choice(place)) == SourceError.exit_code
    assert finished(place) == ["b.mkv", "series/one.mkv"]
    assert len(frames_of(place / "out" / "series" / "one.mkv")) == 20
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("a.mp4: error: Cannot read")
    assert f"series/one.mp4: {place / 'out/series/one.mkv'} is finished" in lines
    head, bad, good, nested, counts = lines[-5:]
    assert head.split() == ["film", "ending", "frames", "seconds"]
    assert bad.split()[:2] == ["a.mp4", "failed"]
    assert "Cannot read" in bad
    assert good.split()[:3] == ["b.mp4", "done", "20"]
    assert nested.split()[:3] == ["series/one.mp4", "done", "20"]
    assert counts == "3 films: 1 failed, 2 done"


def test_finished_films_are_left_alone_and_listed(place, capsys):
    (place / "out" / "b.mkv").write_bytes(b"mine")
    (place / "out" / "series").mkdir()
    (place / "out" / "series" / "one.mkv").write_bytes(b"mine too")
    (place / "films" / "a.mp4").unlink()
    assert rendered(choice(place)) == 0
    assert (place / "out" / "b.mkv").read_bytes() == b"mine"
    assert capsys.readouterr().err.splitlines() == [
        "film            ending      frames  seconds",
        "b.mp4           left alone",
        "series/one.mp4  left alone",
        "2 films: 2 left alone",
    ]


def test_quiet_means_errors_alone(place, capsys):
    assert rendered(choice(place), quiet=True) == SourceError.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("a.mp4: error: ")


def test_a_film_of_another_process_has_a_second_turn_at_the_end(place, capsys):
    (place / "films" / "a.mp4").unlink()
    pieces = place / "out" / "b.mkv.pieces"
    pieces.mkdir()
    with (pieces / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert rendered(choice(place)) == SinkError.exit_code
    assert finished(place) == ["series/one.mkv"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines if "Another process" in line and ": error" in line] == ["b.mp4"]
    assert lines[-1] == "2 films: 1 done, 1 in work elsewhere"


def test_lists_and_names_choose_inputs_and_outputs(place):
    (place / "films.txt").write_text("films/b.mp4\nfilms/series\n")
    chosen = FilmChoice.of(
        [], str(place / "out"), ".mkv", OPTIONS | {"list_file": place / "films.txt", "name": "{parent}-{stem}"}
    )
    assert isinstance(turns := chosen.turns(VALUES, stop=None), Turns)
    assert [job.output.name for job in turns] == ["films-b.mkv", "series-one.mkv"]
    assert [chosen.title_of(job) for job in turns] == ["b.mp4", "one.mp4"]


@pytest.mark.parametrize(
    ("films", "options", "error", "message"),
    [
        ([], {}, ConfigurationError, "No film is named"),
        (["films/none"], {"watch": True}, ConfigurationError, "no folder to watch"),
        (["films"], {"pattern": ["*.rec"]}, SourceError, "There is no film in .*films"),
        (["films"], {"watch": True, "settle": -1.0}, ConfigurationError, "cannot be negative"),
        (["films"], {"name": "{stem}/../../x"}, ConfigurationError, "leads out of the folder"),
        (["films"], {"name": "same"}, ConfigurationError, "would both become"),
        (["out"], {}, ConfigurationError, "the folder of finished films as well"),
        (["films"], {"list_file": Path("none.txt")}, SourceError, "The list none.txt cannot be read"),
    ],
)
def test_what_is_wrong_with_a_choice_is_one_line_before_any_work(place, films, options, error, message):
    inputs = [place / name for name in films]
    with pytest.raises(error, match=message):
        FilmChoice.of(inputs, str(place / "out"), ".mkv", OPTIONS | options).turns(VALUES, stop=None)
    assert list((place / "out").iterdir()) == []


def test_a_folder_for_an_output_that_cannot_be_made_is_the_failure_of_one_film(place):
    (place / "films" / "a.mp4").unlink()
    (place / "out" / "series").write_bytes(b"a file in the way")
    assert rendered(choice(place)) == SinkError.exit_code
    assert finished(place) == ["b.mkv"]


def test_the_exit_code_is_that_of_the_first_failure():
    bad, full = result("failed", SourceError("damaged")), result("failed", SinkError("full"))
    assert exit_code([result("done"), full, bad]) == SinkError.exit_code
    assert exit_code([result("done"), result("skipped")]) == 0


def test_errors_name_flags_and_quiet_keeps_them():
    error = SinkError("out.mkv exists. The option output.overwrite replaces it.")
    assert lines_of("a.mp4", result("failed", error), quiet=True) == [
        "a.mp4: error: out.mkv exists. --overwrite replaces it."
    ]
    assert lines_of("a.mp4", result("done"), quiet=True) == []
    assert lines_of("a.mp4", result("stopped"), quiet=False) == ["a.mp4: not finished"]


def test_a_summary_states_what_was_done_and_what_failed():
    done = Ended(title="a.mp4", result=result("done"), frames=1200, seconds=61.25)
    failed = replace(done, title="b.mp4", result=result("failed", SourceError("damaged")), frames=0, seconds=0.1)
    assert summary([done, failed]) == [
        "film   ending  frames  seconds",
        "a.mp4  done      1200     61.2",
        "b.mp4  failed              0.1  damaged",
        "2 films: 1 done, 1 failed",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_warned_of(place, capsys):
    (place / "films" / "series").chmod(0)
    try:
        choice(place).turns(VALUES, stop=None)
    finally:
        (place / "films" / "series").chmod(0o700)
    assert capsys.readouterr().err.startswith("warning: The folder")
