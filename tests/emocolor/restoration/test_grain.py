"""Grain is removed from static parts, motion is not smeared, and the level of the grain is measured."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.restoration.grain import GrainFilter, grain_level, temporal_mean


def texture(size_wh=(200, 120), seed=0):
    """Something with detail, (H, W) float32 codes of 255."""
    width, height = size_wh
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (height, width)).astype(np.float32), (0, 0), 2)
    return 120 + 40 * noise / noise.std()


def film(frames, sigma, bits=8):
    """Frames of ``frames`` with Gaussian grain, new in each."""
    random, unit = np.random.default_rng(3), 1 << (bits - 8)
    for n, frame in enumerate(frames):
        codes = np.clip(frame + random.normal(0, sigma, frame.shape), 0, 255) * unit
        yield Frame(
            planes=(np.rint(codes).astype(np.uint8 if bits == 8 else np.uint16),),
            format=PIXEL_FORMATS["gray" if bits == 8 else "gray10le"], color=ColorSpec(full_range=True), pts=n,
            time_base=Fraction(1, 25),
        )  # fmt: skip


def cleaned(frames, strength=0.5):
    clean = GrainFilter(strength)
    made = [done for frame in frames for done in clean.add(frame)] + list(clean.end())
    assert list(clean.end()) == []
    return made


def error(frames, images, bits=8):
    """Mean squared difference to ``images``, in codes of 255, per frame."""
    unit = 1 << (bits - 8)
    return np.array([np.mean((f.luma / unit - p) ** 2) for f, p in zip(frames, images, strict=True)])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("sigma", [2, 8])
def test_grain_is_removed_where_nothing_moves(sigma, bits):
    images = [texture()] * 12
    frames = list(film(images, sigma, bits))
    made = cleaned(frames)
    assert [frame.pts for frame in made] == list(range(12))
    assert made[0].luma.dtype == frames[0].luma.dtype
    before, after = error(frames, images, bits), error(made, images, bits)
    assert (after[2:-2] < before[2:-2] / 3.5).all()
    assert (after < before / 2).all()


@pytest.mark.parametrize("strength", [0.25, 0.5])
def test_motion_is_not_smeared(strength):
    """A detailed panel passes over a static background and must not be mixed with what was there before."""
    ground, panel = texture(seed=1), texture((60, 120), seed=2)
    images = [ground.copy() for _ in range(14)]
    for n, frame in enumerate(images):
        frame[:, n * 9 : n * 9 + 60] = panel
    frames = list(film(images, 3))
    made = cleaned(frames, strength)
    for n in range(14):
        over = np.s_[:, n * 9 : n * 9 + 60]
        assert np.mean((made[n].luma[over] - panel) ** 2) < 1.05 * np.mean((frames[n].luma[over] - panel) ** 2)


def test_film_without_grain_is_unchanged():
    still = list(film([texture()] * 6, 0))
    assert all(one is other for one, other in zip(cleaned(still, 1.0), still, strict=True))


def test_a_repeated_frame_hides_no_grain():
    """Film at a raised frame rate repeats frames, which do not show the grain."""
    frames = [texture()] * 6
    twice = [frame for frame in film(frames, 5) for _ in range(2)]
    made = cleaned(twice)
    assert error(made, frames * 2).mean() < error(twice, frames * 2).mean() / 2


def test_areas_that_a_codec_repeats_hide_no_grain():
    """Codecs copy areas that hardly change, but for a few points: the same holds within a frame."""
    random, images = np.random.default_rng(5), [texture()] * 8
    frames = list(film(images, 5))
    for frame in frames:
        frame.luma[:90] = frames[0].luma[:90] // 2 + (random.uniform(size=(90, 200)) < 0.03)
    made = cleaned(frames)
    part = np.s_[94:]
    before, after = (
        np.mean([(f.luma[part] - p[part]) ** 2 for f, p in zip(fs, images, strict=True)]) for fs in (frames, made)
    )
    assert after < before / 2.5


def test_more_strength_removes_more():
    images = [texture()] * 8
    frames = list(film(images, 5))
    errors = [error(cleaned(frames, strength), images).mean() for strength in (0.1, 0.25, 0.5)]
    assert error(frames, images).mean() >= errors[0] > errors[1] > errors[2]


def test_input_planes_are_not_modified_and_output_planes_may_be():
    frames = list(film([texture()] * 8, 5))
    given = [frame.luma.copy() for frame in frames]
    untouched = [frame.luma.copy() for frame in cleaned(frames)]
    assert all(np.array_equal(frame.luma, luma) for frame, luma in zip(frames, given, strict=True))
    clean = GrainFilter(0.5)
    overwritten = []
    for source in frames:
        for frame in clean.add(source):
            overwritten.append(frame.luma.copy())
            frame.luma[:] = 0
            frames[frame.pts].luma[:] = 0  # whoever receives a frame may write to its memory
    assert all(np.array_equal(a, b) for a, b in zip(overwritten, untouched, strict=False))


@pytest.mark.parametrize("bits", [8, 10])
def test_the_level_of_grain_is_measured(bits):
    one, other = film([texture()] * 2, 4, bits)
    level = grain_level(one.luma, other.luma, bits)
    assert level == pytest.approx(1.128 * 4 * (1 << (bits - 8)), rel=0.1)
    assert grain_level(one.luma, one.luma, bits) is None


def test_bands_leave_no_seams():
    """The result is that of the formula on the whole frame."""
    luma, *others = (frame.luma for frame in film([texture()] * 3, 5))
    pull, total = np.zeros(luma.shape), np.ones(luma.shape)
    for other in others:
        patches = cv2.blur(cv2.absdiff(luma, other).astype(np.float64), (5, 5))
        weight = np.clip(2 - patches / 4, 0, 1)
        pull, total = pull + weight * (other.astype(np.float64) - luma), total + weight
    np.testing.assert_allclose(temporal_mean(luma, others, 4.0), luma + pull / total, atol=0.51)


@pytest.mark.parametrize("size_wh", [(1, 1), (4, 3), (33, 97)])
def test_any_size(size_wh):
    width, height = size_wh
    random = np.random.default_rng(0)
    planes = [random.integers(100, 110, (height, width), np.uint8) for _ in range(3)]
    made = temporal_mean(planes[0], planes[1:], 50.0)
    np.testing.assert_allclose(made, np.mean(planes, axis=0), atol=0.51)
    frames = [
        Frame(planes=(p,), format=PIXEL_FORMATS["gray"], color=ColorSpec(), pts=0, time_base=Fraction(1))
        for p in planes
    ]
    assert len(cleaned(frames)) == 3
