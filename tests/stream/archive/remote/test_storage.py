"""Folders behind URLs: files appear there whole, and what goes wrong is one line without secrets."""

import subprocess
import sys

import pytest

from emocolor.errors import ConfigurationError
from stream.archive.remote.storage import Storage, StorageError

pytest.importorskip("fsspec")


@pytest.fixture(params=["memory", "local"])
def storage(request, tmp_path):
    """One that takes files whole, and one where they are renamed."""
    folder = Storage(f"{request.param}://{tmp_path}/there/films")
    yield folder
    folder.remove_all()


def test_files_are_put_listed_fetched_and_removed(storage, tmp_path):
    film, back = tmp_path / "film.mp4", tmp_path / "back" / "film.mp4"
    film.write_bytes(b"film" * 1000)
    assert storage.sizes() == {}
    storage.put(film, "film.mp4")
    storage.put(film, "of/folders/film.mp4")
    assert storage.sizes() == {"film.mp4": 4000}
    assert storage.size("of/folders/film.mp4") == 4000
    below = storage.files_below()
    assert {(file.name, file.size) for file in below} == {("film.mp4", 4000), ("of/folders/film.mp4", 4000)}
    assert all(abs(file.modified - film.stat().st_mtime) < 100 for file in below)
    storage.get_all(["film.mp4", "of/folders/film.mp4"], tmp_path / "all")
    assert (tmp_path / "all/of/folders/film.mp4").read_bytes() == film.read_bytes()
    storage.get("film.mp4", back)
    assert back.read_bytes() == film.read_bytes()
    storage.remove(["film.mp4", "nothing"])
    assert (storage.sizes(), storage.size("film.mp4")) == ({}, None)


def test_a_file_takes_the_place_of_another(storage, tmp_path):
    film = tmp_path / "film.mp4"
    for content in (b"old content", b"new"):
        film.write_bytes(content)
        storage.put(film, "film.mp4")
    assert storage.sizes() == {"film.mp4": 3}


def test_what_cannot_be_put_leaves_nothing(storage, tmp_path):
    with pytest.raises(StorageError, match=r"^Cannot write .*/there/films/film\.mp4: "):
        storage.put(tmp_path / "none.mp4", "film.mp4")
    assert storage.sizes() == {}


def test_what_is_not_there_is_named(storage, tmp_path):
    with pytest.raises(StorageError, match=r"^Cannot read .*/there/films/film\.mp4: "):
        storage.get("film.mp4", tmp_path / "film.mp4")


def test_an_unknown_protocol_is_refused():
    with pytest.raises(ConfigurationError, match=r"^Results cannot be written to nothing://a: Protocol not known"):
        Storage("nothing://a")


@pytest.mark.parametrize(("url", "lacking"), [("s3://bucket/films", "s3fs"), ("memory://films", "fsspec.core")])
def test_what_is_to_be_installed_is_told(url, lacking):
    code = f"""
import sys
sys.modules[{lacking!r}] = None
from stream.archive.remote.storage import Storage
Storage({url!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.rstrip().endswith(
        f"MissingDependencyError: Results at {url} need another package: pip install 'emocolor-stream[cluster]'."
    )


def test_messages_hold_no_password():
    with pytest.raises(StorageError) as caught:
        Storage("ftp://me:geheim@127.0.0.1:1/films").sizes()
    assert "geheim" not in str(caught.value)
