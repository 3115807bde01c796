"""One form for all outputs: size, aspect ratio, colours, and what is shown without a signal."""

from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.frames import ColorSpec
from stream.live.media_clock import TICK
from stream.live.output.canvas import Canvas
from stream.media.frames import ColorTags, frame_from_av

SD = ColorSpec(matrix="bt601", primaries="bt601-525")
HD = ColorSpec(matrix="bt709")


def frame_of(size_wh, *, rgb=(200, 60, 40), format="yuv420p", color=SD, aspect=1, pts=9000):
    """A frame of one colour, coded as ``color`` says."""
    image = av.VideoFrame.from_ndarray(np.full((*size_wh[::-1], 3), rgb, np.uint8), format="rgb24")
    coded = image.reformat(
        format=format,
        dst_colorspace="itu601" if color.matrix == "bt601" else "itu709",
        dst_color_range="JPEG" if color.full_range else "MPEG",
    )
    ColorTags.for_spec(color).apply_to(coded)
    return frame_from_av(coded, pts=pts, time_base=TICK, sample_aspect=Fraction(aspect))


def rgb_of(drawn, x, y):
    return drawn.to_ndarray(format="rgb24")[y, x].astype(int)


def luma_of(drawn):
    return drawn.to_ndarray()[: drawn.height]


def test_a_frame_of_the_canvas_form_stays_bit_for_bit():
    frame = frame_of((64, 48))
    frame.handle.pict_type = 2  # as the decoder leaves it on most
    planes = [plane.copy() for plane in frame.planes]
    drawn = Canvas.of(frame).draw(frame)
    assert drawn is frame.handle
    for plane, kept in zip(frame_from_av(drawn).planes, planes, strict=True):
        assert np.array_equal(plane, kept)
    assert (drawn.pts, drawn.time_base, drawn.pict_type) == (9000, TICK, 0)


@pytest.mark.parametrize("size_wh", [(323, 181), (64, 48), (1, 1)])
def test_sides_are_even(size_wh):
    width, height = Canvas.of(frame_of(size_wh, format="yuv444p")).size_wh
    assert width % 2 == height % 2 == 0
    assert abs(width - size_wh[0]) <= 1
    assert abs(height - size_wh[1]) <= 1


@pytest.mark.parametrize(
    ("size_wh", "aspect", "inside"),
    [((48, 48), 1, (16, 0, 64, 48)), ((96, 36), 1, (0, 9, 96, 36)), ((24, 48), 2, (16, 0, 64, 48))],
)
def test_another_aspect_ratio_gets_black_bars(size_wh, aspect, inside):
    canvas = Canvas.of(frame_of((96, 64)))
    drawn = canvas.draw(frame_of(size_wh, aspect=aspect))
    assert (drawn.width, drawn.height) == (96, 64)
    lit = luma_of(drawn) > 20
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    ratio = size_wh[0] * aspect / size_wh[1]
    width, height = (min(96, 64 * ratio), min(64, 96 / ratio))
    assert columns[-1] - columns[0] + 1 == pytest.approx(width, abs=2)
    assert rows[-1] - rows[0] + 1 == pytest.approx(height, abs=2)
    assert columns[0] + columns[-1] == pytest.approx(95, abs=2), "in the middle"
    assert rows[0] + rows[-1] == pytest.approx(63, abs=2)
    assert rgb_of(drawn, 48, 32) == pytest.approx([200, 60, 40], abs=4)
    assert rgb_of(drawn, *((1, 32) if ratio < 1.5 else (48, 1))) == pytest.approx([0, 0, 0], abs=2)


def test_pixels_become_square():
    canvas = Canvas.of(frame_of((720, 576), aspect=Fraction(16, 15)))
    assert canvas.size_wh == (768, 576)
    drawn = canvas.draw(frame_of((720, 576), aspect=Fraction(16, 15)))
    assert (luma_of(drawn) > 20).all(), "it fills the canvas"


@pytest.mark.parametrize("format", ["yuv420p", "yuv422p", "yuv444p", "nv12"])
@pytest.mark.parametrize("color", [SD, HD, ColorSpec(matrix="bt601", full_range=True, primaries="bt601-525")])
def test_colours_stay_however_they_are_coded(format, color):
    """A camera's full range, another matrix after a change of size: the same colour comes out."""
    canvas = Canvas.of(frame_of((64, 48)))
    drawn = canvas.draw(frame_of((128, 96), format=format, color=color))
    assert drawn.format.name == "yuv420p"
    assert rgb_of(drawn, 30, 20) == pytest.approx([200, 60, 40], abs=5)
    tags = ColorTags.of(drawn)
    assert (tags.range, tags.matrix) == (1, 6), "limited range, BT.601, as the first"


def test_smaller_frames_of_a_busy_session_fill_the_canvas():
    canvas = Canvas.of(frame_of((1280, 720), color=HD))
    drawn = canvas.draw(frame_of((640, 360), color=HD))
    assert (drawn.width, drawn.height) == (1280, 720)
    assert (luma_of(drawn) > 20).all()


def test_without_a_signal_the_last_frame_is_dimmed_with_a_notice():
    frame = frame_of((320, 180), rgb=(255, 255, 255))
    canvas = Canvas.of(frame)
    first = canvas.draw(frame)
    shown = canvas.frame_of(canvas.no_signal(first), 18_000)
    luma = luma_of(shown)
    assert np.median(luma) == pytest.approx(16 + (235 - 16) * 0.4, abs=1)
    letters = luma > 200
    assert 0.002 < letters.mean() < 0.1
    rows, columns = np.flatnonzero(letters.any(1)), np.flatnonzero(letters.any(0))
    assert rows.mean() == pytest.approx(90, abs=8)
    assert columns.mean() == pytest.approx(160, abs=12)
    assert shown.pts == 18_000
    assert np.median(luma_of(first)) == pytest.approx(235, abs=1), "the frame itself is left as it was"


@pytest.mark.parametrize("size_wh", [(32, 18), (2, 2), (90, 640)])
def test_the_notice_fits_any_canvas(size_wh):
    canvas = Canvas.of(frame_of(size_wh))
    planes = canvas.no_signal(canvas.draw(frame_of(size_wh)))
    width, height = canvas.size_wh
    assert planes.shape == (height * 3 // 2, width)
    if width > 2:
        columns = np.flatnonzero((planes[:height] > 120).any(0))
        assert 0 < np.ptp(columns) < 0.85 * width, "no letter is cut off"
