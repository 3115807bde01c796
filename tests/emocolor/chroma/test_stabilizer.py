"""Stabilized colours: with a colorizer whose output varies, with motion, with and without look-ahead."""

import cv2
import numpy as np
import pytest

from emocolor.chroma.stabilizer import ChromaEstimate, ShotStabilizer, StabilizerOptions, color_of_evidence
from emocolor.errors import ConfigurationError

SIZE_WH = (64, 48)
FPS = 25


@pytest.fixture(scope="module")
def scenery():
    noise = cv2.GaussianBlur(np.random.default_rng(1).standard_normal((192, 320)), (0, 0), 4)
    return np.rint((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)


def estimate_of(a, b, confidence=1.0):
    width, height = SIZE_WH
    return ChromaEstimate(
        ab=np.full((height, width, 2), (a, b), np.float32), confidence=np.full((height, width), confidence, np.float32)
    )


def stabilized(options, grays, estimates):
    stabilizer = ShotStabilizer(options)
    found = []
    for number, (gray, estimate) in enumerate(zip(grays, estimates, strict=True)):
        found += stabilizer.add(number / FPS, gray, estimate)
    return found + list(stabilizer.end())


@pytest.mark.parametrize("look_ahead", [0.0, 0.4])
def test_every_frame_comes_out_once_and_in_order(scenery, look_ahead):
    grays = [scenery[:, :256]] * 30
    estimates = [estimate_of(number, 0) if number % 5 == 0 else None for number in range(30)]
    found = stabilized(StabilizerOptions(time_constant=0.05, look_ahead=look_ahead), grays, estimates)
    assert len(found) == 30
    means = [float(ab[..., 0].mean()) for ab in found]
    assert (np.diff(means) > -1e-3).all()
    assert means[-1] == pytest.approx(25, abs=2)


@pytest.mark.parametrize(("look_ahead", "max_range"), [(0.0, 0.5), (0.6, 0.35)])
def test_variation_is_reduced(scenery, look_ahead, max_range):
    """An estimate of 20 plus or minus 10, five times a second, for a static frame."""
    grays = [scenery[:, :256]] * 50
    estimates = [estimate_of(20 + (10 if number % 10 else -10), 0) if number % 5 == 0 else None for number in range(50)]
    found = stabilized(StabilizerOptions(look_ahead=look_ahead), grays, estimates)
    means = np.array([ab[..., 0].mean() for ab in found])[10:-10]
    assert np.ptp(means) < max_range * 20
    assert means.mean() == pytest.approx(20, abs=2.5)


def test_colour_moves_with_the_frame(scenery):
    """The scenery moves 4 px per frame; the one estimate, for its first frame, colours a patch, which moves along."""
    grays = [np.ascontiguousarray(scenery[:, 4 * (9 - n) : 4 * (9 - n) + 256]) for n in range(10)]
    first = estimate_of(0, 0)
    first.ab[20:28, 10:18] = (40, -30)
    found = stabilized(StabilizerOptions(look_ahead=0), grays, [first] + [None] * 9)
    patch = found[9][20:28, 19:27]
    assert patch.mean((0, 1)) == pytest.approx([40, -30], abs=6)
    assert np.abs(found[9][20:28, 8:16]).mean() < 8


def test_later_estimates_count_within_the_look_ahead(scenery):
    grays = [scenery[:, :256]] * 10
    given = [estimate_of(0, 0)] + [None] * 8 + [estimate_of(30, 0)]
    waiting = stabilized(StabilizerOptions(look_ahead=1.0), grays, given)
    immediate = stabilized(StabilizerOptions(look_ahead=0.0), grays, given)
    assert float(waiting[5][..., 0].mean()) > 8
    assert float(immediate[5][..., 0].mean()) == pytest.approx(0, abs=1e-3)


def test_the_more_confident_estimate_wins(scenery):
    grays = [scenery[:, :256]] * 2
    found = stabilized(StabilizerOptions(look_ahead=0), grays, [estimate_of(10, 0, 0.1), estimate_of(50, 0, 0.9)])
    assert float(found[1][..., 0].mean()) == pytest.approx(46, abs=1.5)


def test_points_without_evidence_take_the_colour_around_them():
    evidence = np.zeros((48, 64, 3), np.float32)
    evidence[..., 0], evidence[..., 2] = 12, 1
    evidence[20:24, 30:34] = 0
    assert color_of_evidence(evidence)[22, 32] == pytest.approx([12, 0], abs=1e-3)
    assert np.isfinite(color_of_evidence(np.zeros((48, 64, 3), np.float32))).all()


def test_the_number_of_waiting_frames_is_limited(scenery):
    stabilizer = ShotStabilizer(StabilizerOptions(look_ahead=1.0, max_waiting=3))
    out = [len(list(stabilizer.add(n / FPS, scenery[:, :256], estimate_of(0, 0)))) for n in range(12)]
    assert sum(out) == 9


@pytest.mark.parametrize("wrong", [{"time_constant": 0.0}, {"look_ahead": -1.0}, {"look_ahead": float("nan")}])
def test_options_are_checked(wrong):
    with pytest.raises(ConfigurationError, match="must lie between"):
        StabilizerOptions(**wrong)


@pytest.mark.parametrize("look_ahead", [0.0, 0.4])
def test_colour_stays_if_no_motion_can_be_followed(look_ahead):
    """Every frame is unlike the one before: the last estimate is better than gray."""
    random = np.random.default_rng(3)
    grays = [random.integers(0, 256, (192, 256), np.uint8) for _ in range(60)]
    found = stabilized(StabilizerOptions(look_ahead=look_ahead), grays, [estimate_of(20, -10)] + [None] * 59)
    for ab in found:
        assert np.abs(ab - np.float32([20, -10])).max() < 0.1


def test_old_evidence_that_cannot_be_followed_yields_to_a_new_estimate():
    random = np.random.default_rng(4)
    grays = [random.integers(0, 256, (192, 256), np.uint8) for _ in range(3)]
    found = stabilized(StabilizerOptions(look_ahead=0), grays, [estimate_of(20, -10), None, estimate_of(-30, 5)])
    assert np.abs(found[2] - np.float32([-30, 5])).mean() < 0.5  # by chance a patch looks like another
