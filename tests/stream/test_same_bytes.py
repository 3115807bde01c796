"""The bytes of outputs do not depend on what else the machine does, nor on how libraries choose their threads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ENVIRONMENTS = {
    "one": {"OMP_NUM_THREADS": "1"},
    "many": {"OMP_NUM_THREADS": "7", "OMP_DYNAMIC": "true", "OPENBLAS_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"},
    "waiting": {"OMP_WAIT_POLICY": "PASSIVE", "OPENCV_FOR_THREADS_NUM": "5"},
}


@contextmanager
def load() -> Iterator[None]:
    """Twice as many busy processes as there are cores."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def outputs_of(clip: Path, folder: Path, settings: dict[str, str]) -> tuple[bytes, bytes]:
    folder.mkdir()
    video, timeline = folder / "out.mp4", folder / "timeline.jsonl"
    arguments = [str(clip), "-o", str(video), "--timeline", str(timeline), "--effect", "colorize,style,tint,overlay"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "MKL_", "OPENBLAS_"))}
    subprocess.run(
        [sys.executable, "-m", "stream.cli", *arguments, "--to", "0.6"],
        env={**plain, **settings},
        check=True,
        timeout=280,
    )
    return video.read_bytes(), timeline.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_outputs_do_not_depend_on_load_nor_on_the_threads_of_libraries(demo_clip: Path, tmp_path: Path) -> None:
    found = {name: outputs_of(demo_clip, tmp_path / name, values) for name, values in ENVIRONMENTS.items()}
    with load():
        found["loaded"] = outputs_of(demo_clip, tmp_path / "loaded", {})
    assert len(found["one"][0]) > 10_000
    assert [name for name, outputs in found.items() if outputs != found["one"]] == []
