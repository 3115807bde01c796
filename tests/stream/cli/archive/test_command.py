"""The command for long films, as a user runs it, stops it, kills it and runs it again."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stream.archive.films import frames_of, make_film
from tests.stream.cli.command_process import CommandProcess


@pytest.fixture
def film(tmp_path):
    """Two minutes at two frames a second: several pieces, and few frames."""
    return make_film(tmp_path / "film.mp4", shots=(60, 70, 50, 60), rate=2)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    return made


def command(film, folder, *more):
    return [
        *(sys.executable, "-m", "stream.cli", "archive", str(film), "-o", str(folder)),
        *("--effect", "none", "--codec", "ffv1", "--suffix", ".mkv", *more),
    ]


def run(film, folder, *more):
    return subprocess.run(command(film, folder, *more), capture_output=True, text=True, timeout=120)


def started(film, folder, *more):
    """The command, and its first line, which tells that a piece is rendered."""
    process = subprocess.Popen(command(film, folder, *more), stderr=subprocess.PIPE, text=True)
    return process, process.stderr.readline()


def test_a_film_is_rendered_in_pieces(film, folder):
    done = run(film, folder, "--keep-pieces")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines[0].startswith("film.mp4: piece ")
    assert lines[-2].endswith(" is rendered, 3 of 3, 100 % done")
    assert lines[-1] == f"film.mp4: {folder / 'film.mkv'} is finished"
    assert [digest for _, digest in frames_of(folder / "film.mkv")] == [digest for _, digest in frames_of(film)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_was_killed_goes_on_where_it_was(film, folder, workers):
    process, line = started(film, folder, "--workers", str(workers))
    assert "is rendered" in line
    process.kill()
    process.communicate(timeout=60)
    assert not (folder / "film.mkv").exists()
    pieces = {path: path.stat().st_mtime_ns for path in folder.glob("film.mkv.pieces/[0-9a-f]*.mkv")}
    assert pieces
    shown = subprocess.run(
        [sys.executable, "-m", "stream.cli", "archive", "show", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.splitlines()[1].split()[:3] == ["film.mkv", "waiting", f"{len(pieces)}/3"]
    assert run(film, folder, "--keep-pieces").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in pieces} == pieces
    assert len(frames_of(folder / "film.mkv")) == 240


def test_ctrl_c_keeps_what_is_rendered(film, folder):
    process, _ = started(film, folder)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors
    assert list(folder.glob("film.mkv.pieces/[0-9a-f]*.mkv"))
    assert not (folder / "film.mkv").exists()


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--effect", "tint,overlay"], 2, "overlay"),
        (["--workers", "0"], 2, "at least one worker, got 0"),
        (["--suffix", ".avi"], 2, "cannot be joined in avi"),
    ],
)
def test_bad_input_is_one_line(film, folder, more, code, words):
    done = run(film, folder, *more)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.iterdir())


def test_a_film_that_cannot_be_read_does_not_keep_the_next_from_its_turn(film, folder, tmp_path):
    done = run(tmp_path / "none.mp4", folder, str(film))
    assert done.returncode == 4
    assert "none.mp4: error: Cannot read" in done.stderr
    assert (folder / "film.mkv").exists()


def test_films_that_are_dropped_into_a_folder_are_rendered_until_a_signal(film, folder, tmp_path):
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "first.mp4").write_bytes(film.read_bytes())
    process = subprocess.Popen(
        command(drop, folder, "--watch", "--settle", "0"), stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stderr.readline() == f"watching {drop}; Ctrl-C ends that.\n"
        assert any("first.mkv is finished" in line for line in process.stderr)
        (drop / "second.mp4").write_bytes(film.read_bytes())
        assert any("second.mp4: piece" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert errors.splitlines()[-1] == "2 films: 1 done, 1 not finished"
    assert (folder / "first.mkv").exists()
    assert (folder / "second.mkv.pieces").exists()


@pytest.mark.slow
def test_two_watchers_render_each_film_once(film, folder, tmp_path):
    drop = tmp_path / "drop"
    drop.mkdir()
    for name in "abcd":
        (drop / f"{name}.mp4").write_bytes(film.read_bytes())
    arguments = [*command(drop, folder)[3:], "--watch", "--settle", "0"]
    with CommandProcess(*arguments) as one, CommandProcess(*arguments) as two:
        one.wait_until(lambda: len(list(folder.glob("*.mkv"))) == 4 and not list(folder.glob("*.pieces")))
        one.signal(signal.SIGTERM)
        two.signal(signal.SIGTERM)
        (first, said), (second, said_too) = one.finish(), two.finish()
    assert (first, second) == (143, 143)
    assert sorted(path.name for path in folder.iterdir()) == ["a.mkv", "b.mkv", "c.mkv", "d.mkv"]
    both = said + said_too
    for name in "abcd":
        assert both.count(f"{name}.mkv is finished") == 1
        assert f"{name}.mp4: error" not in both


def test_nothing_unfinished_is_said(folder):
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "archive", "show", str(folder)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "No film is unfinished.\n")


def test_the_library_example_runs(film, tmp_path):
    page = (Path(__file__).parents[4] / "docs" / "long_films.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "ending='done'" in done.stdout.splitlines()[-1], done.stderr
    assert len(frames_of(tmp_path / "finished" / "film.mp4")) == 240


def test_films_go_behind_a_url(film, folder):
    pytest.importorskip("fsspec")
    done = run(film, f"local://{folder}")
    assert done.stderr.splitlines()[-1] == f"film.mp4: local://{folder}/film.mkv is finished"
    assert [path.name for path in folder.iterdir()] == ["film.mkv"]


def test_a_cluster_decides_how_many_workers_there_are(film, folder):
    done = run(film, folder, "--ray", "local", "--workers", "2")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "leave --workers out" in done.stderr
