"""Accuracy over the scale and height of the face crop, which shows how much of a face the classifier should see.

    python -m training.emotion.crop_scale --data faces.npz --out crop_scale.json

Detects the face in each image of an npz of labelled faces (format: ``training.data.faces``) that the classifier was not
trained on, crops it as the program does, with FER2013's geometry scaled and shifted, and reports accuracy and mean top
probability for each geometry.
"""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import GrayImage
from emocolor.classifier import EmotionClassifier
from emocolor.errors import EmocolorError, SourceError
from emocolor.face_crops import FER2013, CropGeometry, crop_face
from emocolor.faces import Detection
from engines.emotion import load_emotion_net
from engines.mediapipe.face_detector import MediaPipeFaceDetector

from ..data.faces import read_faces
from ..records import machine_info, write_json

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Crops (N, 48, 48) uint8 to probabilities (N, 7)."""
SIDE = 48

SCALES = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5)
EYES_SHIFTS = (-0.08, -0.04, 0.0, 0.04, 0.08)
MARGIN = 0.25
"""Border added to each image, its edge replicated, so that a face that fills it is detected."""


@dataclass(frozen=True, kw_only=True)
class FoundFace:
    """A labelled image in which exactly one face was found."""

    gray: GrayImage
    face: Detection
    label: int


@dataclass(frozen=True, kw_only=True)
class GeometryMetrics:
    """Results of one geometry."""

    scale: float
    eyes_shift: float
    accuracy: float
    mean_class_accuracy: float
    top_probability: float


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz of labelled faces, not those of the training")
    parser.add_argument("--weights", default="ours", help="a shipped net's name, or an ONNX file with its card")
    parser.add_argument("--faces", type=int, default=2000, help="number of images")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON file to write the metrics to")
    options = parser.parse_args(argv)
    try:
        found = find_faces(options.data, options.faces, options.seed)
        rows = compare(found, predictor(options.weights))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print_table(rows, len(found))
    if options.out:
        record = {
            "weights": options.weights,
            "data": options.data.name,
            "machine": machine_info(),
            "faces": len(found),
            "geometry": asdict(FER2013),
            "metrics": [asdict(row) for row in rows],
        }
        write_json(options.out, record)


def find_faces(path: Path, count: int, seed: int) -> list[FoundFace]:
    """Faces in up to ``count`` random images of an npz; images without a face or with several are left out."""
    faces = read_faces(path)
    chosen = np.random.default_rng(seed).permutation(len(faces))[:count]
    detector = MediaPipeFaceDetector()
    found = []
    try:
        for k in chosen:
            gray = with_margin(to_gray(faces.images[k]))
            seen = detector.detect(gray, [], 0, sweep=True)
            if len(seen) == 1:
                found.append(FoundFace(gray=gray, face=seen[0], label=int(faces.labels[k])))
    finally:
        detector.close()
    if not found:
        raise SourceError(f"No face was found in {len(chosen)} images of {path}.")
    return found


def to_gray(image: NDArray[np.uint8]) -> GrayImage:
    """Luma (BT.601) of an image (H, W) gray or (H, W, 3) RGB."""
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def with_margin(gray: GrayImage) -> GrayImage:
    border = round(MARGIN * gray.shape[0])
    return np.asarray(cv2.copyMakeBorder(gray, *(border,) * 4, cv2.BORDER_REPLICATE), np.uint8)


def predictor(weights: str) -> Predict:
    """A net without dropout."""
    classifier = EmotionClassifier(load_emotion_net(weights, threads=os.cpu_count() or 1), passes=0)
    return lambda crops: classifier.passes_of(crops)[0]


def compare(found: Sequence[FoundFace], predict: Predict) -> list[GeometryMetrics]:
    """Every scale at FER2013's eye height, then every eye height at its scale."""
    steps = [(scale, 0.0) for scale in SCALES] + [(1.0, shift) for shift in EYES_SHIFTS if shift]
    return [measure(found, predict, scale, shift) for scale, shift in steps]


def measure(found: Sequence[FoundFace], predict: Predict, scale: float, eyes_shift: float) -> GeometryMetrics:
    crops = [crop_face(one.gray, one.face, geometry_at(scale, eyes_shift), SIDE) for one in found]
    probabilities = predict(np.asarray(crops, np.uint8))
    labels = np.array([one.label for one in found])
    right = probabilities.argmax(axis=1) == labels
    return GeometryMetrics(
        scale=scale,
        eyes_shift=eyes_shift,
        accuracy=float(right.mean()),
        mean_class_accuracy=float(np.mean([right[labels == label].mean() for label in np.unique(labels)])),
        top_probability=float(probabilities.max(axis=1).mean()),
    )


def geometry_at(scale: float, eyes_shift: float) -> CropGeometry:
    """FER2013's geometry, ``scale`` times as wide, with the eyes lower by ``eyes_shift`` of the side."""
    scaled = FER2013.scaled(scale)
    return replace(scaled, eyes_down=scaled.eyes_down + eyes_shift)


def print_table(rows: Sequence[GeometryMetrics], faces: int) -> None:
    print(f"{faces} faces\nscale  eyes lower  accuracy  by class  top probability")
    for row in rows:
        print(
            f"{row.scale:5.2f} {row.eyes_shift:11.2f} {row.accuracy:9.3f} {row.mean_class_accuracy:9.3f}"
            f" {row.top_probability:16.3f}"
        )


if __name__ == "__main__":
    main()
