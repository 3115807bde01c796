"""People by MediaPipe: its selfie segmenter says of each pixel how surely it shows a person.

The model (256 x 256, after MobileNetV3) is made for people within about two metres of the camera, in colour. It does
not tell one person from another, and people far away it mostly misses. Gray images it classifies worse than coloured
ones: of film it finds more where a colorizer came before.
"""

from typing import Any, Final

import numpy as np

from emocolor.arrays import Mask, RgbImage
from emocolor.errors import EngineError
from emocolor.person_regions import SIDE

from .log import one_line, quiet_stderr
from .models import model_path
from .task import open_task

MODEL: Final = "mediapipe/selfie_segmenter.tflite"


class MediaPipePersonSegmenter:
    """Tells people from what is around them, image by image.

    A result depends on nothing but its image. Not for several threads at once.

    Raises ``MissingDependencyError`` where MediaPipe or a system library it needs is absent, and
    ``EngineError`` where the model cannot be used.
    """

    def __init__(self) -> None:
        with quiet_stderr():
            # What MediaPipe says at its first run it says once, so the first run is here.
            self._image, self._segmenter = open_task(model_path(MODEL), _segmenter)
            self.segment(np.zeros((SIDE, SIDE, 3), np.uint8))

    def segment(self, rgb: RgbImage) -> Mask:
        """Where people are in ``rgb``, sRGB (H, W, 3) uint8 shown upright: (H, W) float32 in [0, 1], 1 on a person.

        The model sees it squeezed into a square of ``SIDE``; any other size costs scaling it there and the mask back.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(f"rgb must be (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
        try:
            (mask,) = self._segmenter.segment(self._image(np.ascontiguousarray(rgb))).confidence_masks
        except RuntimeError as error:
            raise EngineError(f"MediaPipe failed to look for people: {one_line(error)}.") from error
        return np.array(mask.numpy_view()[..., 0], np.float32)  # a copy: the view dies with ``mask``

    def close(self) -> None:
        """Free the net; a second call does nothing. One left to the interpreter's exit complains on stderr."""
        with quiet_stderr():
            self._segmenter.close()


def _segmenter(base_options: Any) -> Any:
    from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions

    return ImageSegmenter.create_from_options(ImageSegmenterOptions(base_options=base_options))
