"""Only what is a file is read, and never more of it than was agreed."""

import os
from pathlib import Path

import pytest

from engines.regular_files import NotRegularError, open_regular, read_regular


def test_a_file_is_read_whole_up_to_its_bound(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    assert read_regular(path, 4096) == b"x" * 4096
    with pytest.raises(OSError, match=r"it is larger than 3\.99902 KB"):
        read_regular(path, 4095)
    path.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(OSError, match="it is larger than 1 MB"):
        read_regular(path, 2**20)


def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is no regular file"):
        read_regular(tmp_path / "pipe", 10)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_a_device_is_not_read(path):
    with pytest.raises(OSError, match="it is no regular file"):
        read_regular(Path(path), 10)


def test_a_folder_and_what_is_not_there_are_errors_too(tmp_path):
    with pytest.raises(NotRegularError, match="it is no regular file"):
        read_regular(tmp_path, 10)
    with pytest.raises(FileNotFoundError), open_regular(tmp_path / "nothing"):
        pass


def test_a_link_is_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 10) == b"x"
