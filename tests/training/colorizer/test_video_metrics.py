"""Metrics of colorized video, on motion and colours that are known."""

import math

import cv2
import numpy as np
import pytest

from training.colorizer.metrics import colorfulness, psnr
from training.colorizer.video_metrics import VideoMetrics, histograms, js_divergence
from training.data.motion import BackwardFlow

SIZE = (96, 128)


@pytest.fixture(scope="module")
def scenery():
    """(200, 300, 3) uint8: blobs of several sizes and colours."""
    random = np.random.default_rng(0)
    total = sum(cv2.GaussianBlur(random.standard_normal((200, 300, 3)), (0, 0), s) * s for s in (2, 5, 15))
    return np.rint((total - total.min()) / np.ptp(total) * 255).astype(np.uint8)


def window(scenery, right=0, down=0):
    """What a camera sees that has moved ``right`` and ``down`` px."""
    return np.ascontiguousarray(scenery[40 + down : 136 + down, 60 + right : 188 + right])


def still():
    return BackwardFlow(np.zeros((*SIZE, 2), np.float32), np.ones(SIZE, bool))


def flat(level, shift=(0, 0, 0)):
    return np.full((*SIZE, 3), level + np.array(shift), np.uint8)


def measured(frames, truth=None, cuts=()):
    metrics = VideoMetrics()
    for number, rgb in enumerate(frames):
        metrics.update(rgb, rgb if truth is None else truth[number], None if number in (0, *cuts) else still())
    return metrics


def test_divergence_is_in_nats():
    black, white = histograms(flat(0)), histograms(flat(255))
    assert black.sum(axis=1).tolist() == [1, 1, 1]
    assert js_divergence(black, black) == 0
    assert js_divergence(black, white) == pytest.approx(math.log(2))
    # One channel of three, half of whose pixels change: entropies of (3/4, 1/4) against those of the halves.
    half = flat(0)
    half[:48, :, 0] = 255
    wanted = (-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) - 0.5 * math.log(2)) / 3
    assert js_divergence(black, histograms(half)) == pytest.approx(wanted)
    assert js_divergence(histograms(half), black) == pytest.approx(wanted)


def test_cdc_is_the_mean_over_strides_of_the_mean_over_pairs(scenery):
    frames = [window(scenery, 7 * n, n) for n in range(9)]
    shares = [histograms(frame) for frame in frames]
    of_strides = [np.mean([js_divergence(a, b) for a, b in zip(shares, shares[s:], strict=False)]) for s in (1, 2, 4)]
    assert measured(frames).compute()["cdc"] == pytest.approx(np.mean(of_strides), abs=1e-6)


def test_no_pair_reaches_over_a_cut():
    dark, light = flat(40, (10, 0, -10)), flat(180, (-30, 0, 30))
    held = measured([dark] * 6 + [light] * 6, cuts=[6]).compute()
    assert (held["cdc"], held["warp_error"]) == (0, 0)
    crossed = measured([dark] * 6 + [light] * 6).compute()
    assert crossed["cdc"] > 0.1
    assert crossed["warp_error"] > 1


def test_gray_is_stable_but_its_light_counts():
    found = measured([flat(60 + 5 * (n % 2)) for n in range(8)]).compute()
    assert found["warp_error"] < 0.1, "OpenCV's ab of gray lie so near 0"
    assert found["colorfulness"] == 0
    assert found["cdc"] > 0.1


def test_what_images_are_worth_is_averaged_over_frames(scenery):
    frames, truth = ([window(scenery, shift * n) for n in range(6)] for shift in (1, 2))
    found = measured(frames, truth).compute()
    assert found["psnr"] == pytest.approx(np.mean([psnr(a, b) for a, b in zip(frames, truth, strict=True)]), abs=1e-5)
    assert found["colorfulness"] == pytest.approx(np.mean([colorfulness(a) for a in frames]), abs=1e-5)


@pytest.mark.parametrize(("consistent", "counts"), [(0, False), (0.04, False), (0.06, True)])
def test_pairs_of_which_next_to_nothing_is_consistent_do_not_count(consistent, counts):
    lost = BackwardFlow(np.zeros((*SIZE, 2), np.float32), np.linspace(0, 1, 96 * 128).reshape(SIZE) < consistent)
    assert lost.consistent_share == pytest.approx(consistent, abs=1e-3)
    metrics = measured([flat(90, (20, 0, 0))] * 6)
    metrics.update(flat(90, (0, 0, 60)), flat(90), lost)
    assert bool(metrics.compute()["warp_error"]) == counts


@pytest.mark.parametrize(("count", "cuts"), [(0, []), (4, []), (8, [4])])
def test_too_little_has_no_metrics(count, cuts):
    with pytest.raises(ValueError, match="Too few frames"):
        measured([flat(90)] * count, cuts=cuts).compute()
