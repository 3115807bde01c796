"""People by MediaPipe: its selfie segmenter estimates for each pixel how likely it shows a person.

The model (256 x 256, after MobileNetV3) is made for people within about two metres of the camera, in colour. It does
not tell one person from another and misses most people who are far away. It finds less in gray images than in coloured
ones, so gray film should be colorized first.
"""

from typing import Any, Final

import numpy as np

from emocolor.arrays import Mask, RgbImage
from emocolor.errors import EngineError
from emocolor.person_regions import MASK_SIDE

from .log import one_line, quiet_stderr
from .models import model_path
from .task import open_task

MODEL: Final = "mediapipe/selfie_segmenter.tflite"


class MediaPipePersonSegmenter:
    """Tells people from their background, image by image; a result depends on its image alone.

    Not thread-safe. Opening it raises ``MissingDependencyError`` if MediaPipe or a system library that
    it needs is absent, and ``EngineError`` if the model cannot be used.
    """

    def __init__(self) -> None:
        with quiet_stderr():
            # MediaPipe logs some lines at its first run only, so the first run is here, where they are filtered.
            self._image, self._segmenter = open_task(model_path(MODEL), _segmenter)
            self.segment(np.zeros((MASK_SIDE, MASK_SIDE, 3), np.uint8))

    def segment(self, rgb: RgbImage) -> Mask:
        """Where people are in ``rgb``, sRGB (H, W, 3) uint8 shown upright: (H, W) float32 in [0, 1], 1 on a person.

        The model sees the image squeezed into a square of ``MASK_SIDE``. At any other size MediaPipe scales the image
        there and the mask back, which costs time. Raises ``ValueError`` for other arrays and ``EngineError``.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"rgb must be (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
        try:
            (mask,) = self._segmenter.segment(self._image(np.ascontiguousarray(rgb))).confidence_masks
        except RuntimeError as error:
            raise EngineError(f"MediaPipe failed to segment people: {one_line(error)}.") from error
        return np.array(mask.numpy_view()[..., 0], np.float32)  # a copy: the view dies with ``mask``

    def close(self) -> None:
        """Free the net; a second call does nothing. If it is never closed, MediaPipe complains when Python exits."""
        with quiet_stderr():
            self._segmenter.close()


def _segmenter(base_options: Any) -> Any:
    from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions

    return ImageSegmenter.create_from_options(ImageSegmenterOptions(base_options=base_options))
