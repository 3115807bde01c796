"""Gray and toned footage is distinguished from footage in colour."""

from fractions import Fraction

import numpy as np
import pytest

from emocolor.chroma.detection import chroma_spread, is_colored
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

LIMITED = ColorSpec()


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


def test_gray_is_not_coloured(level):
    luma, half = level
    assert not is_colored([make_frame(luma, half * 0, half * 0)])
    assert not is_colored([make_frame(luma, half * 0, half * 0, "gray")])
    assert not is_colored([])


def test_noise_in_chroma_is_no_colour(level):
    luma, half = level
    random = np.random.default_rng(3)
    assert not is_colored([make_frame(luma, *(random.normal(0, 0.01, half.shape) for _ in range(2)))])


@pytest.mark.parametrize(("cb", "cr"), [(-0.12, 0.09), (0.1, -0.03)])
def test_toning_is_no_colour(level, cb, cr):
    """Sepia and blue: chroma that follows luma along one hue, and scenes toned differently."""
    luma, half = level
    toned = make_frame(luma, cb * (half - 16) / 219, cr * (half - 16) / 219)
    flat = make_frame(luma, half * 0 + cb, half * 0 + cr)
    assert not is_colored([toned, flat])
    assert not is_colored([make_frame(luma, half * 0 + cb, half * 0 + cr), make_frame(luma, half * 0, half * 0)])


@pytest.mark.parametrize("form", ["yuv420p", "yuv420p10le"])
def test_two_hues_are_colour(level, form):
    """A blue sky above skin and foliage, all of them muted."""
    luma, half = level
    cb, cr = np.zeros_like(half), np.zeros_like(half)
    cb[:100], cr[:100] = 0.02, -0.01
    cb[100:160], cr[100:160] = -0.01, 0.02
    cb[160:], cr[160:] = -0.015, -0.01
    frame = make_frame(luma, cb, cr, form)
    assert is_colored([frame])
    assert chroma_spread([frame]) == pytest.approx(chroma_spread([make_frame(luma, cb, cr)]), rel=0.15)
