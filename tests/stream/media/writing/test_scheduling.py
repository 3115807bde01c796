"""Encoders do not take real-time priority. Only root may have it, so only there is it seen."""

import os
import subprocess
import sys

import pytest

from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
from stream.media.writing.scheduling import ordinary_priority
from tests.stream.archive.films import make_film

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="real-time priority is given to root alone"
)

THREADS = """
import os, sys
from pathlib import Path
from tests.stream.media.writing.test_scheduling import encoded
encoded(Path(sys.argv[1]), Path(sys.argv[2]))
print({os.sched_getscheduler(int(entry.name)) for entry in Path("/proc/self/task").iterdir()})
"""


def encoded(film, target):
    """Encode a few frames, and leave the encoder open."""
    source = VideoSource(str(film))
    sink = VideoSink(str(target), source, SinkOptions(codec="libsvtav1", preset="12"))
    for unit in source.units():
        sink.write(unit)
    return sink


def test_an_encoder_leaves_the_rest_of_the_machine_its_turn(tmp_path):
    film = make_film(tmp_path / "film.mp4", shots=(4,))
    done = subprocess.run(
        [sys.executable, "-c", THREADS, str(film), str(tmp_path / "out.mkv")],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == f"{{{os.SCHED_OTHER}}}\n"


def test_priority_that_was_there_before_stays():
    script = (
        "import os\n"
        "from stream.media.writing.scheduling import ordinary_priority\n"
        "os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))\n"
        "with ordinary_priority(): pass\n"
        "print(os.sched_getscheduler(0) == os.SCHED_RR)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


def test_what_fails_within_is_raised():
    with pytest.raises(ValueError, match="this"), ordinary_priority():
        raise ValueError("this")
