"""Style nets, ready to run on what the machine has."""

import logging
import math
from typing import Final

import cv2
import numpy as np

from emocolor.arrays import RgbImage, StyleMixture
from emocolor.errors import OutOfMemoryError
from emocolor.protocols import Precision

from .runners.base import Runner
from .runners.devices import Device
from .runners.selection import open_runner
from .spec import StyleSpec, read_style_spec

SMALLEST: Final = 64
"""px; the short side is not halved below it for want of memory."""

log = logging.getLogger(__name__)


class NetStyleTransfer:
    """A style net with its card, compiled. Not for two threads at once."""

    def __init__(self, spec: StyleSpec, runner: Runner) -> None:
        self.spec = spec
        self.runner = runner
        self._most_pixels: float = math.inf
        """More than these the device's memory did not hold."""

    def paint(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        """sRGB (H, W, 3) uint8, both sides at least 36 px, painted by a mixture (8,) of styles and the identity.

        What the sides lack to multiples of ``spec.multiple`` is mirrored at the borders and cut off again. Where the
        device's memory does not suffice, the image is painted at half the size and scaled up, with a warning, and
        so are later ones of its size. Raises ``OutOfMemoryError`` where there is not even enough for ``SMALLEST`` px.
        """
        height, width = rgb.shape[:2]
        if self.has_room_for(height, width):
            try:
                return self._painted(rgb, mixture)
            except OutOfMemoryError:
                if min(height, width) < 2 * SMALLEST:
                    raise
                self._most_pixels = height * width
                log.warning("The device has too little memory to paint %dx%d; painting at half of that.", width, height)
        half = np.asarray(cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        painted = self.paint(half, mixture)
        return np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)

    def has_room_for(self, height: int, width: int) -> bool:
        """Whether the device's memory is not known to be too small for such images."""
        return height * width < self._most_pixels

    def _painted(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        height, width = rgb.shape[:2]
        bottom, right = -height % self.spec.multiple, -width % self.spec.multiple
        if bottom or right:
            rgb = np.asarray(cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REFLECT_101), np.uint8)
        found = self.runner.run({"rgb": np.ascontiguousarray(rgb)[None], "mixture": mixture[None]})
        return np.asarray(found["painted"][0, :height, :width], np.uint8)


def load_style_transfer(
    name: str, *, device: Device = "auto", threads: int = 1, precision: Precision = "f32"
) -> NetStyleTransfer:
    """Load a style net by name, or an ONNX file that has its card beside it.

    Raises ``ConfigurationError`` for an unknown name and ``EngineError`` for a file that cannot be used; else as
    ``engines.runners.selection.open_runner`` does.
    """
    spec = read_style_spec(name)
    return NetStyleTransfer(spec, open_runner(spec, device=device, threads=threads, precision=precision))
