"""MediaPipe's model files that ship with the package, verified by their hashes."""

import hashlib
from pathlib import Path
from typing import Final

from emocolor.errors import EngineError

WEIGHTS: Final = Path(__file__).parents[1] / "weights"

SHA256: Final = {
    "mediapipe/blaze_face_short_range.tflite": "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f",
    "mediapipe/face_detection_full_range_sparse.tflite": (
        "2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1"
    ),
    "mediapipe/selfie_segmenter.tflite": "191ac9529ae506ee0beefa6b2c945a172dab9d07d1e802a290a4e4038226658b",
}
"""Every shipped file, by its path below ``WEIGHTS``."""


def model_path(name: str, *, folder: Path = WEIGHTS) -> Path:
    """The path of ``name``, a key of ``SHA256``, after its content was verified.

    Raises ``KeyError`` for a file that does not ship, and ``EngineError`` if the file is missing or was changed.
    """
    expected, path = SHA256[name], folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EngineError(
            f"The model file {path} cannot be read ({error.strerror or error}). Reinstall emocolor-stream."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise EngineError(
            f"The model file {path} is damaged: its sha256 is {found[:12]}..., {expected[:12]}... was shipped. "
            "Reinstall emocolor-stream."
        )
    return path
