"""Frames for tests of the style effect, and style nets whose arithmetic is known."""

from fractions import Fraction

import numpy as np

from emocolor.color import LUMA_WEIGHTS, code_range, codes_to_rgb
from emocolor.effects import Style, StyleOptions
from emocolor.effects.style import IDENTITY
from emocolor.emotions import EMOTIONS
from emocolor.faces import Box, Face, Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

SPECS = [ColorSpec(matrix=matrix, full_range=full) for matrix in LUMA_WEIGHTS for full in (False, True)]
LIMITED_709 = ColorSpec(matrix="bt709")
SIZES = [(323, 181), (34, 18), (16, 16), (1024, 64)]
HAPPY = {"happy": 1.0}
ALL = StyleOptions(fixed=HAPPY, detail=1.0)
NOBODY = Scene(time=0)


class Negative:
    """All its styles are the negative, and it mixes linearly, so that every output can be computed."""

    def __init__(self):
        self.seen = []

    def paint(self, rgb, mixture):
        assert rgb.dtype == np.uint8
        assert min(rgb.shape[:2]) >= 36
        assert mixture.shape == (8,)
        assert mixture.dtype == np.float32
        self.seen.append(rgb)
        part = mixture[IDENTITY]
        return np.rint(part * rgb + (1 - part) * (255.0 - rgb)).astype(np.uint8)


class Same:
    """Returns its input, whatever the mixture."""

    def paint(self, rgb, mixture):
        return rgb.copy()


class Never:
    """Fails when it runs: for frames that need no net."""

    def paint(self, rgb, mixture):
        raise AssertionError("there is nothing to paint here")


def one_hot(name):
    return np.eye(7)[EMOTIONS.index(name)]


def face(x=24, y=12, side=24, presence=1.0):
    return Face(
        track_id=1, box=Box(x, y, side, side), roll_degrees=10, probabilities=one_hot("sad"), certainty=1,
        presence=presence,
    )  # fmt: skip


def make_frame(luma, blue, red, name="yuv444p", color=LIMITED_709):
    """A frame of planes given as codes; chroma must have its own plane's shape."""
    form = PIXEL_FORMATS[name]
    kind = np.uint8 if form.bits == 8 else np.uint16
    luma, blue, red = (np.rint(plane).astype(kind) for plane in (luma, blue, red))
    planes = {"planar": (luma, blue, red), "interleaved": (luma, np.stack([blue, red], axis=-1)), "none": (luma,)}
    return Frame(planes=planes[form.chroma], format=form, color=color, pts=0, time_base=Fraction(1, 25))


def noise(name, size_wh, color=LIMITED_709, seed=0):
    """Random codes of the format's depth, most of them outside the gamut."""
    form, random = PIXEL_FORMATS[name], np.random.default_rng(seed)
    shapes = [size_wh[::-1], *[form.chroma_size_wh(*size_wh)[::-1]] * 2]
    return make_frame(*(random.integers(0, 1 << form.bits, shape) for shape in shapes), name, color)


def slopes(name, size_wh, color=LIMITED_709):
    """Colours that change slowly over the frame, of about 50 codes of 8 bits in every plane."""
    form = PIXEL_FORMATS[name]
    unit = 1 << (form.bits - 8)
    width, height = size_wh
    across, down = np.linspace(0, 1, width)[None, :], np.linspace(0, 1, height)[:, None]
    columns, rows = form.chroma_size_wh(width, height)
    chroma_across, chroma_down = np.linspace(0, 1, columns)[None, :], np.linspace(0, 1, rows)[:, None]
    luma = 100 + 30 * across + 20 * down
    blue, red = 118 + 20 * chroma_across - 8 * chroma_down, 120 + 10 * chroma_across + 14 * chroma_down
    return make_frame(unit * luma, unit * blue, unit * red, name, color)


def errors(frame, other):
    """Differences of every plane's samples, in codes of 8 bits."""
    unit = 1 << (frame.format.bits - 8)
    return [np.abs(a.astype(float) - b) / unit for a, b in zip(frame.planes, other.planes, strict=True)]


def worst(frame, other):
    return max(error.max() for error in errors(frame, other))


def same(frame, other):
    return all(np.array_equal(a, b) for a, b in zip(frame.planes, other.planes, strict=True))


def painted(frame, options=ALL, scene=NOBODY, style_transfer=None):
    """A copy of the frame after the style effect, by default that of :class:`Negative`."""
    return Style(options, style_transfer or Negative()).apply(frame.copy(), scene)


def negative_of(frame, part=1.0):
    """Y, Cb and Cr codes, unrounded, of a 4:4:4 frame ``part`` of the way to its negative."""
    color, bits = frame.color, frame.format.bits
    rgb = codes_to_rgb(*(plane.astype(float) for plane in frame.planes), color, bits)
    rgb = (1 - part) * rgb + part * (1 - rgb)
    red, blue = LUMA_WEIGHTS[color.matrix]
    black, span, middle, chroma_span = code_range(color, bits)
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    return black + span * luma, middle + chroma_span * cb, middle + chroma_span * cr
