import fcntl
import os
import subprocess
import sys

import pytest

from emocolor.errors import SinkError
from stream.files.temporary_names import MAX_NAME_BYTES, make_folder, reserve, temporary_name


def make_file(path):
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


@pytest.mark.parametrize("name", ["out.mp4", "x" * 251 + ".mp4", "ä" * 125 + ".mkv", "\udcff" * 200 + ".mkv", "🎞" * 63])
def test_temporary_names_fit_and_differ(tmp_path, name):
    first, second = temporary_name(tmp_path / name), temporary_name(tmp_path / name)
    assert first != second
    for path in (first, second):
        assert len(os.fsencode(path.name)) <= MAX_NAME_BYTES
        assert path.name.startswith(".")
        path.touch()


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    place = tmp_path / "out.mp4"
    left = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "from stream.files.temporary_names import make_folder, reserve\n"
            "part, lock = reserve(Path(sys.argv[1]), make_folder, alone=True)\n"
            "(part / 'image.png').touch()\n"
            "os.kill(os.getpid(), signal.SIGKILL)",
            place,
        ],
        check=False,
    )
    assert left.returncode == -9
    (leftover,) = tmp_path.iterdir()
    temporary_name(place).touch()  # from a version before this one, or where locks did not work
    temporary_name(tmp_path / "other.mp4").touch()
    part, lock = reserve(place, make_file, alone=True)
    assert not leftover.exists()
    assert sorted(path.name[:7] for path in tmp_path.iterdir()) == [".other.", ".out.mp"]
    os.close(lock)
    part.unlink()


def test_an_output_is_written_by_one_job_at_a_time(tmp_path):
    place = tmp_path / "out.mp4"
    part, lock = reserve(place, make_file, alone=True)
    with pytest.raises(SinkError, match=r"Another job is writing out\.mp4 now"):
        reserve(place, make_folder, alone=True)
    other, other_lock = reserve(place, make_file, alone=False)
    assert {part, other} == set(tmp_path.iterdir())
    os.close(lock)
    os.close(other_lock)


def test_a_folder_that_others_hold_is_not_waited_for_long(tmp_path):
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    part, lock = reserve(tmp_path / "out.mp4", make_file, alone=True)
    assert part.exists()
    os.close(lock)
    os.close(held)


def test_a_folder_that_cannot_be_written_to_is_one_clear_line():
    from pathlib import Path

    with pytest.raises(SinkError, match=r"/proc cannot be written to: .*\. Check its permissions, or write elsewhere"):
        reserve(Path("/proc/out.mp4"), make_file, alone=True)
