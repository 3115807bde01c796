"""Learned colours moved toward the palette of a reference image."""

import cv2
import numpy as np
import pytest

from emocolor.chroma.conversion import ab_of, luma_of, with_chroma
from emocolor.chroma.reference import (
    GAINS,
    MAX_GRAY_SHIFT,
    PHOTOGRAPHS,
    ColorStatistics,
    PaletteShift,
    ReferenceOptions,
    linear_map,
    statistics_of,
)
from emocolor.errors import ConfigurationError

SIZE_WH = (112, 64)
MIDDLE = np.full(SIZE_WH[::-1], 128, np.uint8)
WARM = ColorStatistics(mean=np.array([6.0, 16.0]), covariance=np.array([[140.0, 30.0], [30.0, 200.0]]))
EXTREMES = [
    ColorStatistics(mean=np.array(mean), covariance=np.array(covariance))
    for mean in ([0.0, 0.0], [95.0, -105.0])
    for covariance in ([[0.0, 0.0], [0.0, 0.0]], [[9e3, 9e3], [9e3, 9e3]], [[0.0, 0.0], [0.0, 9e3]])
]


def colors_with(statistics, seed=0):
    """ab (64, 112, 2) float32 of just this mean and covariance."""
    noise = np.random.default_rng(seed).normal(size=(64 * 112, 2))
    white = (noise - noise.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T, bias=True))).T
    ab = white @ np.linalg.cholesky(statistics.covariance + 1e-9 * np.eye(2)).T + statistics.mean
    return ab.reshape(64, 112, 2).astype(np.float32)


def shifted(ab, gray=MIDDLE, seconds=40, **options):
    """The colours ``ab`` after they were shown for a while, once a second."""
    shift = PaletteShift(ReferenceOptions(**{"statistics": WARM, "memory_seconds": 4, **options}))
    for time in range(seconds):
        moved = shift.apply(time, gray, ab)
    return moved


def spread(ab):
    colors = ab.reshape(-1, 2).astype(float)
    return colors.mean(0), np.cov(colors.T, bias=True)


def distance(one, other):
    """The distance of mean and standard deviations from those of a palette, in CIELAB units."""
    return np.hypot(*(one[0] - other.mean)), np.abs(np.sqrt(one[1].diagonal()) - np.sqrt(other.covariance.diagonal()))


def test_colours_take_on_the_palette_of_the_reference():
    ab = colors_with(PHOTOGRAPHS)
    (mean_before, spread_before), (mean_after, spread_after) = (distance(spread(x), WARM) for x in (ab, shifted(ab)))
    assert mean_after < 0.35 * mean_before
    assert (spread_after < 0.35 * spread_before).all()


def test_the_map_between_palettes_near_each_other_is_exact_but_for_the_prior():
    """The gain G maps one covariance to the other, G S G = T, and is symmetric: the Monge-Kantorovich map."""
    gain, shift = linear_map(PHOTOGRAPHS, WARM)
    np.testing.assert_allclose(gain, gain.T)
    target = 0.8 * WARM.covariance + 0.2 * PHOTOGRAPHS.covariance
    np.testing.assert_allclose(gain @ PHOTOGRAPHS.covariance @ gain, target, rtol=1e-9)
    expected = 0.8 * WARM.mean + 0.2 * PHOTOGRAPHS.mean
    np.testing.assert_allclose(gain @ PHOTOGRAPHS.mean + shift, expected, atol=0.3)  # long shifts are limited, softly


