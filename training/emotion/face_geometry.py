"""How a set of face images frames its faces, so that crops in video can be framed alike.

    python -m training.emotion.face_geometry --data fer2013.npz

Looks for the face in training images, enlarged and with their edge repeated around them, and prints
as one JSON object what ``emocolor.face_crops.CropGeometry`` needs: the medians, over images with
exactly one face, of the box's width and of the eyes' height, as parts of the image's side, with
their quartiles. ``FER2013`` there is this script's result, rounded.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from emocolor.errors import EmocolorError, SourceError
from engines.mediapipe.face_detector import MediaPipeFaceDetector

from ..data.faces import read_faces

ENLARGED = 4
MARGIN = 0.25
"""Border added on each side, as a part of it."""


def measure(path: Path, count: int, seed: int) -> dict[str, object]:
    """Quartiles of the two lengths over up to ``count`` seeded images of the training split."""
    faces = read_faces(path, "train")
    side = faces.images.shape[1]
    border = round(MARGIN * side)
    chosen = np.random.default_rng(seed).permutation(len(faces))[:count]
    detector, rows = MediaPipeFaceDetector(), []
    try:
        for image in faces.gray(side)[chosen]:
            framed = cv2.copyMakeBorder(image, *(border,) * 4, cv2.BORDER_REPLICATE)
            large = cv2.resize(framed, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
            found = detector.detect(np.asarray(large, np.uint8), [], 0, sweep=True)
            if len(found) == 1:
                eyes = found[0].keypoints[:2].mean(axis=0)
                rows.append((found[0].box.width / ENLARGED / side, (eyes[1] / ENLARGED - border) / side))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz with a training split")
    parser.add_argument("--faces", type=int, default=2000, help="how many images to look at")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        print(json.dumps(measure(arguments.data, arguments.faces, arguments.seed)))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
