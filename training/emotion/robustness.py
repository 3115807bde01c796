"""Robustness of nets to the corruptions that video brings: their metrics on corrupted copies of labelled images.

    python -m training.emotion.robustness --weights NAME [--weights OTHER ...] --data fer2013.npz --split public \
        --mc 20 --out robustness.json

Every image is turned to gray at the size of the net's crop, which for FER2013 and nets that take 48 pixels is its
stored size, and corrupted there: blur, noise, low resolution, JPEG, roll, gamma, a bar over the eyes or the mouth.
Noise comes from a seed, so nets of the same crop size get the same images. Reports accuracy, mean top probability and
mean mutual information (nats). Temperatures are those of the graph; of several outputs the one trained on ``--labels``
is measured.

Roll is measured without the program's help: the program levels each crop by the eyes that its detector finds in the
frame, for which crops of 48 pixels are too small. Needs no torch.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import GrayImage
from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError, SinkError
from engines.emotion import EmotionNetRunner, load_emotion_net

from ..data.faces import FaceSet, LabelSet, Split
from ..records import JsonObject, machine_info, sha256_of, write_json
from .calibration import mutual_information
from .scoring import output_for, passes_of_all, scored_faces

Corruption = Callable[[GrayImage, np.random.Generator], GrayImage]
"""A face (S, S) uint8 to a corrupted one; random numbers come from the generator."""
Rectangle = tuple[int, int, int, int]
"""Top, bottom, left, right in pixels of ``SIDE``."""

SIDE: Final = 48
"""Lengths below are in pixels of a crop of this side, and scale with the crop."""
EYES: Final[Rectangle] = (12, 24, 6, 42)
MOUTH: Final[Rectangle] = (33, 44, 12, 36)
"""Eyes with brows, and mouth, in the mean image of FER2013."""
COVER_LEVEL: Final = 128


def unchanged(face: GrayImage, _: np.random.Generator) -> GrayImage:
    return face


def blurred(face: GrayImage, _: np.random.Generator, *, sigma: float) -> GrayImage:
    """Gaussian blur with standard deviation ``sigma``, in pixels of a 48 px crop."""
    sigma *= len(face) / SIDE
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def noisy(face: GrayImage, random: np.random.Generator, *, sigma: float) -> GrayImage:
    """White Gaussian noise with standard deviation ``sigma`` in gray levels of 255."""
    return np.asarray((face + random.normal(0, sigma, face.shape)).round().clip(0, 255), np.uint8)


def shrunk(face: GrayImage, _: np.random.Generator, *, side: int) -> GrayImage:
    """Scaled down to ``side`` of 48 px by area averaging and back up bilinearly, as small faces are."""
    small = max(1, round(side * len(face) / SIDE))
    few = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(few, face.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def compressed(face: GrayImage, _: np.random.Generator, *, quality: int) -> GrayImage:
    """JPEG at a libjpeg quality."""
    _done, jpeg = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE), np.uint8)


def rolled(face: GrayImage, _: np.random.Generator, *, degrees: float) -> GrayImage:
    """Rotated about the centre, counter-clockwise where positive; the edge is replicated where it is uncovered."""
    middle = (len(face) - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    return np.asarray(cv2.warpAffine(face, matrix, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


def with_gamma(face: GrayImage, _: np.random.Generator, *, gamma: float) -> GrayImage:
    """Gray levels in [0, 1] to the power ``gamma``: below 1 brighter, above darker."""
    curve = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
    return np.asarray(curve[face], np.uint8)


def covered(face: GrayImage, _: np.random.Generator, *, where: Rectangle) -> GrayImage:
    """With a rectangle of mid-gray."""
    top, bottom, left, right = (round(edge * len(face) / SIDE) for edge in where)
    face = face.copy()
    face[top:bottom, left:right] = COVER_LEVEL
    return face


CORRUPTIONS: Final[dict[str, Corruption]] = {
    "clean": unchanged,
    "blur, sigma 1 px": partial(blurred, sigma=1.0),
    "blur, sigma 2 px": partial(blurred, sigma=2.0),
    "noise, sigma 10": partial(noisy, sigma=10.0),
    "noise, sigma 25": partial(noisy, sigma=25.0),
    "24 px and back": partial(shrunk, side=24),
    "JPEG quality 30": partial(compressed, quality=30),
    "roll +25 degrees": partial(rolled, degrees=25.0),
    "roll -25 degrees": partial(rolled, degrees=-25.0),
    "gamma 0.5": partial(with_gamma, gamma=0.5),
    "gamma 2": partial(with_gamma, gamma=2.0),
    "eyes covered": partial(covered, where=EYES),
    "mouth covered": partial(covered, where=MOUTH),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--weights", action="append", required=True, help="a shipped net's name, or an ONNX file with its card"
    )
    parser.add_argument("--data", type=Path, required=True, help="npz of labelled faces")
    parser.add_argument("--split", default="public", choices=get_args(Split))
    parser.add_argument("--labels", default="fer2013", choices=get_args(LabelSet), help="score by these labels")
    parser.add_argument("--mc", type=int, default=20, metavar="T", help="Monte Carlo dropout passes, 0 for none")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise and of the dropout masks")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="JSON file to write the metrics to")
    options = parser.parse_args(argv)
    try:
        if options.out and not options.out.parent.is_dir():
            raise SinkError(f"The folder {options.out.parent} does not exist. Make it first, or write elsewhere.")
        found = measure(options)
        print(markdown(found))
        if options.out:
            write(options.out, found)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


def measure(options: argparse.Namespace) -> JsonObject:
    """The metrics of every net under every corruption, and the settings of the measurement."""
    if options.seed < 0:
        raise ConfigurationError(f"The seed must not be negative, got {options.seed}.")
    faces = scored_faces(options.data, options.split, options.labels)
    nets = {weights: load_emotion_net(weights, threads=options.threads) for weights in options.weights}
    return {
        "data": {"file": options.data.name, "sha256": sha256_of(options.data), "split": options.split},
        "labels": options.labels,
        "images": len(faces),
        "passes": options.mc,
        "seed": options.seed,
        "machine": machine_info(),
        "nets": {weights: net_metrics(net, faces, options) for weights, net in nets.items()},
    }


def net_metrics(net: EmotionNetRunner, faces: FaceSet, options: argparse.Namespace) -> JsonObject:
    """One net's metrics under every corruption."""
    output, crops = output_for(net.spec, options.labels), faces.gray(net.crop_size)
    classifier = EmotionClassifier(net, passes=options.mc, seed=options.seed)
    found: JsonObject = {"sha256": net.spec.sha256, "output": output, "corruptions": {}}
    for name, corruption in CORRUPTIONS.items():
        print(f"{net.spec.name}: {name}", file=sys.stderr, flush=True)
        passes = passes_of_all(classifier, corrupted(crops, corruption, options.seed), output)
        found["corruptions"][name] = metrics(passes, faces.labels)
    return found


