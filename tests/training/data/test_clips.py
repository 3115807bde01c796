"""Clips: found in folders, and read frame by frame with the cuts between them."""

from itertools import islice

import av
import cv2
import numpy as np
import pytest

from emocolor.errors import SourceError
from stream.demo.clip import demo_frames
from training.data.clips import find_clips, gray_frame, read_clip

SIZE_WH = (192, 108)


@pytest.fixture(scope="module")
def clip(tmp_path_factory, write_clip):
    """Half a second of the demo."""
    frames = islice(demo_frames(seconds=12, size_wh=SIZE_WH), 12)
    return write_clip(tmp_path_factory.mktemp("clip") / "demo.mkv", frames)


def test_each_clip_is_found_once(tmp_path):
    for name in ("b.mkv", "a.MP4", "below/c.webm", ".hidden.mkv", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_clips([tmp_path, tmp_path / "b.mkv", tmp_path / "notes.txt"])
    assert [path.name for path in found] == ["a.MP4", "b.mkv", "c.webm", "notes.txt"]
    with pytest.raises(SourceError, match="No such file or folder"):
        find_clips([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"No clip \(\.mp4.* in .*empty"):
        find_clips([tmp_path / "empty"])


def test_clips_are_read_from_their_start_and_scaled_down(clip):
    read = list(read_clip(clip, seconds=0.2, height=54))
    assert [frame.time for frame in read] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16], abs=1e-3)
    assert {frame.rgb.shape for frame in read} == {(54, 96, 3)}
    assert {frame.gray.shape for frame in read} == {(54, 96)}
    first, whole = next(iter(demo_frames(seconds=12, size_wh=SIZE_WH))), next(read_clip(clip, seconds=1, height=256))
    assert whole.rgb.shape == first.shape
    assert np.abs(whole.rgb.astype(int) - first).mean() < 1


def test_cuts_are_marked(tmp_path, write_clip):
    random = np.random.default_rng(0)
    shots = [cv2.resize(random.integers(0, 255, (6, 8, 3), np.uint8), SIZE_WH) for _ in range(2)]
    path = write_clip(tmp_path / "cut.mkv", [shot for shot in shots for _ in range(5)])
    assert [frame.cut for frame in read_clip(path, seconds=9, height=108)] == [False] * 5 + [True] + [False] * 4


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no clip", r"bad\.mp4 cannot be decoded \(Invalid data"), (None, r"bad\.mp4 is 12x8, too small to measure")],
)
def test_what_cannot_be_read_is_named(content, words, tmp_path, write_clip):
    if content is None:
        write_clip(tmp_path / "bad.mkv", [np.zeros((8, 12, 3), np.uint8)] * 3).rename(tmp_path / "bad.mp4")
    else:
        (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(SourceError, match=words):
        list(read_clip(tmp_path / "bad.mp4", seconds=1, height=64))


def test_a_gray_frame_has_chroma_at_full_resolution():
    frame = gray_frame(0.5, np.full((6, 10), 40, np.uint8))
    assert [plane.shape for plane in frame.planes] == [(6, 10)] * 3
    assert (frame.planes[0] == 40).all()
    assert (frame.planes[1] == 128).all()
    assert frame.time == pytest.approx(0.5)


@pytest.mark.parametrize("height", [480, 720])
def test_untagged_clips_have_the_matrix_that_players_guess(tmp_path, height):
    color = np.full((height, 64, 3), (200, 40, 60), np.uint8)
    frame = av.VideoFrame.from_ndarray(color, format="rgb24")
    frame = frame.reformat(format="yuv444p", dst_colorspace="ITU709" if height >= 720 else "ITU601")
    frame.colorspace = 2
    with av.open(str(tmp_path / "untagged.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, height, "yuv444p"
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    first, *_ = read_clip(tmp_path / "untagged.mkv", seconds=1, height=64)
    assert first.rgb.reshape(-1, 3).mean(0) == pytest.approx([200, 40, 60], abs=2)


@pytest.mark.parametrize(("form", "codec", "parts"), [("h264", "libx264", 1), ("mpegts", "mpeg2video", 2)])
def test_times_go_on_where_a_clip_has_none_or_its_clock_starts_anew(tmp_path, form, codec, parts):
    path = tmp_path / "part"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.max_b_frames = 64, 64, "yuv420p", 0
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes() * parts)
    times = [frame.time for frame in read_clip(path, seconds=9, height=64)]
    assert times == pytest.approx([0.04 * n for n in range(6 * parts)], abs=1e-4)
