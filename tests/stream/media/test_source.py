import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emocolor.errors import SourceError
from stream.media.source import SourceOptions, VideoSource
from tests.stream.media.clip_io import frames_of, packets_of, read

AUDIO = {"codec": "aac", "parts": 20, "metadata": {"language": "ger"}}


def raw_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.mov", "clip.nut"])
def test_every_frame_comes_once_with_its_own_time(make_clip: Any, name: str) -> None:
    path = make_clip(name, times=range(20), time_base=Fraction(1, 25))
    _, units = read(path)
    raw = raw_times(path)
    shift = raw[0] if name == "clip.nut" else 0  # where decoding begins before zero, NUT moves everything
    assert [frame.pts for frame in frames_of(units)] == [time - shift for time in raw]


def test_the_info_is_what_the_file_states(make_clip: Any) -> None:
    path = make_clip(
        frames=20,
        audio=[AUDIO],
        chapters=[(0, 400, "one"), (400, 800, "two")],
        metadata={"title": "A film"},
        sample_aspect_ratio=Fraction(4, 3),
        tags={"color_range": 2, "colorspace": 1, "color_primaries": 1, "color_trc": 1},
    )
    source, _ = read(path)
    info = source.info
    assert (info.width, info.height, info.codec, info.frame_rate) == (64, 48, "h264", 25)
    assert (info.frame_count, info.duration) == (20, pytest.approx(0.85, abs=0.06))
    assert (info.sample_aspect, info.rotation, info.field_order) == (Fraction(4, 3), 0, "progressive")
    assert (info.color.matrix, info.color.full_range) == ("bt709", True)
    assert info.metadata["title"] == "A film"
    assert [(float(c.start), float(c.end), c.metadata["title"]) for c in info.chapters] == [
        (0, 0.4, "one"),
        (0.4, 0.8, "two"),
    ]
    assert [(c.kind, c.codec, c.metadata["language"]) for c in info.companions] == [("audio", "aac", "ger")]
    assert info.left_out == ()


def test_raw_frames_are_read_with_a_named_format(tmp_path: Path) -> None:
    path = tmp_path / "frames.raw"
    path.write_bytes(bytes(64 * 48 * 3 // 2 * 4))
    options = {"video_size": "64x48", "pixel_format": "nv12", "framerate": "10"}
    source, units = read(path, format="rawvideo", options=options)
    assert source.info.format.name == "nv12"
    assert [frame.time for frame in frames_of(units)] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_a_still_image_is_one_frame(make_clip: Any) -> None:
    source, units = read(make_clip("still.png", codec="png", pix_fmt="rgb24", format_name="image2", frames=1))
    assert (source.info.frame_count, len(frames_of(units))) == (1, 1)


@pytest.mark.parametrize("name", ["clip.y4m", "clip.mkv", "clip.ts"])
def test_standard_input_is_read_without_seeking(make_clip: Any, name: str) -> None:
    path = make_clip(name, codec="wrapped_avframe" if name.endswith("y4m") else "libx264", frames=12)
    code = (
        "from stream.media.source import VideoSource\nprint(sum(u.frame is not None for u in VideoSource('-').units()))"
    )
    with path.open("rb") as file:
        feed = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        done = subprocess.run([sys.executable, "-c", code], stdin=feed.stdout, capture_output=True, text=True)
    assert feed.stdout is not None
    feed.stdout.close()
    feed.wait()
    assert (done.stdout.strip(), done.stderr) == ("12", "")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (None, 0.6), (1.3, None), (0.4, 100)])
def test_a_part_begins_at_zero_and_ends_in_time(
    make_clip: Any, name: str, start: float | None, end: float | None
) -> None:
    path = make_clip(name, frames=50, audio=[{**AUDIO, "parts": 90}], options={"g": "20"})
    times = [frame.time for frame in frames_of(read(path)[1])]
    source, units = read(path, start_seconds=start, end_seconds=end)
    zero, last = start or 0, min(end or 100, 100)
    expected = [time - zero for time in times if zero - 1e-6 <= time < last - 1e-6]
    assert [frame.time for frame in frames_of(units)] == pytest.approx(expected, abs=2e-3)
    track = [float(packet.pts * packet.time_base) for packet in packets_of(units)]
    if start is not None:
        assert 0 <= min(track) < 0.03
    if end is not None and end < 2:
        assert end - zero - 0.03 < max(track) < end - zero
    assert not source.damage.any


def test_stop_ends_the_units_from_another_thread(make_clip: Any) -> None:
    source = VideoSource(str(make_clip(frames=200)))
    units = source.units()
    next(units)
    thread = threading.Thread(target=source.stop)
    thread.start()
    thread.join()
    rest = frames_of(list(units))
    source.close()
    assert len(rest) < 199
    assert not source.damage.any


def test_units_end_after_close(make_clip: Any) -> None:
    source = VideoSource(str(make_clip(frames=200)))
    units = source.units()
    next(units)
    source.close()
    assert len(list(units)) < 199


def test_large_frames_are_refused_with_the_option_that_allows_them(make_clip: Any) -> None:
    path = make_clip()
    with pytest.raises(SourceError, match=r"64x48.*option input.max_pixels to 3072"):
        VideoSource(str(path), SourceOptions(max_pixels=3071))
    read(path, max_pixels=3072)


def test_audio_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "audio.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="only audio"):
        VideoSource(str(path))


def test_a_part_ends_before_the_frame_at_its_end(make_clip: Any) -> None:
    path = make_clip(frames=25)
    assert len(frames_of(read(path, end_seconds=0.4)[1])) == 10
    assert len(frames_of(read(path, start_seconds=0.2, end_seconds=0.6)[1])) == 10


def test_real_footage_is_read_to_its_end(shared_clips: Path) -> None:
    for name in ("face_noface_hevc.mov", "odd_face_rotated90.mov", "person_pancake.mkv", "made_vfr_face.mp4"):
        source, units = read(shared_clips / name)
        with av.open(str(shared_clips / name)) as container:
            assert [f.pts for f in frames_of(units)] == [p.pts for p in container.decode(container.streams.video[0])]
        assert not source.damage.any, name


def test_audio_in_long_packets_that_begins_late_is_warned_of(make_clip: Any, tmp_path: Path) -> None:
    path = make_clip("clip.mkv", frames=60, audio=[{"codec": "wavpack", "parts": 110}])
    source, units = read(path, start_seconds=1.2)
    first = packets_of(units)[0]
    assert first.pts * first.time_base > 0.2
    assert [text for text in source.warnings if text.startswith("Audio 1 begins 0.")]
    assert read(path, start_seconds=1)[0].warnings == []


def test_a_part_without_a_frame_is_named(make_clip: Any) -> None:
    path = make_clip(frames=3, times=[0, 12_800, 25_600])
    with pytest.raises(SourceError, match=r"no frame between 0\.3 s and 0\.8 s"):
        read(path, start_seconds=0.3, end_seconds=0.8)
    with pytest.raises(SourceError, match="no frame after 9 s"):
        read(path, start_seconds=9)
