import os
import stat

import pytest

from stream.files.renaming import move_folder_aside, rename, rename_aside


@pytest.fixture
def part(tmp_path):
    path = tmp_path / ".out.mp4.part"
    path.write_bytes(b"new")
    return path


@pytest.fixture
def place(tmp_path):
    return tmp_path / "out.mp4"


def test_a_free_name_is_given(part, place):
    renamed = rename(part, place, overwrite=False)
    assert place.read_bytes() == b"new"
    assert not part.exists()
    renamed.undo()
    assert (part.exists(), place.exists()) == (True, False)


def test_a_name_that_is_taken_stays(part, place):
    place.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        rename(part, place, overwrite=False)
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(FileExistsError):
        rename(part, place, overwrite=True)
    assert stat.S_ISFIFO(place.stat().st_mode)
    assert part.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_what_replaces_a_file_has_its_mode(part, place, mode):
    place.write_bytes(b"old")
    place.chmod(mode)
    renamed = rename(part, place, overwrite=True)
    assert (place.read_bytes(), stat.S_IMODE(place.stat().st_mode)) == (b"new", mode)
    renamed.undo()
    assert (place.read_bytes(), part.read_bytes()) == (b"old", b"new")
    rename(part, place, overwrite=True).settle()
    assert [path.name for path in place.parent.iterdir()] == ["out.mp4"]


def test_work_is_kept_under_the_next_free_name(part, place):
    for name in ("out.mp4", "out.1.mp4"):
        (place.parent / name).write_bytes(b"old")
    renamed = rename_aside(part, place)
    assert (renamed.place.name, renamed.place.read_bytes()) == ("out.2.mp4", b"new")


def test_a_folder_is_kept_under_the_next_free_name(tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    (tmp_path / "04d.1").mkdir()
    assert move_folder_aside(part, tmp_path / "%04d.png").name == "04d.2"


def test_file_systems_without_hard_links_do(part, place, monkeypatch):
    """As exFAT and some network shares. A replacement cannot be undone there."""

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    rename(part, place, overwrite=False)
    assert place.read_bytes() == b"new"
    part.write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        rename(part, place, overwrite=False)
    rename(part, place, overwrite=True).settle()
    assert place.read_bytes() == b"newer"
    assert [path.name for path in place.parent.iterdir()] == ["out.mp4"]
