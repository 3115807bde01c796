"""What a power failure finds: the system calls by which outputs get their names, in their order."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

STRACE = shutil.which("strace")
CALLS = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,write,pwrite64,writev,ftruncate"
WRITES = ("write(", "pwrite64(", "writev(", "ftruncate(")

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed (apt-get install strace)")


def traced(folder: Path, *arguments: str) -> list[str]:
    """The calls of a command, one a line, with paths in place of descriptors."""
    assert STRACE is not None
    log = folder.parent / "trace"
    trace = [STRACE, "-f", "-qq", "-y", "-e", f"trace={CALLS}", "-e", "signal=none", "-s", "1", "-o", str(log)]
    command = [sys.executable, "-m", "stream.cli", *arguments]
    ran = subprocess.run([*trace, *command], capture_output=True, text=True, timeout=120)
    if "ptrace" in ran.stderr.lower():
        pytest.skip(f"strace may not trace here: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    return [line.split(maxsplit=1)[1] for line in log.read_text(errors="replace").splitlines()]


def check_order(calls: list[str], output: Path) -> None:
    """The file is complete on the disk before it has its name, and the name is on the disk at the end."""
    part = rf"{re.escape(str(output.parent))}/\.{re.escape(output.name)}\.[0-9a-f]+\.part"
    named = places(calls, rf'^(link|rename)\w*\((AT_FDCWD<[^>]*>, )?"{part}", .*"{re.escape(str(output))}"')
    written = [place for place in places(calls, rf"\w+\(\d+<{part}>") if calls[place].startswith(WRITES)]
    synced = places(calls, rf"^fsync\(\d+<{part}>\) += 0")
    folder = places(calls, rf"^fsync\(\d+<{re.escape(str(output.parent))}>\) += 0")
    assert len(named) == 1
    assert written
    assert any(written[-1] < place < named[0] for place in synced), "complete, on the disk, then named"
    assert folder[-1] > named[0]


def places(calls: list[str], pattern: str) -> list[int]:
    return [place for place, call in enumerate(calls) if re.search(pattern, call)]


def test_outputs_are_on_the_disk_before_they_have_their_names(make_clip: Any, tmp_path: Path) -> None:
    clip, folder = make_clip(frames=5), tmp_path / "out"
    folder.mkdir()
    video, timeline, preset = folder / "out.mp4", folder / "timeline.csv", folder / "mine.toml"
    calls = traced(
        folder, str(clip), "-o", str(video), "--timeline", str(timeline), "--save-preset", str(preset), "--rate", "1"
    )
    for output in (video, timeline, preset):
        check_order(calls, output)


def test_what_is_replaced_is_there_until_the_new_file_is(make_clip: Any, tmp_path: Path) -> None:
    clip, folder = make_clip(frames=5), tmp_path / "out"
    folder.mkdir()
    video = folder / "out.mkv"
    video.write_bytes(b"the old one")
    calls = traced(folder, str(clip), "-o", str(video), "--effect", "colormap", "--overwrite")
    check_order(calls, video)
    assert not places(calls, rf"^\w+\(\d+<{re.escape(str(video))}>"), "the file in place is never written to"
