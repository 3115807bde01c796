import os
import socket
from pathlib import Path

import pytest

from emocolor.errors import SinkError
from stream.files.places import check_distinct, check_folder, check_place, check_writable, is_stream


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    return path


def aliases(film):
    """Other names of the same file."""
    (film.parent / "link.mp4").symlink_to(film.name)
    os.link(film, film.parent / "hard.mp4")
    (film.parent / "folder").mkdir()
    return ["film.mp4", "./film.mp4", "folder/../film.mp4", "link.mp4", "hard.mp4"]


def test_an_input_is_recognised_by_all_its_names(film):
    for name in aliases(film):
        with pytest.raises(SinkError, match="is the input itself"):
            check_place(film.parent / name, overwrite=True, inputs=[film])
        check_place(film.parent / name, overwrite=True)


def test_the_file_behind_standard_input_is_recognised(film):
    """Standard input is a device whose status is that of the file."""
    read_only = os.open(film, os.O_RDONLY)
    try:
        with pytest.raises(SinkError, match="is the input itself"):
            check_place(film, overwrite=True, inputs=[Path(f"/proc/self/fd/{read_only}")])
    finally:
        os.close(read_only)


def test_nothing_is_replaced_without_leave(film):
    with pytest.raises(SinkError, match=r"film\.mp4 exists\. The option output\.overwrite replaces it\."):
        check_place(film, overwrite=False)
    assert check_place(film, overwrite=True).st_size == 4
    assert check_place(film.parent / "new.mp4", overwrite=False) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_protected_file_is_not_replaced(film):
    film.chmod(0o444)
    with pytest.raises(SinkError, match="protected"):
        check_place(film, overwrite=True)


def test_pipes_and_devices_need_no_leave(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/stdout"), Path("/proc/self/fd/0")):
        there = check_place(path, overwrite=False)
        assert is_stream(path, there), path
    assert not is_stream(tmp_path / "new", check_place(tmp_path / "new", overwrite=False))


def test_what_cannot_be_written_to_is_one_clear_line(tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("missing/film.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # names of sockets are short
        listener.bind("socket")
    for name, words in [
        ("socket", "is a socket"),
        ("loop", "cannot be used: Too many levels"),
        ("dangling", "missing does not exist"),
        ("x" * 256, "cannot be used: File name too long"),
        ("missing/a", "missing does not exist"),
        ("film.mp4/a", "does not exist"),
    ]:
        with pytest.raises(SinkError, match=words) as caught:
            check_place(tmp_path / name, overwrite=True)
        assert "\n" not in str(caught.value)
    with pytest.raises(SinkError, match="is a folder"):
        check_folder(tmp_path)


def test_two_outputs_have_two_places(tmp_path):
    (tmp_path / "link").symlink_to("film.png")
    check_distinct([tmp_path / "film.mp4", None, None])
    with pytest.raises(SinkError, match="same name"):
        check_distinct([tmp_path / "film.png", tmp_path / "link", None])


def test_a_folder_is_tried_and_left_as_it_was(tmp_path):
    check_writable(tmp_path / "new.mp4")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SinkError, match="/proc cannot be written to"):
        check_writable(Path("/proc/new.mp4"))