def corrupted(crops: NDArray[np.uint8], corruption: Corruption, seed: int) -> NDArray[np.uint8]:
    """All crops (N, S, S) corrupted, with the same noise each time."""
    random = np.random.default_rng(seed)
    return np.stack([corruption(crop, random) for crop in crops])


def metrics(passes: NDArray[np.floating], labels: NDArray[np.int64]) -> dict[str, float]:
    """Of passes (T, N, 7) against labels (N,); mutual information is in nats."""
    mean = passes.mean(0, dtype=np.float64)
    return {
        "accuracy": round(float((mean.argmax(1) == labels).mean()), 4),
        "top_probability": round(float(mean.max(1).mean()), 4),
        "mutual_information": round(float(mutual_information(passes).mean()), 4),
    }


def markdown(found: JsonObject) -> str:
    """A row for each corruption, a column for each net."""
    nets = found["nets"]
    return "\n".join(
        [
            f"{found['images']:,} images of {found['data']['file']} ({found['data']['split']}), {found['labels']} "
            f"labels, {_how(found['passes'])}.",
            "",
            "| | " + " | ".join(nets) + " |",
            "|---" * (len(nets) + 1) + "|",
            *(
                f"| {name} | "
                + " | ".join(cell(net["corruptions"][name], sampled=found["passes"] > 0) for net in nets.values())
                + " |"
                for name in CORRUPTIONS
            ),
        ]
    )


def _how(passes: int) -> str:
    if passes == 0:
        return "one pass without dropout: accuracy / mean top probability"
    return f"T = {passes}: accuracy / mean top probability / mean mutual information"


def cell(row: Mapping[str, float], *, sampled: bool) -> str:
    """The metrics of one cell; a single pass without dropout has no mutual information."""
    shown = f"{row['accuracy']:.3f} / {row['top_probability']:.2f}"
    return f"{shown} / {row['mutual_information']:.3f}" if sampled else shown


def write(path: Path, found: JsonObject) -> None:
    try:
        write_json(path, found)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}.") from error


if __name__ == "__main__":
    main()
