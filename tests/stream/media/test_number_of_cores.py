"""The output of every encoder that is chosen by default or usual is the same on one core and on two."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ENCODERS = {
    "libx264": "mkv",
    "libx264rgb": "mkv",
    "libx265": "mkv",
    "libsvtav1": "mkv",
    "libvpx-vp9": "webm",
    "libvpx": "webm",
    "mpeg1video": "mkv",
    "mpeg2video": "mkv",
    "mpeg4": "mkv",
    "wmv2": "wmv",
    "mjpeg": "mkv",
    "ffv1": "mkv",
    "prores_ks": "mov",
    "gif": "gif",
    "apng": "apng",
}
PROGRAM = """
import os, sys
cores, clip, folder, *encoders = sys.argv[1:]
os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import VideoSource
for encoder in encoders:
    codec, extension = encoder.split(":")
    source = VideoSource(clip)
    sink = VideoSink(f"{folder}/{codec}.{extension}", source, SinkOptions(codec=codec))
    for unit in source.units():
        sink.write(unit)
    sink.finish()
    source.close()
"""


@pytest.mark.slow
def test_outputs_do_not_depend_on_the_number_of_cores(make_clip: Any, tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        pytest.skip("this process may use one core only")
    clip = make_clip("in.mkv", codec="ffv1", size_wh=(352, 288), frames=14)
    encoders = [f"{codec}:{extension}" for codec, extension in ENCODERS.items()]
    for folder, used in (("one", cores[:1]), ("two", cores)):
        (tmp_path / folder).mkdir()
        words = [",".join(map(str, used)), str(clip), str(tmp_path / folder), *encoders]
        subprocess.run([sys.executable, "-c", PROGRAM, *words], check=True)
    made = sorted((tmp_path / "one").iterdir())
    assert len(made) == len(ENCODERS)
    differing = [path.name for path in made if path.read_bytes() != (tmp_path / "two" / path.name).read_bytes()]
    assert differing == []
