"""Which films files, folders and lists stand for, and what their outputs are called."""

import os
from pathlib import Path, PurePath

import pytest

from emocolor.errors import ConfigurationError, SourceError
from stream.archive.inputs import FilmSearch, FoundFilm, OutputNames, film_jobs, read_list


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")
    return folder


def found(*inputs, output=Path("/nowhere"), patterns=(), warn=None):
    search = FilmSearch(inputs=inputs, output=output, patterns=patterns)
    films = search.find(warn) if warn else search.find()
    return [film.relative.as_posix() for film in films]


def film(path, relative=None):
    return FoundFilm(path=Path(path), relative=PurePath(relative or Path(path).name))


def test_a_folder_stands_for_the_films_below_it(tmp_path):
    folder = fill(tmp_path, "b.MKV", "a.mp4", "notes.txt", "series/2/two.ts", "series/1/one.mov", "poster.jpg")
    assert found(folder) == ["a.mp4", "b.MKV", "series/1/one.mov", "series/2/two.ts"]


def test_what_is_hidden_or_ours_is_no_film(tmp_path):
    folder = fill(
        tmp_path, "film.mp4", ".film.mp4", ".film.mp4.0123abcd.part", ".trash/old.mp4", "film.mp4.pieces/0123.mp4",
        "finished/film.mp4", "finished/series/one.mp4",
    )  # fmt: skip
    assert found(folder, output=folder / "finished") == ["film.mp4"]


def test_what_only_has_the_name_of_a_film_is_none(tmp_path):
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "gone.mp4").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.mp4")
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.rec", ["one.rec", "series/two.rec"]),
        ("series/*", ["series/three.mp4", "series/two.rec"]),
        ("[ot]*.mp4", ["series/three.mp4"]),
    ],
)
def test_patterns_choose_in_place_of_endings(tmp_path, pattern, names):
    folder = fill(tmp_path, "one.rec", "film.mp4", "series/two.rec", "series/three.mp4")
    assert found(folder, patterns=[pattern]) == names


def test_a_file_that_is_named_is_taken_as_it_is_and_once(tmp_path):
    folder = fill(tmp_path, "film.mp4", "take")
    assert found(folder / "take", folder / "film.mp4", folder, folder / "none.mp4") == ["take", "film.mp4", "none.mp4"]


def test_the_folder_of_finished_films_is_no_input(tmp_path):
    with pytest.raises(ConfigurationError, match="is the folder of finished films as well"):
        found(tmp_path, output=tmp_path / "." / "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_below_that_cannot_be_read_is_left_out(tmp_path):
    folder, warnings = fill(tmp_path, "film.mp4", "closed/film.mp4"), []
    (folder / "closed").chmod(0)
    try:
        assert found(folder, warn=warnings.append) == ["film.mp4"]
    finally:
        (folder / "closed").chmod(0o700)
    assert "Permission denied. Films in it are left out." in warnings[0]


def names(template="{relative}", suffix=".mp4"):
    return OutputNames(folder=Path("out"), template=template, suffix=suffix)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{relative}", "out/series/one.cut.mp4"),
        ("{stem}", "out/one.cut.mp4"),
        ("{relative}{suffix}", "out/series/one.cut.mov.mp4"),
        ("{parent}/{stem}-colour", "out/1940/one.cut-colour.mp4"),
        ("{{{stem}}}", "out/{one.cut}.mp4"),
    ],
)
def test_names_hold_fields_of_the_film(template, path):
    assert str(names(template).path_of(film("/films/1940/one.cut.mov", "series/one.cut.mov"))) == path


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{year}", "Unknown field 'year' in the name '{year}'; known are stem, suffix, parent, relative."),
        ("{stm}", "Unknown field 'stm' in the name '{stm}'; did you mean 'stem'?"),
        ("{}", "Unknown field ''"),
        ("{stem.x}", "Unknown field 'stem.x'"),
        ("{stem:>9}", "takes no format"),
        ("{stem!r}", "takes no format"),
        ("{stem", "cannot be used: expected '}' before end of string"),
        ("{stem}.mkv", "ends in .mkv. Leave that out"),
        ("/abs/{stem}", "leads out of the folder"),
        ("../{stem}", "leads out of the folder"),
        ("", "leads out of the folder"),
    ],
)
def test_what_is_wrong_with_a_template_is_one_line(template, message):
    with pytest.raises(ConfigurationError) as error:
        names(template)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_no_film_leads_out_of_the_folder():
    with pytest.raises(ConfigurationError, match=r"The output of \.\.\.mkv would be '\.\./film'"):
        names("{stem}/film").path_of(film("...mkv"))


@pytest.mark.parametrize("suffix", ["mkv", "", "./../x.mkv"])
def test_an_ending_begins_with_a_dot(suffix):
    with pytest.raises(ConfigurationError, match="begins with a dot"):
        names(suffix=suffix)


def test_outputs_keep_the_folders_of_a_search():
    films = [film("in/a.mov"), film("in/series/b.v2.mkv", "series/b.v2.mkv")]
    jobs = film_jobs(films, names(), {"effect": "none"})
    assert [str(job.output) for job in jobs] == ["out/a.mp4", "out/series/b.v2.mp4"]
    assert jobs[0].values == {"effect": "none"}


def test_two_films_with_one_output_are_refused():
    films = [film("a/one.mov"), film("b/one.mkv")]
    with pytest.raises(ConfigurationError, match=r"a/one\.mov and b/one\.mkv would both become out/one\.mkv"):
        film_jobs(films, names(suffix=".mkv"), {})
    assert [job.output.name for job in film_jobs(films, names("{relative}{suffix}"), {})] == [
        "one.mov.mp4",
        "one.mkv.mp4",
    ]


def test_a_list_holds_a_path_a_line(tmp_path):
    names = tmp_path / "films.txt"
    names.write_bytes(
        b"\xef\xbb\xbf# of today\r\none.mp4\r\n\r\n  sub/two films.mkv  \n/abs/three.mov\n# end\nodd-\xff.mp4"
    )
    assert read_list(names) == [
        tmp_path / "one.mp4",
        tmp_path / "sub/two films.mkv",
        Path("/abs/three.mov"),
        tmp_path / os.fsdecode(b"odd-\xff.mp4"),
    ]


def test_a_list_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(SourceError, match=r"The list .*none\.txt cannot be read: No such file"):
        read_list(tmp_path / "none.txt")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftyp")
    with pytest.raises(ConfigurationError, match="is no list of films: it is not text"):
        read_list(tmp_path / "film.mp4")
