import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from stream.media.reading.seeking import position
from tests.stream.media.clip_io import frames_of, packets_of, read

CLIPS: dict[str, dict[str, Any]] = {
    "clip.mkv": {},
    "clip.ts": {},
    "clip.h264": {},
    "clip.m2v": {"codec": "mpeg2video"},
    "clip.wtv": {"codec": "mpeg2video"},
    "clip.swf": {"codec": "flv"},
}


@pytest.mark.parametrize("name", CLIPS)
def test_a_part_has_the_frames_that_the_whole_has_there(make_clip: Any, name: str) -> None:
    settings = {"options": {"bf": "0"}, "time_base": Fraction(1, 25), **CLIPS[name]}
    path = make_clip(name, times=range(75), gop_size=25, **settings)
    expected = [frame for frame in frames_of(read(path)[1]) if frame.time >= 2.4 - 1e-6]
    frames = frames_of(read(path, start_seconds=2.4)[1])
    assert [frame.time for frame in frames] == pytest.approx([frame.time - 2.4 for frame in expected], abs=1e-3)
    assert all(np.array_equal(a.planes[0], b.planes[0]) for a, b in zip(frames, expected, strict=True))


def test_audio_before_the_first_frame_belongs_to_the_part(make_clip: Any) -> None:
    path = make_clip("clip.mkv", times=range(38_400, 51_200, 512), audio=[{"codec": "aac", "parts": 190}])
    _, units = read(path, start_seconds=1.5)
    assert frames_of(units)[0].time == pytest.approx(1.5)
    assert 0 <= packets_of(units)[0].pts * packets_of(units)[0].time_base < 0.03


def test_no_frame_of_a_pipe_is_lost(make_clip: Any, tmp_path: Path) -> None:
    path, pipe = make_clip("clip.mkv", frames=75, gop_size=25), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    writer.start()
    source, units = read(pipe, start_seconds=2)
    writer.join()
    assert len(frames_of(units)) == 25
    assert [text for text in source.warnings if "cannot seek" in text]


def test_what_cannot_seek_is_at_its_start_again(make_clip: Any) -> None:
    path = make_clip("clip.h264", frames=75)
    container = av.open(str(path))
    again, sought = position(container, container.streams.video[0], Fraction(2), lambda: av.open(str(path)))
    with again:
        assert not sought
        assert sum(1 for _ in again.decode(video=0)) == 75


def test_an_input_that_gives_something_else_when_it_is_opened_again_is_kept(make_clip: Any) -> None:
    with av.open(str(make_clip("clip.mkv", frames=75, gop_size=25, options={"bf": "0"}))) as container:
        again, sought = position(container, container.streams.video[0], Fraction(5, 2), None)
        assert (again, sought) == (container, True)
        assert 0 < next(again.decode(video=0)).time <= 1.5
