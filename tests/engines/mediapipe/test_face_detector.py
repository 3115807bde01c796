"""The face detector on real faces: rotated, small, absent; and it leaves nothing on stderr."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from emocolor.arrays import GrayImage, Points
from emocolor.errors import EngineError
from emocolor.face_search import similarity
from emocolor.faces import Box, Detection
from emocolor.frames import Rotation
from emocolor.protocols import Detector
from engines.mediapipe.face_detector import DetectorOptions, MediaPipeFaceDetector, _detector
from engines.mediapipe.task import open_task

TURNS: dict[Rotation, int | None] = {
    0: None,
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}
"""How an image is stored that a player turns clockwise by so many degrees."""


@pytest.fixture(scope="module")
def detector() -> Iterator[MediaPipeFaceDetector]:
    made = MediaPipeFaceDetector()
    yield made
    made.close()


def clip(name: str) -> Path:
    folder = os.environ.get("EMOCOLOR_CLIPS")
    if not folder:
        pytest.skip("EMOCOLOR_CLIPS does not name the folder of test clips")
    return Path(folder) / name


def first_luma(path: Path) -> GrayImage:
    with av.open(str(path)) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="gray"), np.uint8)


@pytest.fixture(scope="module")
def woman() -> GrayImage:
    """One face, 640x360."""
    return first_luma(clip("face_woman_pexels.mp4"))


def placed(gray: GrayImage, scale: float, x: int, y: int) -> GrayImage:
    """``gray`` made small at (x, y) in a plain 1920x1080 image."""
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = np.full((1080, 1920), 100, np.uint8)
    image[y : y + small.shape[0], x : x + small.shape[1]] = small
    return image


def upright_again(points: Points, shape: tuple[int, ...], rotation: Rotation) -> Points:
    """Points (N, 2) of a stored image of ``shape`` where a player shows them."""
    height, width = shape
    x, y = points[:, 0], points[:, 1]
    shown = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[rotation]
    return np.stack(shown, axis=1)


def moved(face: Detection, by: float) -> Detection:
    box = Box(face.box.x + by, face.box.y, face.box.width, face.box.height)
    return Detection(box=box, keypoints=face.keypoints + np.array([by, 0]), score=face.score)


def test_it_is_a_detector(detector: Detector) -> None:
    assert detector.detect(np.full((120, 160), 128, np.uint8), [], 0) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 700), (37, 23), (1080, 1920)])
def test_images_of_any_size_without_a_face_have_none(detector: MediaPipeFaceDetector, shape: tuple[int, int]) -> None:
    ramp = np.linspace(0, 255, shape[0] * shape[1]).reshape(shape).astype(np.uint8)
    assert detector.detect(ramp, [], 90) == []


@pytest.mark.parametrize("wrong", [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.float32)])
def test_what_is_not_luma_is_refused(detector: MediaPipeFaceDetector, wrong: GrayImage) -> None:
    with pytest.raises(ValueError, match=r"\(H, W\) uint8"):
        detector.detect(wrong, [], 0)


@pytest.mark.parametrize("rotation", TURNS)
def test_a_face_is_found_where_it_lies_however_the_image_is_stored(
    detector: MediaPipeFaceDetector, woman: GrayImage, rotation: Rotation
) -> None:
    turn = TURNS[rotation]
    stored = woman if turn is None else np.asarray(cv2.rotate(woman, turn), np.uint8)
    (upright,) = detector.detect(woman, [], 0, sweep=True)
    (face,) = detector.detect(stored, [], rotation, sweep=True)
    assert upright_again(face.keypoints, stored.shape, rotation) == pytest.approx(upright.keypoints, abs=6)
    assert face.box.width == pytest.approx(upright.box.width, rel=0.06)


@pytest.mark.parametrize(("x", "y"), [(3, 5), (900, 500), (1780, 1000)])
def test_a_face_of_forty_pixels_in_full_hd_is_found(
    detector: MediaPipeFaceDetector, woman: GrayImage, x: int, y: int
) -> None:
    (large,) = detector.detect(woman, [], 0, sweep=True)
    scale = 40 / large.box.width
    (small,) = detector.detect(placed(woman, scale, x, y), [], 0, sweep=True)
    assert small.box.center == pytest.approx(np.add((x, y), np.multiply(large.box.center, scale)), abs=5)
    assert small.box.width == pytest.approx(40, rel=0.15)


def test_the_tiles_of_a_few_calls_find_what_a_sweep_finds(detector: MediaPipeFaceDetector, woman: GrayImage) -> None:
    empty, image = np.full((1080, 1920), 100, np.uint8), placed(woman, 0.18, 1200, 640)
    detector.detect(empty, [], 0, sweep=True)
    calls = [detector.detect(image, [], 0) for _ in range(DetectorOptions().calls_per_sweep)]
    assert any(calls)


def test_a_known_face_that_jumped_is_found_in_the_same_call(detector: MediaPipeFaceDetector, woman: GrayImage) -> None:
    (face,) = detector.detect(placed(woman, 0.5, 100, 100), [], 0, sweep=True)
    for x in (900, 1500, 1000, 100):
        image = placed(woman, 0.5, x, 500)
        found = detector.detect(image, [moved(face, -5000.0), face], 0)
        assert len(found) == 1


class RecordingDetector(MediaPipeFaceDetector):
    """Records close-ups that show no face."""

    def __init__(self) -> None:
        super().__init__()
        self.without_face: list[Box] = []

    def _in_close_up(self, *given: Any) -> Detection | None:
        found = super()._in_close_up(*given)
        if found is None:
            self.without_face.append(given[1].box)
        return found


def test_a_rejected_candidate_is_ignored_for_some_calls() -> None:
    image, detector = first_luma(clip("made_four_faces.mp4")), RecordingDetector()
    detector.detect(image, [], 0, sweep=True)
    rejected = detector.without_face.copy()
    repeated = []
    for _ in range(DetectorOptions().calls_per_sweep):
        detector.without_face.clear()
        detector.detect(image, [], 0)
        repeated.append(any(similarity(box, before) > 0.6 for box in detector.without_face for before in rejected))
    detector.close()
    assert rejected
    wait = DetectorOptions().calls_per_rejection - 1
    assert not any(repeated[:wait])
    assert any(repeated[wait:])


def test_a_known_face_is_found_in_every_call_and_once(detector: MediaPipeFaceDetector, woman: GrayImage) -> None:
    image = placed(woman, 0.18, 1200, 640)
    (face,) = detector.detect(image, [], 0, sweep=True)
    for offset in (-12.0, 0.0, 12.0):
        for _ in range(DetectorOptions().calls_per_sweep):
            (again,) = detector.detect(image, [moved(face, offset)], 0)
            assert again.box.overlap(face.box) > 0.85


def test_a_known_face_that_is_gone_is_not_reported(detector: MediaPipeFaceDetector, woman: GrayImage) -> None:
    (face,) = detector.detect(woman, [], 0, sweep=True)
    plain = np.full_like(woman, 100)
    assert detector.detect(plain, [face, moved(face, 5000.0)], 0) == []


def test_keypoints_are_in_the_order_of_the_person(detector: MediaPipeFaceDetector) -> None:
    (face,) = detector.detect(first_luma(clip("face_carphone_qcif.mp4")), [], 0)
    right_eye, left_eye, nose, mouth, right_ear, left_ear = face.keypoints
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < mouth[1]


def test_the_same_calls_give_the_same_results(woman: GrayImage) -> None:
    images = [placed(woman, scale, 600, 300) for scale in (0.18, 0.2, 0.3, 0.25)]
    runs = []
    for _ in range(2):
        detector = MediaPipeFaceDetector()
        try:
            runs.append([[face.box for face in detector.detect(image, [], 0)] for image in images])
        finally:
            detector.close()
    assert runs[0] == runs[1]


SCRIPT = """
import os, sys
import numpy as np
from engines.mediapipe.face_detector import MediaPipeFaceDetector
detector = MediaPipeFaceDetector()
detector.detect(np.zeros((90, 160), np.uint8), [], 0)
detector.close()
detector.close()
print("done")
"""


def run_python(script: str, *, closed: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script]
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command] if closed else command
    return subprocess.run(shell, capture_output=True, text=True, check=False)


def test_nothing_is_left_on_stderr() -> None:
    done = run_python(SCRIPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_closed_stderr_is_no_hindrance() -> None:
    done = run_python(SCRIPT, closed=True)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_model_that_mediapipe_cannot_use_is_an_engine_error(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"cannot use model\.tflite"):
        open_task(model, partial(_detector, 0.5))


def test_options_check_themselves() -> None:
    with pytest.raises(ValueError, match="close_range"):
        DetectorOptions(close_range=0.5)
    with pytest.raises(ValueError, match="tile_share"):
        DetectorOptions(tile_share=0.0)
