"""Gray and toned footage is distinguished from footage in colour."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from emocolor.chroma.detection import ColorDetection, cells_wh, chroma_residual, detect_color, least_colored
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

LIMITED = ColorSpec()
SEPIA = ((0, 0, 0), (-0.1, 0.08, 0.5), (0, 0, 1))
"""Cb, Cr and the level of luma at which they hold."""
THREE_HUES = ((0.12, 0.05, 0), (-0.06, -0.08, 0.5), (-0.16, 0.03, 1))


def make_frame(luma, cb, cr, form="yuv420p", color=LIMITED):
    """``luma`` (H, W) codes; ``cb`` and ``cr`` (H/2, W/2) in [-0.5, 0.5]."""
    layout = PIXEL_FORMATS[form]
    unit = 1 << (layout.bits - 8)
    kind = np.uint8 if layout.bits == 8 else np.uint16
    planes = [np.round(luma * unit)] + [np.round((128 + 224 * chroma) * unit) for chroma in (cb, cr)]
    planes = [plane.astype(kind) for plane in planes]
    if layout.chroma == "none":
        planes = planes[:1]
    return Frame(planes=tuple(planes), format=layout, color=color, pts=0, time_base=Fraction(1, 25))


@pytest.fixture
def level():
    """(480, 640) luma codes with large shapes and grain, and the same at half the size."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[:480, :640]
    luma = 120 + 80 * np.sin(x / 92) * np.cos(y / 68) + random.normal(0, 6, (480, 640))
    return luma, luma[::2, ::2]


def tone(half, stops):
    """Cb and Cr that follow luma along a gradient."""
    at = [stop[2] for stop in stops]
    return [np.interp((half - 16) / 219, at, [stop[part] for stop in stops]) for part in range(2)]


def compressed(chroma, step=12):
    """Chroma (H, W) as a codec leaves it at low quality: blocks of 8x8 of one value, a multiple of ``step`` codes."""
    height, width = chroma.shape
    means = cv2.resize(chroma, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    coarse = np.round(means * 224 / step) * step / 224
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)


def toned_frame(level, stops, rate=None):
    luma, half = level
    cb, cr = tone(half, stops)
    return make_frame(luma, *(map(compressed, (cb, cr)) if rate == "low" else (cb, cr)))


def muted_frame(level, strength=1.0, form="yuv420p"):
    """A blue sky above skin and foliage, all of them muted."""
    luma, half = level
    cb, cr = np.zeros_like(half), np.zeros_like(half)
    cb[:100], cr[:100] = 0.02, -0.01
    cb[100:160], cr[100:160] = -0.01, 0.02
    cb[160:], cr[160:] = -0.015, -0.01
    return make_frame(luma, strength * cb, strength * cr, form)


def is_colored(*frames):
    return detect_color(frames).is_colored


def test_gray_is_not_coloured(level):
    luma, half = level
    for frames in ([make_frame(luma, half * 0, half * 0)], [make_frame(luma, half * 0, half * 0, "gray")], []):
        found = detect_color(frames)
        assert (found.is_colored, found.is_toned) == (False, False)


def test_noise_in_chroma_is_no_colour(level):
    luma, half = level
    random = np.random.default_rng(3)
    assert not is_colored(make_frame(luma, *(random.normal(0, 0.01, half.shape) for _ in range(2))))


def test_strong_noise_in_chroma_is_no_colour(level):
    luma, half = level
    random = np.random.default_rng(3)
    blots = [cv2.GaussianBlur(random.normal(0, 1, half.shape), (0, 0), 4) for _ in range(2)]
    assert not is_colored(make_frame(luma, *(0.02 * one / one.std() for one in blots)))


@pytest.mark.parametrize(("cb", "cr"), [(-0.12, 0.09), (0.1, -0.03)])
def test_toning_is_no_colour(level, cb, cr):
    """Sepia and blue: chroma that follows luma along one hue, and scenes toned differently."""
    luma, half = level
    toned = make_frame(luma, cb * (half - 16) / 219, cr * (half - 16) / 219)
    flat = make_frame(luma, half * 0 + cb, half * 0 + cr)
    for frames in ([toned, flat], [flat, make_frame(luma, half * 0, half * 0)]):
        found = detect_color(frames)
        assert (found.is_colored, found.is_toned) == (False, True)


