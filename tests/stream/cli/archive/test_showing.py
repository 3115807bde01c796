"""How far films are, as it is printed."""

import json
import os
from fractions import Fraction

import pytest

from stream.archive.executors import InProcess
from stream.archive.film import FilmJob, files_of, plan
from stream.archive.planning import PieceLengths
from stream.cli.archive.showing import show_films
from tests.stream.archive.films import make_film


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A film with two of three pieces, and a manifest that is damaged."""
    folder = tmp_path_factory.mktemp("finished")
    film = make_film(folder.parent / "film.mp4", shots=(12, 8, 10))
    job = FilmJob(input=film, output=folder / "film.mkv", values={"effect": "none"})
    manifest = plan(job, lengths=PieceLengths(least=Fraction(0), most=Fraction(60)))
    for piece in (0, 1):
        list(InProcess().finished(job, [piece]))
        os.utime(files_of(manifest, manifest.pieces[piece], job).video, (10 * piece, 10 * piece))
    (folder / "sub" / "bad.mp4.pieces").mkdir(parents=True)
    (folder / "sub" / "bad.mp4.pieces" / "manifest.jsonl").write_text("{}\n")
    return folder


def test_every_film_has_a_line(folder, capsys):
    assert show_films(folder, as_json=False) == 0
    head, film, bad, problem = capsys.readouterr().out.splitlines()
    assert head.split() == ["film", "state", "pieces", "frames", "done", "frames/s", "left"]
    assert film.split() == ["film.mkv", "waiting", "2/3", "20/30", "66", "%", "0.8", "0:12"]
    assert bad.split() == ["sub/bad.mp4", "damaged"]
    assert "is damaged or unfinished" in problem
    assert problem.endswith("The next run plans it anew.")


def test_films_behind_a_url_are_shown_as_those_in_a_folder(folder, capsys):
    pytest.importorskip("fsspec")
    show_films(folder, as_json=False)
    there = capsys.readouterr().out
    assert show_films(f"local://{folder}", as_json=False) == 0
    assert capsys.readouterr().out == there.replace(str(folder), f"local://{folder}")
    show_films(f"local://{folder}/", as_json=True)
    assert json.loads(capsys.readouterr().out.splitlines()[0])["output"] == f"local://{folder}/film.mkv"


def test_scripts_get_a_line_of_json_for_each_film(folder, capsys):
    show_films(folder, as_json=True)
    film, bad = map(json.loads, capsys.readouterr().out.splitlines())
    assert (film["output"], film["state"], film["pieces_rendered"]) == (str(folder / "film.mkv"), "waiting", 2)
    assert film["seconds_left"] == pytest.approx(12.5)
    assert (bad["state"], bad["fps"], bad["input"]) == ("damaged", None, None)
    assert bad["problem"]


def test_a_folder_without_pieces_has_nothing_to_show(tmp_path, capsys):
    assert show_films(tmp_path, as_json=False) == 0
    assert capsys.readouterr().out == "No film is unfinished.\n"
    show_films(tmp_path, as_json=True)
    assert capsys.readouterr().out == ""
