"""Optical flow between frames that were moved by known amounts."""

import cv2
import numpy as np
import pytest

from emocolor.chroma.motion import MotionSearch, search_size, warp_by_flow


@pytest.fixture(scope="module")
def scenery():
    """(400, 640) uint8: blobs of several sizes."""
    random = np.random.default_rng(0)
    layers = [cv2.GaussianBlur(random.standard_normal((400, 640)), (0, 0), sigma) * sigma for sigma in (3, 9, 25)]
    total = sum(layers)
    return np.rint((total - total.min()) / np.ptp(total) * 255).astype(np.uint8)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (6, -3), (-9, 4)])
def test_a_moved_frame_is_followed_both_ways(scenery, right, down):
    """The later frame shows everything ``right`` and ``down`` px further."""
    earlier, later = scenery[50:306, 60:508], scenery[50 - down : 306 - down, 60 - right : 508 - right]
    motion = MotionSearch().between(earlier, later, (112, 64))
    inner = (slice(8, -8), slice(12, -12))
    assert motion.to_earlier[inner].mean((0, 1)) * 4 == pytest.approx([-right, -down], abs=0.4)
    assert motion.to_later[inner].mean((0, 1)) * 4 == pytest.approx([right, down], abs=0.4)
    assert motion.confidence_to_earlier[inner].mean() > 0.8
    assert motion.confidence_to_later[inner].mean() > 0.8


def test_uncovered_areas_have_low_confidence(scenery):
    """A dark block moves to the right over the scenery; what it uncovers was not there before."""
    earlier, later = scenery[:256, :448].copy(), scenery[:256, :448].copy()
    earlier[80:180, 100:200] = 10
    later[80:180, 140:240] = 10
    confidence = MotionSearch().between(earlier, later, (112, 64)).confidence_to_earlier
    uncovered, still = confidence[22:43, 26:34], confidence[:, 70:]
    assert uncovered.mean() < 0.4
    assert still.mean() > 0.9


def test_warping_fetches_values_from_the_end_of_the_flow():
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    flow = np.zeros((3, 4, 2), np.float32)
    flow[..., 0] = 1
    assert warp_by_flow(values, flow).tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
    two = warp_by_flow(np.stack([values, -values], axis=2), np.full((3, 4, 2), [0, 0.5], np.float32))
    assert two[0, 0].tolist() == [2, -2]


def test_no_motion_is_assumed_in_tiny_frames():
    gray = np.full((20, 300), 90, np.uint8)
    motion = MotionSearch().between(gray, gray + 1, (75, 5))
    assert not motion.to_earlier.any()
    assert motion.confidence_to_earlier.min() > 0.9
    assert search_size(300, 20) == (300, 20)
