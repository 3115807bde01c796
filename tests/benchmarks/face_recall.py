"""Recall of the face detector by face size in 1920x1080 frames, and its false positives.

    python tests/benchmarks/face_recall.py --clips FOLDER [--out face_recall.json]

Faces cut from clips of people are scaled to a known width and pasted, a dozen at a time at random places, into frames
of clips without faces. The width is that of the detector's own box, about ear to ear. Every frame is new to the
detector, so recall is that of one full sweep. False positives are counted in the same frames, and per clip in frames
with nothing pasted.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import GrayImage
from emocolor.faces import Box, Detection
from engines.mediapipe.face_detector import MediaPipeFaceDetector

WIDTHS = (24, 32, 40, 48, 64, 96, 160)
SIZE_WH = (1920, 1080)
PEOPLE = ("face_woman_pexels.mp4", "face_man_datastreams.mp4", "face_carphone_qcif.mp4", "bench_1080p_face.mp4")
EMPTY = {
    "bbb_480p_10s.mp4": (0.0, 30.0),
    "bbb_720p_5s.mp4": (0.0, 6.0),
    "bikes.mp4": (0.0, 10.0),
    "face_noface_hevc.mov": (3.2, 6.4),
    "made_hdr10_pq.mp4": (0.0, 3.0),
    "odd_fullrange_yuvj.mp4": (0.0, 1.0),
}
"""Clips without a human face, or near enough, and from when to when in seconds."""
SURROUND = 3.0
"""Side of a cutout, in widths of the face's box."""


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """A face with its surroundings."""

    gray: GrayImage
    box: Box
    """Of the face, in ``gray``."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder of the clips named in this script")
    parser.add_argument("--frames", type=int, default=12, help="frames per width, twelve faces in each")
    parser.add_argument("--out", type=Path, help="JSON file to write the results to")
    options = parser.parse_args()
    backgrounds = {clip: list(frames(options.clips / clip, 1.0, span)) for clip, span in EMPTY.items()}
    detector = MediaPipeFaceDetector()
    try:
        cutouts = cut_out_faces(options.clips, detector)
        metrics = {
            "faces_cut_out": len(cutouts),
            "by_width": [recall_at(width, cutouts, backgrounds, options.frames, detector) for width in WIDTHS],
            "without_pasting": {clip: detections_per_frame(grays, detector) for clip, grays in backgrounds.items()},
            "ms_per_call": costs(next(iter(backgrounds.values()))[0], detector),
        }
    finally:
        detector.close()
    print_table(metrics)
    if options.out:
        options.out.write_text(json.dumps(metrics, indent=2) + "\n")


def frames(path: Path, rate: float, span: tuple[float, float] = (0.0, 1e9)) -> Iterator[GrayImage]:
    """Full-range luma (H, W) of the frames nearest after each 1/``rate`` seconds."""
    due = span[0]
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            moment = frame.time or 0.0
            if due <= moment < span[1]:
                due = moment + 1 / rate
                yield np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def cut_out_faces(folder: Path, detector: MediaPipeFaceDetector) -> list[Cutout]:
    """Detections large and confident enough to count as ground truth."""
    cutouts = []
    for clip in PEOPLE:
        for gray in frames(folder / clip, 0.5):
            for face in detector.detect(gray, [], 0, sweep=True):
                if face.score > 0.8 and face.box.width >= 60:
                    cutouts += cut(gray, face.box)
    return cutouts


def cut(gray: GrayImage, box: Box) -> list[Cutout]:
    """The face with its surroundings, or nothing where they leave the frame by much."""
    (x, y), half = box.center, SURROUND * box.width / 2
    left, top = max(0, round(x - half)), max(0, round(y - half))
    part = gray[top : round(y + half), left : round(x + half)]
    moved = Box(box.x - left, box.y - top, box.width, box.height)
    return [Cutout(gray=part, box=moved)] if min(part.shape) > 1.45 * box.width else []


def recall_at(
    width: int,
    cutouts: list[Cutout],
    backgrounds: dict[str, list[GrayImage]],
    count: int,
    detector: MediaPipeFaceDetector,
) -> dict[str, Any]:
    """Recall of pasted faces of one width, and detections elsewhere per frame."""
    random = np.random.default_rng(width)
    grays = [gray for clip in backgrounds.values() for gray in clip]
    pasted = found = wrong = 0
    for _ in range(count):
        frame, boxes = paste(grays[random.integers(len(grays))], width, cutouts, random)
        faces = detector.detect(frame, [], 0, sweep=True)
        hits = [any(face.box.overlap(box) > 0.4 for face in faces) for box in boxes]
        pasted, found = pasted + len(hits), found + sum(hits)
        wrong += sum(all(face.box.overlap(box) < 0.1 for box in boxes) for face in faces)
    return {"width_px": width, "faces": pasted, "recall": found / pasted, "false_per_frame": wrong / count}


def paste(
    background: GrayImage, width: int, cutouts: list[Cutout], random: np.random.Generator
) -> tuple[GrayImage, list[Box]]:
    """Faces of one width in the cells of a 4 by 3 grid, with soft edges."""
    frame = cv2.resize(background, SIZE_WH, interpolation=cv2.INTER_CUBIC).copy()
    cell = (SIZE_WH[0] // 4, SIZE_WH[1] // 3)
    boxes = []
    fit = [one for one in cutouts if one.box.width >= 0.9 * width]
    for column, row in np.ndindex(4, 3):
        one = fit[random.integers(len(fit))]
        scale = width / one.box.width
        part = cv2.resize(one.gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height_, width_ = part.shape
        x = column * cell[0] + int(random.integers(cell[0] - width_))
        y = row * cell[1] + int(random.integers(cell[1] - height_))
        mask = edge_mask(height_, width_)
        under = frame[y : y + height_, x : x + width_]
        frame[y : y + height_, x : x + width_] = (mask * part + (1 - mask) * under + 0.5).astype(np.uint8)
        boxes.append(Box(x + one.box.x * scale, y + one.box.y * scale, width, one.box.height * scale))
    return frame, boxes


def edge_mask(height: int, width: int) -> NDArray[np.float64]:
    """1 inside, falling to 0 over the outer twelfth on each side."""
    ramps = [
        np.minimum(1.0, np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / (n / 12)) for n in (height, width)
    ]
    return np.outer(*ramps)


def detections_per_frame(grays: list[GrayImage], detector: MediaPipeFaceDetector) -> float:
    return sum(len(detector.detect(gray, [], 0, sweep=True)) for gray in grays) / len(grays)


def costs(gray: GrayImage, detector: MediaPipeFaceDetector, repeats: int = 24) -> list[dict[str, Any]]:
    """Median milliseconds of a call, and of a whole sweep, by frame size and known faces."""
    rows = []
    for height in (720, 1080):
        frame = cv2.resize(gray, (height * 16 // 9, height))
        for known in (0, 1, 4):
            faces = [_somewhere(k, height) for k in range(known)]
            rows.append({"height": height, "known": known, "ms": _median_ms(detector, frame, faces, False, repeats)})
        rows.append({"height": height, "known": 0, "ms_sweep": _median_ms(detector, frame, [], True, repeats // 3)})
    return rows


def _somewhere(k: int, height: int) -> Detection:
    return Detection(box=Box(100 + 150 * k, 200, height / 8, height / 8), keypoints=np.zeros((6, 2)), score=1.0)


def _median_ms(
    detector: MediaPipeFaceDetector, gray: GrayImage, known: list[Detection], sweep: bool, repeats: int
) -> float:
    taken = []
    detector.detect(gray, known, 0)
    for _ in range(repeats):
        start = time.perf_counter()
        detector.detect(gray, known, 0, sweep=sweep)
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))


def print_table(metrics: dict[str, Any]) -> None:
    print(f"{metrics['faces_cut_out']} faces cut out\nwidth px  faces  recall  false per frame")
    for row in metrics["by_width"]:
        print(f"{row['width_px']:8} {row['faces']:6} {row['recall']:7.3f} {row['false_per_frame']:10.3f}")
    for clip, count in metrics["without_pasting"].items():
        print(f"nothing pasted, {clip}: {count:.3f} detections per frame")
    for row in metrics["ms_per_call"]:
        print(", ".join(f"{name} {value:.3g}" for name, value in row.items()))


if __name__ == "__main__":
    main()
