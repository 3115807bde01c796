"""Units and steps for tests of single stages: small gray frames at 25 frames a second."""

from fractions import Fraction

import numpy as np

from emocolor.faces import Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from stream.media.source import MediaUnit
from stream.pipeline.steps import Step


def gray_units(frames):
    """Gray frames at 25 fps from frames (H, W)."""
    for n, luma in enumerate(frames):
        yield MediaUnit(
            frame=Frame(
                planes=(luma,), format=PIXEL_FORMATS["gray"], color=ColorSpec(full_range=True), pts=n,
                time_base=Fraction(1, 25),
            )
        )  # fmt: skip


def steps_of(lumas, cuts=()):
    """Steps at 25 fps with frames of one level each, a unit without a frame behind every one."""
    for n, unit in enumerate(gray_units([np.full((36, 64), level, np.uint8) for level in lumas])):
        yield Step(unit=unit, scene=Scene(time=unit.frame.time, cut=n in cuts))
        yield Step(unit=MediaUnit(frame=None))