@pytest.mark.parametrize("statistics", [PHOTOGRAPHS, WARM, *EXTREMES])
def test_the_map_between_equal_palettes_is_the_identity(statistics):
    gain, shift = linear_map(statistics, statistics)
    np.testing.assert_allclose(gain, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(shift, 0, atol=1e-4)


@pytest.mark.parametrize("source", [PHOTOGRAPHS, *EXTREMES])
@pytest.mark.parametrize("target", [PHOTOGRAPHS, *EXTREMES])
def test_the_map_is_bounded_whatever_the_palettes(source, target):
    gain, shift = linear_map(source, target)
    gains = np.linalg.eigvalsh(gain)
    assert gains[0] >= GAINS[0] - 1e-9
    assert gains[1] <= GAINS[1] + 1e-9
    assert np.hypot(*shift) <= MAX_GRAY_SHIFT


def test_a_gray_reference_takes_colour_away():
    gray = statistics_of(np.full((80, 80, 3), 90, np.uint8))
    ab = colors_with(PHOTOGRAPHS)
    assert np.abs(shifted(ab, statistics=gray)).mean() < 0.6 * np.abs(ab).mean()


def test_strength_goes_from_the_colours_as_they_are_to_the_whole_way():
    ab = colors_with(PHOTOGRAPHS)
    whole = shifted(ab)
    np.testing.assert_allclose(shifted(ab, strength=0.0), ab, atol=1e-4)
    np.testing.assert_allclose(shifted(ab, strength=0.25), 0.75 * ab + 0.25 * whole, atol=1e-3)


def test_the_input_is_not_changed():
    ab = colors_with(PHOTOGRAPHS)
    kept = ab.copy()
    moved = PaletteShift(ReferenceOptions(statistics=WARM)).apply(0.0, MIDDLE, ab)
    assert moved.dtype == np.float32
    assert moved.shape == ab.shape
    np.testing.assert_array_equal(ab, kept)


def test_one_odd_image_does_not_make_colours_waver():
    """A flash of another colour moves what follows by little, though it would change much if it stayed."""
    ab = colors_with(PHOTOGRAPHS)
    odd = colors_with(ColorStatistics(mean=np.array([-25.0, -25.0]), covariance=PHOTOGRAPHS.covariance))
    shift = PaletteShift(ReferenceOptions(statistics=WARM))
    before = shift.apply(0.0, MIDDLE, ab)
    shift.apply(0.04, MIDDLE, odd)
    after = shift.apply(0.08, MIDDLE, ab)
    assert 0 < np.abs(after - before).max() < 0.5
    for time in range(1, 40):
        shift.apply(time, MIDDLE, odd)
    assert np.abs(shift.apply(40.0, MIDDLE, ab) - before).max() > 5


def test_the_map_depends_on_time_and_not_on_the_frame_rate():
    ab = colors_with(ColorStatistics(mean=np.array([-10.0, -5.0]), covariance=PHOTOGRAPHS.covariance))
    slow, fast = (PaletteShift(ReferenceOptions(statistics=WARM)) for _ in range(2))
    one = [slow.apply(n / 5, MIDDLE, ab) for n in range(11)][-1]
    other = [fast.apply(n / 50, MIDDLE, ab) for n in range(101)][-1]
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_old_palettes_are_forgotten():
    first, second = (
        colors_with(ColorStatistics(mean=np.array(mean), covariance=PHOTOGRAPHS.covariance))
        for mean in ([-20.0, 0.0], [10.0, 20.0])
    )
    shift = PaletteShift(ReferenceOptions(statistics=WARM, memory_seconds=2))
    for time in range(20):
        shift.apply(time, MIDDLE, first)
    just_after = shift.apply(19.1, MIDDLE, second)
    later = [shift.apply(time, MIDDLE, second) for time in range(20, 60)][-1]
    np.testing.assert_allclose(later, shifted(second, memory_seconds=2), atol=1e-2)
    assert np.hypot(*(just_after - later).mean((0, 1))) > 3


def test_a_gap_and_a_repeated_time_count_for_little():
    ab, other = colors_with(PHOTOGRAPHS), colors_with(EXTREMES[3])
    shift = PaletteShift(ReferenceOptions(statistics=WARM))
    before = shift.apply(0.0, MIDDLE, ab)
    shift.apply(0.0, MIDDLE, other)
    np.testing.assert_allclose(shift.apply(0.0, MIDDLE, ab), before, atol=1e-4)
    after_gap, after_second = (PaletteShift(ReferenceOptions(statistics=WARM)) for _ in range(2))
    for later, moment in ((after_gap, 9000.0), (after_second, 1.0)):
        later.apply(0.0, MIDDLE, ab)
        later.apply(moment, MIDDLE, other)
    np.testing.assert_allclose(after_gap.apply(9000.0, MIDDLE, ab), after_second.apply(1.0, MIDDLE, ab), atol=1e-4)


def test_black_and_white_do_not_count():
    """Black bars and white captions do not count, whatever colours they were given."""
    ab = colors_with(PHOTOGRAPHS)
    gray, loud = MIDDLE.copy(), ab.copy()
    gray[:16], gray[48:] = 0, 255
    loud[:16], loud[48:] = 100, -100
    shift = PaletteShift(ReferenceOptions(statistics=WARM))
    plain = PaletteShift(ReferenceOptions(statistics=WARM))
    for n in range(5):
        moved = shift.apply(n, gray, loud)
        expected = plain.apply(n, gray, np.where(gray[..., None] == 128, ab, 0).astype(np.float32))
    np.testing.assert_allclose(moved[16:48], expected[16:48], atol=1e-4)


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("statistics", EXTREMES)
def test_black_and_white_film_stays_black_and_white(level, statistics):
    gray = np.full(SIZE_WH[::-1], level, np.uint8)
    moved = shifted(colors_with(PHOTOGRAPHS), gray, seconds=2, statistics=statistics)
    assert np.isfinite(moved).all()
    assert (with_chroma(gray, moved) == level).all()


@pytest.mark.parametrize("statistics", EXTREMES)
@pytest.mark.parametrize("color", [(0.0, 0.0), (80.0, -100.0)])
def test_film_of_one_colour_stays_finite(color, statistics):
    ab = np.full((2, 3, 2), color, np.float32)
    moved = shifted(ab, statistics=statistics, seconds=60)
    assert np.isfinite(moved).all()
    assert np.ptp(moved, axis=(0, 1)).max() < 1e-3
    assert np.hypot(*moved[0, 0]) <= GAINS[1] * np.hypot(*color) + MAX_GRAY_SHIFT


def test_gray_of_any_size_goes_with_the_colours():
    ab = colors_with(PHOTOGRAPHS)
    small = np.tile(np.linspace(0, 255, 112).astype(np.uint8), (64, 1))
    large = cv2.resize(small, (448, 256), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(shifted(ab, small, seconds=2), shifted(ab, large, seconds=2))


def test_statistics_are_weighted_by_mid_tones():
    rgb = np.zeros((128, 128, 3), np.uint8)
    rgb[:, :64], rgb[:, 64:] = (150, 90, 80), (80, 110, 150)
    weights = luma_of(rgb).astype(float) / 255
    weights *= 1 - weights
    ab = ab_of(rgb).astype(float)
    mean = (ab * weights[..., None]).sum((0, 1)) / weights.sum()
    found = statistics_of(rgb)
    np.testing.assert_allclose(found.mean, mean, atol=0.02)
    away = ab - mean
    wanted = np.einsum("hwi,hwj,hw->ij", away, away, weights) / weights.sum()
    np.testing.assert_allclose(found.covariance, wanted, rtol=1e-3)


def test_grain_of_a_large_image_does_not_count():
    rgb = np.random.default_rng(0).integers(60, 200, (1024, 1024, 3), np.uint8)
    assert np.sqrt(statistics_of(rgb).covariance.diagonal()).max() < 4 < ab_of(rgb).std()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (700, 3)])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (9, 9, 9)])
def test_images_of_one_colour_have_finite_statistics(shape, color):
    found = statistics_of(np.full((*shape, 3), color, np.uint8))
    np.testing.assert_allclose(found.covariance, 0, atol=1e-3)
    assert (np.hypot(*found.mean) > 50) == (color == (255, 0, 0))


@pytest.mark.parametrize(
    "wrong", [{"strength": 1.1}, {"strength": -0.1}, {"strength": float("nan")}, {"memory_seconds": 0.0}]
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ReferenceOptions(statistics=WARM, **wrong)


@pytest.mark.parametrize(
    ("mean", "covariance"),
    [
        ([0.0], np.eye(2)),
        ([0.0, 0.0], np.eye(3)),
        ([0.0, np.nan], np.eye(2)),
        ([0.0, 0.0], [[1.0, 0.5], [0.0, 1.0]]),
        ([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]]),
    ],
)
def test_statistics_that_are_no_palette_are_refused(mean, covariance):
    with pytest.raises(ValueError, match="covariance"):
        ColorStatistics(mean=np.array(mean), covariance=np.array(covariance))


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_arrays_that_are_no_image_are_refused(wrong):
    with pytest.raises(ValueError, match="uint8"):
        statistics_of(wrong)
