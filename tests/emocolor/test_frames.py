"""Frames: their planes by format, their time, and luma as 8-bit gray."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame, gray_levels, luma_8bit

FULL, LIMITED = ColorSpec(full_range=True), ColorSpec()
SAMPLES = {"planar": 3, "interleaved": 2, "none": 1}
"""Planes per kind of chroma."""


def make_frame(format_name="yuv420p", size_wh=(33, 17), color=LIMITED, **times):
    """A frame of random codes."""
    form, random = PIXEL_FORMATS[format_name], np.random.default_rng(0)
    kind = np.uint8 if form.bits == 8 else np.uint16
    (width, height), chroma_wh = size_wh, form.chroma_size_wh(*size_wh)
    shapes = {
        "planar": [(height, width), chroma_wh[::-1], chroma_wh[::-1]],
        "interleaved": [(height, width), (*chroma_wh[::-1], 2)],
        "none": [(height, width)],
    }[form.chroma]
    planes = tuple(random.integers(0, 1 << form.bits, shape).astype(kind) for shape in shapes)
    return Frame(planes=planes, format=form, color=color, **{"pts": 0, "time_base": Fraction(1, 25), **times})


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_formats_have_ffmpegs_names_depths_and_subsampling(name):
    av = pytest.importorskip("av")
    form, theirs = PIXEL_FORMATS[name], av.VideoFormat(name)
    assert form.name == theirs.name
    assert {component.bits for component in theirs.components} == {form.bits}
    assert len(theirs.components) == (1 if form.chroma == "none" else 3)
    for width, height in ((64, 48), (33, 17), (1, 1)):
        if form.chroma != "none":
            assert form.chroma_size_wh(width, height) == (theirs.chroma_width(width), theirs.chroma_height(height))


@pytest.mark.parametrize("name", PIXEL_FORMATS)
def test_chroma_is_a_view_of_the_planes(name):
    frame = make_frame(name)
    assert len(frame.planes) == SAMPLES[frame.format.chroma]
    assert frame.size_wh == (33, 17)
    if frame.chroma is None:
        assert frame.format.chroma == "none"
        return
    for number, plane in enumerate(frame.chroma):
        assert plane.shape == frame.format.chroma_size_wh(33, 17)[::-1]
        plane[0, 0] = 77 + number
    last = frame.planes[1][0, 0].tolist() if len(frame.planes) == 2 else [p[0, 0] for p in frame.planes[1:]]
    assert last == [77, 78]


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "gray10le"])
def test_a_copy_shares_no_memory(name):
    frame = make_frame(name)
    copy = frame.copy()
    assert all(np.array_equal(one, other) for one, other in zip(frame.planes, copy.planes, strict=True))
    assert not any(np.shares_memory(one, other) for one, other in zip(frame.planes, copy.planes, strict=True))


def test_time_is_in_seconds_and_exact_for_long_films():
    assert make_frame(pts=90_000 * 36_000, time_base=Fraction(1, 90_000)).time == 36_000.0
    assert make_frame(pts=1001, time_base=Fraction(1, 30_000)).time == pytest.approx(0.0333667)


class DevicePlane:
    """A plane elsewhere, which NumPy can fetch."""

    def __init__(self, plane):
        self._plane = plane
        self.shape = plane.shape

    def __array__(self, dtype=None, copy=None):
        return self._plane.astype(dtype or self._plane.dtype)


def test_planes_in_device_memory_are_copied_for_luma():
    there = make_frame("nv12", color=LIMITED)
    frame = Frame(
        planes=tuple(map(DevicePlane, there.planes)), format=there.format, color=LIMITED, pts=0, time_base=Fraction(1)
    )
    assert frame.on_device
    assert not there.on_device
    assert np.array_equal(luma_8bit(frame), luma_8bit(there))


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("color", [LIMITED, FULL])
def test_gray_runs_from_black_to_white_at_any_depth(bits, color):
    unit, kind = 1 << (bits - 8), np.uint8 if bits == 8 else np.uint16
    black, white = (0, (1 << bits) - 1) if color.full_range else (16 * unit, 235 * unit)
    codes = np.rint(np.linspace(black, white, 200)).astype(kind)
    gray = gray_levels(codes, color, bits)
    assert gray.dtype == np.uint8
    assert (gray[0], gray[-1]) == (0, 255)
    assert np.abs(gray - (codes.astype(float) - black) / (white - black) * 255).max() <= 0.501


@given(st.sampled_from([8, 10]), st.integers(0, 255))
def test_codes_beyond_black_and_white_are_clipped(bits, code):
    codes = np.full((2, 3), code << (bits - 8), np.uint8 if bits == 8 else np.uint16)
    gray = gray_levels(codes, LIMITED, bits)
    assert gray.shape == (2, 3)
    if code <= 16:
        assert (gray == 0).all()
    if code >= 235:
        assert (gray == 255).all()


def test_full_range_luma_of_8_bits_is_not_copied():
    frame = make_frame(color=FULL)
    assert luma_8bit(frame) is frame.luma
