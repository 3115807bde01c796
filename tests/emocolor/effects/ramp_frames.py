"""Gray frames with a ramp of all luma codes, for tests of effects that colour by lightness."""

from fractions import Fraction

import numpy as np

from emocolor.color import code_range
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

SPECS = [ColorSpec(matrix=m, full_range=f) for m in ("bt601", "bt709") for f in (False, True)]
WORDS = [f"{s.matrix}-{'full' if s.full_range else 'limited'}" for s in SPECS]
LIMITED, FULL = SPECS[2:]


def make_frame(format_name="yuv420p", size_wh=(64, 48), color=LIMITED, luma=None, chroma=None):
    """A gray frame with a ramp of all luma codes, or as told."""
    form = PIXEL_FORMATS[format_name]
    kind = np.uint8 if form.bits == 8 else np.uint16
    width, height = size_wh
    black, span, middle, _ = code_range(color, form.bits)
    if luma is None:
        luma = np.rint(np.linspace(black, black + span, width * height)).reshape(height, width)
    chroma_w, chroma_h = form.chroma_size_wh(width, height)
    flat = np.full((chroma_h, chroma_w), middle if chroma is None else chroma, kind)
    planes = [np.broadcast_to(luma, (height, width)).astype(kind)]
    if form.chroma == "planar":
        planes += [flat, flat.copy()]
    elif form.chroma == "interleaved":
        planes.append(np.stack([flat, flat], axis=-1))
    return Frame(planes=tuple(planes), format=form, color=color, pts=0, time_base=Fraction(1, 25))