@pytest.mark.parametrize("rate", ["high", "low"])
@pytest.mark.parametrize("stops", [SEPIA, THREE_HUES])
def test_tones_that_bend_are_no_colour(level, stops, rate):
    """Sepia that fades to white, and shadows, mid-tones and highlights of three hues."""
    found = detect_color([toned_frame(level, stops, rate)])
    assert (found.is_colored, found.is_toned) == (False, True)


@pytest.mark.parametrize("full", [SEPIA, ((0, 0, 0), (-0.2, 0.08, 1))])
def test_compression_makes_no_colour_of_a_tone(level, full):
    assert not is_colored(toned_frame(level, full, "low"))


@pytest.mark.parametrize("stops", [((0, 0, 0), (0, 0, 1)), SEPIA])
def test_a_logo_and_subtitles_are_no_colour(level, stops):
    luma, half = level
    cb, cr = tone(half, stops)
    cb[10:30, 280:310], cr[10:30, 280:310] = 0.3, -0.1
    cb[16:24, 288:302], cr[16:24, 288:302] = -0.1, 0.35
    for left in range(80, 240, 8):  # strokes of letters
        cb[200:210, left : left + 2], cr[200:210, left : left + 2] = -0.4, 0.1
    found = detect_color([make_frame(luma, cb, cr)])
    assert (found.is_colored, found.has_overlays) == (False, True)


def test_a_large_object_is_colour(level):
    """A tenth of the frame, of a single hue."""
    luma, half = level
    cb, cr = np.zeros_like(half), np.zeros_like(half)
    cb[40:140, 100:180], cr[40:140, 100:180] = -0.1, 0.2
    assert is_colored(make_frame(luma, cb, cr))


@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le"])
def test_two_hues_are_colour(level, form):
    frame = muted_frame(level, form=form)
    assert is_colored(frame)
    measured = chroma_residual(frame)
    assert measured.coherent == pytest.approx(chroma_residual(muted_frame(level)).coherent, rel=0.15)


def test_faded_colours_are_colour(level):
    """About one code of 8 bits: in 10 bits they are there."""
    assert is_colored(muted_frame(level, 0.35, "yuv420p10le"))


def test_one_hue_that_does_not_follow_luma_is_colour(level):
    """A face in front of a wall of the same hue, and a sea: saturation changes where luma does not."""
    luma, _ = level
    saturation = 0.03 + 0.1 * (np.hypot(*(np.mgrid[:240, :320] - np.array([[[120]], [[200]]]))) < 60)
    assert is_colored(make_frame(luma, -0.6 * saturation, saturation))


def test_a_tone_in_front_of_which_nothing_is_seen_is_gray():
    """A black frame with a cast tells nothing, and no frame is too small."""
    for height, width in ((48, 64), (2, 2), (1, 1)):
        half = np.zeros((-(-height // 2), -(-width // 2)))
        assert not is_colored(make_frame(np.full((height, width), 16.0), half + 0.004, half))


@pytest.mark.parametrize(("frames", "least"), [(0, 0), (1, 1), (4, 1), (5, 2), (16, 2), (17, 3), (25, 4)])
def test_an_eighth_of_the_frames_makes_a_film_coloured(frames, least):
    assert least_colored(frames) == least
    found = [ColorDetection(frames=frames, colored=count).is_colored for count in range(frames + 1)]
    assert found.count(True) == (frames - least + 1 if frames else 0)


def test_film_that_is_partly_in_colour_is_in_colour(level):
    colored, gray = muted_frame(level), toned_frame(level, SEPIA)
    found = detect_color([gray] * 14 + [colored] * 2)
    assert (found.frames, found.colored, found.toned) == (16, 2, 14)
    assert (found.is_colored, found.is_toned) == (True, False)
    found = detect_color([gray] * 15 + [colored])
    assert (found.is_colored, found.is_toned) == (False, True)


def test_cells_span_several_blocks_of_a_codec():
    assert cells_wh(1920, 1080) == cells_wh(320, 240) == (8, 6)
    assert cells_wh(176, 144) == (4, 3)
    assert cells_wh(2, 2) == (4, 3)
