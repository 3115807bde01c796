"""Style nets by name, ready to run on what the machine has."""

import logging
import math
from typing import Final

import cv2
import numpy as np

from emocolor.arrays import RgbImage, StyleMixture
from emocolor.errors import OutOfMemoryError

from .runners.base import Runner
from .runners.devices import Device, PrecisionChoice
from .runners.selection import open_runner
from .spec import StyleSpec, read_style_spec

MIN_HALVED_SIDE: Final = 64
"""px. If memory is short, images are halved as long as their short side does not fall below this."""

log = logging.getLogger(__name__)


class NetStyleTransfer:
    """A style net with its card, ready to run. Not thread-safe."""

    def __init__(self, spec: StyleSpec, runner: Runner) -> None:
        self.spec = spec
        self.runner = runner
        self._most_pixels: float = math.inf
        """Images with this many pixels or more did not fit into the device's memory."""

    def paint(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        """Paint ``rgb``, sRGB (H, W, 3) uint8 of at least 36 px a side, in a mixture (8,) of styles and the identity.

        Sides are padded to multiples of ``spec.multiple`` by mirroring, and cropped again. If the device runs out of
        memory, a warning is logged, and this image and later ones of its size are painted at half the size and scaled
        up. Raises ``OutOfMemoryError`` if halving would bring the short side below ``MIN_HALVED_SIDE``.
        """
        height, width = rgb.shape[:2]
        if self.has_room_for(height, width):
            try:
                return self._painted(rgb, mixture)
            except OutOfMemoryError:
                if min(height, width) < 2 * MIN_HALVED_SIDE:
                    raise
                self._most_pixels = height * width
                log.warning(
                    "The device has too little memory to paint %dx%d; painting at half the size.", width, height
                )
        half = np.asarray(cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
        painted = self.paint(half, mixture)
        return np.asarray(cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)

    def has_room_for(self, height: int, width: int) -> bool:
        """Whether images of this size may fit into the device's memory, as far as it is known."""
        return height * width < self._most_pixels

    def _painted(self, rgb: RgbImage, mixture: StyleMixture) -> RgbImage:
        height, width = rgb.shape[:2]
        bottom, right = -height % self.spec.multiple, -width % self.spec.multiple
        if bottom or right:
            rgb = np.asarray(cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REFLECT_101), np.uint8)
        found = self.runner.run({"rgb": np.ascontiguousarray(rgb)[None], "mixture": mixture[None]})
        return np.asarray(found["painted"][0, :height, :width], np.uint8)


def load_style_transfer(
    name: str, *, device: Device = "auto", threads: int = 1, precision: PrecisionChoice = "auto"
) -> NetStyleTransfer:
    """Load a style net that ships, by name, or an ONNX file with its card beside it, by path.

    Raises as ``engines.spec.read_style_spec`` and ``engines.runners.selection.open_runner`` do.
    """
    spec = read_style_spec(name)
    return NetStyleTransfer(spec, open_runner(spec, device=device, threads=threads, precision=precision))
