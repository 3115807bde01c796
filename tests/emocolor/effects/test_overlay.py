"""The overlay: boxes, bars and text in every format, clipped by the frame."""

from fractions import Fraction

import numpy as np
import pytest

from emocolor.effects import Overlay
from emocolor.faces import Box, Face, Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame


def blank(name, width, height):
    form = PIXEL_FORMATS[name]
    kind = np.uint8 if form.bits == 8 else np.uint16
    chroma_w, chroma_h = form.chroma_size_wh(width, height)
    planes = [np.full((height, width), 60, kind)]
    if form.chroma == "planar":
        planes += [np.full((chroma_h, chroma_w), 128, kind) for _ in range(2)]
    elif form.chroma == "interleaved":
        planes.append(np.full((chroma_h, chroma_w, 2), 128, kind))
    return Frame(planes=tuple(planes), format=form, color=ColorSpec(), pts=0, time_base=Fraction(1, 25))


def scene_with(box):
    face = Face(track_id=7, box=box, roll_degrees=0, probabilities=np.full(7, 1 / 7), certainty=0.5, presence=1)
    return Scene(time=0, faces=(face,))


@pytest.mark.parametrize("name", ["yuv420p", "nv12", "yuv444p10le", "gray"])
def test_draws_box_words_and_bars(name):
    frame = blank(name, 321, 241)
    before = frame.copy()
    Overlay().apply(frame, scene_with(Box(100, 80, 60, 60)))
    changed = frame.luma != before.luma
    assert changed[80, 100:160].all()
    assert changed[139, 100:160].all()
    assert changed[70:80, 100:140].any()
    assert changed[80:120, 162:200].any()
    assert not changed[160:, :].any()


@pytest.mark.parametrize("box", [Box(-50, -40, 80, 80), Box(280, 200, 100, 100), Box(-500, -500, 20, 20)])
def test_faces_at_and_beyond_the_border_are_clipped(box):
    Overlay().apply(blank("yuv420p", 321, 241), scene_with(box))


def test_bars_stay_in_the_frame():
    frame = blank("yuv420p", 320, 240)
    Overlay().apply(frame, scene_with(Box(250, 80, 60, 60)))
    assert (frame.luma[80:110, 200:245] != 60).any()
