"""Figures of coloured video, on motion and colours that are known."""

import math

import cv2
import numpy as np
import pytest

from training.colorizer.metrics import colorfulness, psnr
from training.colorizer.video_metrics import Match, Matcher, VideoScores, histograms, js_divergence, warp_error

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


def still():
    return Match(np.zeros((*SIZE, 2), np.float32), np.ones(SIZE, bool))


def flat(level, shift=(0, 0, 0)):
    return np.full((*SIZE, 3), level + np.array(shift), np.uint8)


def scored(frames, truth=None, cuts=()):
    scores = VideoScores()
    for number, rgb in enumerate(frames):
        scores.add(rgb, rgb if truth is None else truth[number], None if number in (0, *cuts) else still())
    return scores


@pytest.mark.parametrize(("right", "down"), [(0, 0), (5, -3), (-8, 4)])
def test_a_moved_picture_is_matched(scenery, right, down):
    match = Matcher().match(gray_of(window(scenery)), gray_of(window(scenery, right, down)))
    inner = match.to_before[12:-12, 12:-12]
    assert inner.mean((0, 1)) == pytest.approx([right, down], abs=0.1)
    assert match.believed[12:-12, 12:-12].mean() > 0.98


def test_what_comes_from_outside_the_picture_is_not_believed(scenery):
    match = Matcher().match(gray_of(window(scenery)), gray_of(window(scenery, right=10)))
    assert not match.believed[:, -8:].any()
    assert match.believed[10:-10, 10:-20].mean() > 0.98


def test_what_a_block_uncovers_is_not_believed(scenery):
    earlier, later = window(scenery), window(scenery)
    earlier[30:70, 30:60] = 10
    later[30:70, 50:80] = 10
    believed = Matcher().match(gray_of(earlier), gray_of(later)).believed
    assert believed[35:65, 32:48].mean() < 0.4
    assert believed[:, 95:].mean() > 0.98


def test_colours_that_move_with_the_picture_have_little_error_and_those_that_stay_have_much(scenery):
    matcher, before, after = Matcher(), window(scenery), window(scenery, 6, 2)
    match = matcher.match(gray_of(before), gray_of(after))
    still_ab = np.random.default_rng(1).normal(0, 20, (*SIZE, 2)).astype(np.float32)
    moved_ab = np.roll(still_ab, (-2, -6), (0, 1))
    assert warp_error(still_ab, moved_ab, match) < 0.3 * warp_error(still_ab, still_ab, match)


def test_the_warp_error_is_the_mean_over_both_channels_of_what_is_believed():
    before = np.zeros((*SIZE, 2), np.float32)
    after = before + np.array([4, -2], np.float32)
    after[:10] = 100
    believed = np.ones(SIZE, bool)
    believed[:10] = False
    assert warp_error(before, after, Match(np.zeros((*SIZE, 2), np.float32), believed)) == pytest.approx(3)
    with pytest.raises(ValueError, match="No point"):
        warp_error(before, after, Match(np.zeros((*SIZE, 2), np.float32), np.zeros(SIZE, bool)))


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
    assert scored(frames).figures()["cdc"] == pytest.approx(np.mean(of_strides), abs=1e-6)


def test_no_pair_reaches_over_a_cut():
    dark, light = flat(40, (10, 0, -10)), flat(180, (-30, 0, 30))
    held = scored([dark] * 6 + [light] * 6, cuts=[6]).figures()
    assert (held["cdc"], held["warp_error"]) == (0, 0)
    crossed = scored([dark] * 6 + [light] * 6).figures()
    assert crossed["cdc"] > 0.1
    assert crossed["warp_error"] > 1


def test_gray_holds_still_but_its_light_counts():
    found = scored([flat(60 + 5 * (n % 2)) for n in range(8)]).figures()
    assert found["warp_error"] < 0.1, "OpenCV's ab of gray lie so near 0"
    assert found["colorfulness"] == 0
    assert found["cdc"] > 0.1


def test_what_pictures_are_worth_is_averaged_over_frames(scenery):
    frames, truth = ([window(scenery, shift * n) for n in range(6)] for shift in (1, 2))
    found = scored(frames, truth).figures()
    assert found["psnr"] == pytest.approx(np.mean([psnr(a, b) for a, b in zip(frames, truth, strict=True)]), abs=1e-5)
    assert found["colorfulness"] == pytest.approx(np.mean([colorfulness(a) for a in frames]), abs=1e-5)


@pytest.mark.parametrize(("believed", "counts"), [(0, False), (0.04, False), (0.06, True)])
def test_pairs_of_which_next_to_nothing_is_believed_do_not_count(believed, counts):
    lost = Match(np.zeros((*SIZE, 2), np.float32), np.linspace(0, 1, 96 * 128).reshape(SIZE) < believed)
    assert lost.share == pytest.approx(believed, abs=1e-3)
    scores = scored([flat(90, (20, 0, 0))] * 6)
    scores.add(flat(90, (0, 0, 60)), flat(90), lost)
    assert bool(scores.figures()["warp_error"]) == counts


@pytest.mark.parametrize(("count", "cuts"), [(0, []), (4, []), (8, [4])])
def test_too_little_has_no_figures(count, cuts):
    with pytest.raises(ValueError, match="Too few frames"):
        scored([flat(90)] * count, cuts=cuts).figures()
