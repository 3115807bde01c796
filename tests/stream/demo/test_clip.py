from itertools import pairwise

import av
import numpy as np
import pytest

from emocolor.errors import ConfigurationError, SinkError
from stream.demo.clip import CUES, VIEWS, demo_frames, expression_at, make_demo_clip, view_at

SMALL = {"seconds": 2.0, "size_wh": (192, 108), "fps": 25}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "clip.mp4"
    make_demo_clip(path, **SMALL)
    return path


@pytest.fixture(scope="module")
def frames():
    return list(demo_frames(**SMALL))


def test_frames_have_the_size_and_number_asked_for(frames):
    assert len(frames) == 50
    assert {(frame.shape, frame.dtype) for frame in frames} == {((108, 192, 3), np.dtype(np.uint8))}


def test_frames_are_the_same_on_every_call(frames):
    for index, (again, frame) in enumerate(zip(demo_frames(**SMALL), frames, strict=True)):
        assert np.array_equal(again, frame), index


def test_every_frame_differs_from_the_last_and_the_cut_differs_much(frames):
    changes = [float(np.abs(a.astype(float) - b).mean()) for a, b in pairwise(frames)]
    assert min(changes) > 0.5
    cut = int(np.ceil(0.775 * 50)) - 1
    assert changes[cut] > 3 * max(changes[cut - 5 : cut])


def test_the_clip_has_the_stated_streams_and_tags(clip):
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 192, 108)
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert (video.frames, video.average_rate) == (50, 25)
        assert (audio.codec_context.name, audio.rate, audio.layout.name) == ("aac", 48_000, "stereo")
        assert float(video.duration * video.time_base) == pytest.approx(2.0)
        assert float(audio.duration * audio.time_base) == pytest.approx(2.0, abs=0.03)


def test_the_clip_shows_the_frames_in_their_colours(clip, frames):
    with av.open(str(clip)) as container:
        decoded = [frame.to_ndarray(format="rgb24", src_colorspace="ITU709") for frame in container.decode(video=0)]
    assert len(decoded) == len(frames)
    for got, sent in zip(decoded, frames, strict=True):
        assert np.abs(got.astype(float).mean((0, 1)) - sent.mean((0, 1))).max() < 3


def test_the_index_comes_first(clip):
    data = clip.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_clip_has_the_same_bytes_every_time(clip, tmp_path):
    make_demo_clip(tmp_path / "again.mp4", **SMALL)
    assert (tmp_path / "again.mp4").read_bytes() == clip.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.mp4"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 0.0},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"fps": 0},
        {"size_wh": (191, 108)},
        {"size_wh": (0, 0)},
    ],
)
def test_impossible_clips_are_refused_before_any_work(tmp_path, wrong):
    with pytest.raises(ConfigurationError, match="demo clip"):
        make_demo_clip(tmp_path / "clip.mp4", **{**SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(SinkError, match=r"nowhere does not exist\. Make it first"):
        make_demo_clip(tmp_path / "nowhere" / "clip.mp4", **SMALL)


def test_expressions_change_smoothly_but_at_the_cut():
    parts = np.arange(0, 1, 0.001)
    shown = [expression_at(part) for part in parts]
    assert all(sum(weights.values()) == pytest.approx(1) for weights in shown)
    assert {emotion for weights in shown for emotion in weights} == {cue.emotion for cue in CUES}
    jumps = [
        part
        for part, (a, b) in zip(parts[1:], pairwise(shown), strict=True)
        if max(abs(a.get(emotion, 0) - b.get(emotion, 0)) for emotion in {*a, *b}) > 0.1
    ]
    assert jumps == pytest.approx([0.775])


def test_the_camera_leaves_the_face_for_a_while():
    away = [part for part in np.arange(0, 1, 0.001) if _left_of_view(view_at(part)) > 300]
    assert len(away) > 80
    assert 0.45 < away[0] < away[-1] < 0.65


def test_the_camera_starts_and_ends_where_its_views_are():
    assert view_at(0.0).center_xy == VIEWS[0].center_xy
    assert view_at(1.0).center_xy == VIEWS[-1].center_xy
    assert view_at(1.0).height == pytest.approx(VIEWS[-1].height)


def _left_of_view(view):
    """Left edge of a view of 16:9, in portrait pixels."""
    return view.center_xy[0] - view.height * 16 / 9 / 2
