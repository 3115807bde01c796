"""Optical flow that is known, and the warp error along it."""

import cv2
import numpy as np
import pytest

from emocolor.errors import SourceError
from training.data.clips import ClipFrame
from training.data.motion import BackwardFlow, FlowEstimator, MotionTracker, warp_error

SIZE = (96, 128)


@pytest.fixture(scope="module")
def scenery():
    """(200, 300, 3) uint8: blobs of several sizes and colours."""
    random = np.random.default_rng(0)
    total = sum(cv2.GaussianBlur(random.standard_normal((200, 300, 3)), (0, 0), s) * s for s in (2, 5, 15))
    return np.rint((total - total.min()) / np.ptp(total) * 255).astype(np.uint8)


def gray_of(rgb):
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def window(scenery, right=0, down=0):
    """What a camera sees that has moved ``right`` and ``down`` px."""
    return np.ascontiguousarray(scenery[40 + down : 136 + down, 60 + right : 188 + right])


@pytest.mark.parametrize(("right", "down"), [(0, 0), (5, -3), (-8, 4)])
def test_a_moved_image_is_matched(scenery, right, down):
    flow = FlowEstimator().backward_flow(gray_of(window(scenery)), gray_of(window(scenery, right, down)))
    inner = flow.offsets[12:-12, 12:-12]
    assert inner.mean((0, 1)) == pytest.approx([right, down], abs=0.1)
    assert flow.consistent[12:-12, 12:-12].mean() > 0.98


def test_what_comes_from_outside_the_image_is_not_consistent(scenery):
    flow = FlowEstimator().backward_flow(gray_of(window(scenery)), gray_of(window(scenery, right=10)))
    assert not flow.consistent[:, -8:].any()
    assert flow.consistent[10:-10, 10:-20].mean() > 0.98


def test_what_a_block_uncovers_is_not_consistent(scenery):
    earlier, later = window(scenery), window(scenery)
    earlier[30:70, 30:60] = 10
    later[30:70, 50:80] = 10
    consistent = FlowEstimator().backward_flow(gray_of(earlier), gray_of(later)).consistent
    assert consistent[35:65, 32:48].mean() < 0.4
    assert consistent[:, 95:].mean() > 0.98


def test_colours_that_move_with_the_image_have_little_error_and_those_that_stay_have_much(scenery):
    estimator, before, after = FlowEstimator(), window(scenery), window(scenery, 6, 2)
    flow = estimator.backward_flow(gray_of(before), gray_of(after))
    still_ab = np.random.default_rng(1).normal(0, 20, (*SIZE, 2)).astype(np.float32)
    moved_ab = np.roll(still_ab, (-2, -6), (0, 1))
    assert warp_error(still_ab, moved_ab, flow) < 0.3 * warp_error(still_ab, still_ab, flow)


def test_the_warp_error_is_the_mean_over_both_channels_of_what_is_consistent():
    before = np.zeros((*SIZE, 2), np.float32)
    after = before + np.array([4, -2], np.float32)
    after[:10] = 100
    believed = np.ones(SIZE, bool)
    believed[:10] = False
    assert warp_error(before, after, BackwardFlow(np.zeros((*SIZE, 2), np.float32), believed)) == pytest.approx(3)
    with pytest.raises(ValueError, match="No point"):
        warp_error(before, after, BackwardFlow(np.zeros((*SIZE, 2), np.float32), np.zeros(SIZE, bool)))


def frame_of(rgb, cut=False):
    return ClipFrame(0.0, rgb, gray_of(rgb), cut)


def test_a_tracker_starts_anew_with_every_shot(scenery):
    tracker = MotionTracker("clip")
    frames = [frame_of(window(scenery, shift), cut=shift == 9) for shift in range(18)]
    flows = [tracker.update(frame) for frame in frames]
    assert [number for number, flow in enumerate(flows) if flow is None] == [0, 9]
    assert len(tracker) == 18
    assert tracker.consistent_share() > 0.9


def test_a_clip_without_a_long_shot_or_without_motion_that_can_be_followed_means_nothing(scenery):
    short, wild = MotionTracker("short.mkv"), MotionTracker("wild.mkv")
    y, x = np.mgrid[:64, :112]
    waves = [np.sin(x * np.cos(angle) + y * np.sin(angle)) + 1 for angle in (0.8, np.pi / 2)]
    for number in range(14):
        short.update(frame_of(window(scenery, number), cut=number == 7))
        wild.update(frame_of((waves[number % 2][..., None] * (125, 80, 30)).astype(np.uint8)))
    with pytest.raises(SourceError, match=r"short\.mkv has fewer than 8 frames without a cut"):
        short.consistent_share()
    with pytest.raises(SourceError, match=r"wild\.mkv moves in a way that optical flow cannot follow"):
        wild.consistent_share()
