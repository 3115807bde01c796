"""Pairs of frames for the temporal loss: their flow is that of the clip."""

import json
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import SourceError  # noqa: E402
from training.records import sha256_of  # noqa: E402
from training.style.clip_pairs import (  # noqa: E402
    PAIR_STRIDE,
    ClipPair,
    ClipPairs,
    FlowField,
    read_pairs,
    warped_difference,
)

STEP = (2, 1)
"""Pixels across and down that the clip's image moves in a frame."""
FRAMES = 20


def write_clip(path, size_wh=(160, 112)):
    """A smooth image that slides by ``STEP`` in each frame."""
    width, height = size_wh
    coarse = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)
    image = cv2.resize(coarse, (width + 100, height + 60), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as clip:
        stream = clip.add_stream("libx264", rate=Fraction(25), options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for number in range(FRAMES):
            x, y = number * STEP[0], number * STEP[1]
            frame = np.ascontiguousarray(image[y : y + height, x : x + width])
            clip.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        clip.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "sliding.mkv")


def test_pairs_know_how_their_clip_moves(clip):
    found = read_pairs([clip], 96)
    assert found.sha256 == {"sliding.mkv": sha256_of(clip)}
    assert len(found.pairs) == (FRAMES - 1) // PAIR_STRIDE
    for pair in found.pairs:
        assert np.median(pair.offsets, axis=(0, 1)) == pytest.approx(STEP, abs=0.1)
        assert pair.consistent.mean() > 0.8


def test_what_follows_the_flow_differs_by_nothing(clip):
    """The clip's own frames do, up to interpolation; a frame that stays in place does not."""
    first, second, flow = read_pairs([clip], 96).crops(4, 96, np.random.default_rng(0))
    assert first.shape == second.shape == (4, 3, 96, 96)
    assert flow.valid.mean() > 0.7
    still = warped_difference(first, second, flow)
    assert still < 1e-4
    assert warped_difference(first, first, flow) > 20 * still


def test_only_consistent_flow_within_the_view_counts():
    side = 8
    offsets = np.zeros((side, side, 2), np.float16)
    offsets[..., 0] = -3
    consistent = np.ones((side, side), bool)
    consistent[5:] = False
    image = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    after = np.roll(image, 3, axis=1)
    after[:, :3], after[5:] = 255, 255
    pairs = ClipPairs([ClipPair(image, after, offsets, consistent)], {})
    first, second, flow = pairs.crops(2, side, np.random.default_rng(2))
    assert torch.equal(flow.valid[0, 0], torch.tensor([[0.0] * 3 + [1.0] * 5] * 5 + [[0.0] * 8] * 3))
    assert warped_difference(first, second, flow) == pytest.approx(0, abs=1e-10)
    nothing = FlowField(flow.offsets, torch.zeros_like(flow.valid))
    assert warped_difference(first, second, nothing) == 0


def test_the_gradient_reaches_both_views(clip):
    first, second, flow = read_pairs([clip], 96).crops(1, 96, np.random.default_rng(0))
    views = first.requires_grad_(), second.requires_grad_()
    warped_difference(*views, flow).backward()
    assert all(view.grad.abs().sum() > 0 for view in views)


def test_clips_that_teach_nothing_are_refused(clip, tmp_path):
    with pytest.raises(SourceError, match=r"sliding.mkv is smaller than the training crops of 128 px"):
        read_pairs([clip], 128)
    with pytest.raises(SourceError, match="No such file or folder"):
        read_pairs([tmp_path / "absent.mp4"], 96)
    path = tmp_path / "noise.mkv"
    with av.open(str(path), "w") as noise:
        stream = noise.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv444p"
        for number in range(12):
            image = np.random.default_rng(number).integers(0, 256, (96, 96, 3), np.uint8)
            noise.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        noise.mux(stream.encode(None))
    with pytest.raises(SourceError, match=r"No frames with consistent optical flow in noise.mkv"):
        read_pairs([path], 96)


def test_a_run_trains_on_clips_and_records_them(clip, tiny_recipe, train_style, tmp_path):
    recipe = replace(tiny_recipe, temporal_weight=10.0, clip_part=1.0, draws=2)
    run = train_style(recipe, tmp_path / "run", clips=[clip])
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["clips"] == {"sliding.mkv": sha256_of(clip)}
