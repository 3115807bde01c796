"""How a set of face images frames its faces, so that crops in video can be framed alike.

    python -m training.emotion.face_geometry --data fer2013.npz

Detects the face in training images, enlarged and with a replicated border, and prints as one JSON object what
``emocolor.face_crops.CropGeometry`` needs: the medians, over images with exactly one face, of the width of the box and
of the height of the eyes, as fractions of the image's side, with their quartiles. ``FER2013`` there is this script's
result, rounded.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from emocolor.errors import EmocolorError, SourceError
from engines.mediapipe.face_detector import MediaPipeFaceDetector

from ..data.faces import read_faces

SCALE_UP = 4
MARGIN = 0.25
"""Border added on each side, as a fraction of it."""


def measure(path: Path, count: int, seed: int) -> dict[str, object]:
    """Quartiles of the two lengths over up to ``count`` random images of the training split."""
    faces = read_faces(path, "train")
    side = faces.images.shape[1]
    border = round(MARGIN * side)
    chosen = np.random.default_rng(seed).permutation(len(faces))[:count]
    detector, rows = MediaPipeFaceDetector(), []
    try:
        for image in faces.gray(side)[chosen]:
            framed = cv2.copyMakeBorder(image, *(border,) * 4, cv2.BORDER_REPLICATE)
            large = cv2.resize(framed, None, fx=SCALE_UP, fy=SCALE_UP, interpolation=cv2.INTER_CUBIC)
            found = detector.detect(np.asarray(large, np.uint8), [], 0, sweep=True)
            if len(found) == 1:
                eyes = found[0].keypoints[:2].mean(axis=0)
                rows.append((found[0].box.width / SCALE_UP / side, (eyes[1] / SCALE_UP - border) / side))
    finally:
        detector.close()
    if not rows:
        raise SourceError(f"No face was found in {len(chosen)} training images of {path}.")
    quartiles = np.percentile(np.array(rows), [25, 50, 75], axis=0).round(3)
    return {
        "images": len(chosen),
        "faces": len(rows),
        "box_width": quartiles[1, 0],
        "box_width_quartiles": quartiles[::2, 0].tolist(),
        "eyes_down": quartiles[1, 1],
        "eyes_down_quartiles": quartiles[::2, 1].tolist(),
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with a training split")
    parser.add_argument("--faces", type=int, default=2000, help="number of images")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args(argv)
    try:
        print(json.dumps(measure(arguments.data, arguments.faces, arguments.seed)))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
