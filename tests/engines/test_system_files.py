"""Locks between processes, and the program where Python lacks what is POSIX's own."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.system_files import lock

WINDOWS = """
import os, select, signal, sys
for module in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[module] = None
for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "getuid", "chown", "sched_getaffinity", "mkfifo"):
    delattr(os, name)
del signal.SIGHUP, select.poll
"""
"""Takes away what Python has on POSIX alone."""


def test_a_lock_is_held_by_one_open_file_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    first, second = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    lock(first)
    with pytest.raises(BlockingIOError):
        lock(second)
    with pytest.raises(BlockingIOError):
        lock(second, shared=True)
    os.close(first)
    lock(second, shared=True)
    third = os.open(path, os.O_RDONLY)
    lock(third, shared=True)
    os.close(second)
    os.close(third)


def without_posix(*arguments: str) -> "subprocess.CompletedProcess[str]":
    program = f"{WINDOWS}from stream.cli import main\nsys.argv[0] = 'emocolor-stream'\nmain()"
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120)


def test_the_command_starts_without_what_posix_alone_has() -> None:
    help_page = without_posix("--help")
    assert help_page.returncode == 0, help_page.stderr
    assert "remaster" in help_page.stdout
    serve = without_posix("serve", "--help")
    assert serve.returncode == 0, serve.stderr


def test_a_job_runs_without_what_posix_alone_has(small_clip: Path, tmp_path: Path) -> None:
    """No lock is held then; the rest of the rule for outputs stays."""
    output, images = str(tmp_path / "out.mp4"), str(tmp_path / "images" / "%02d.png")
    job = without_posix(str(small_clip), "-o", output, "--effect", "colormap")
    assert job.returncode == 0, job.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    again = without_posix(str(small_clip), "-o", output, "--effect", "colormap")
    assert again.returncode == 5
    (tmp_path / "images").mkdir()
    numbered = without_posix(str(small_clip), "-o", images, "--effect", "colormap")
    assert numbered.returncode == 0, numbered.stderr
    assert len(list((tmp_path / "images").iterdir())) == 5


def test_without_locks_an_attempt_is_an_error_of_the_system() -> None:
    attempt = "try:\n    lock(0)\nexcept OSError as error:\n    print(error.errno)"
    program = f"{WINDOWS}from engines.system_files import lock\n{attempt}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == str(errno.ENOTSUP)


@pytest.fixture(scope="module")
def small_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import av
    import numpy as np

    path = tmp_path_factory.mktemp("clip") / "small.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(5):
            image = np.full((48, 64, 3), 40 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
