"""MediaPipe's segmenter on people, turned, gray and absent; and what it leaves on stderr."""

import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from emocolor.arrays import Mask, RgbImage
from emocolor.errors import EngineError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame, Rotation
from emocolor.person_regions import PersonMasks, plane_mask
from emocolor.protocols import PersonSegmenter
from engines.mediapipe.person_segmenter import MediaPipePersonSegmenter, _segmenter
from engines.mediapipe.task import open_task

ROOT = Path(__file__).parents[3]
COLOR = ColorSpec(matrix="bt601", full_range=True)


@pytest.fixture(scope="module")
def segmenter() -> Iterator[MediaPipePersonSegmenter]:
    made = MediaPipePersonSegmenter()
    yield made
    made.close()


@pytest.fixture(scope="module")
def portrait() -> RgbImage:
    """A woman before a wall, (512, 512, 3); her face is at (110, 210), the wall at her right, (60, 320)."""
    return np.asarray(
        cv2.cvtColor(cv2.imread(str(ROOT / "stream/demo/assets/portrait.jpg")), cv2.COLOR_BGR2RGB), np.uint8
    )


def frame_of(rgb: RgbImage, *, rotation: Rotation = 0, pts: int = 0, gray: bool = False) -> Frame:
    """A frame in full range of BT.601."""
    y, red, blue = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb))
    name, planes = ("gray", (y,)) if gray else ("yuv444p", (y, blue, red))
    return Frame(
        planes=planes, format=PIXEL_FORMATS[name], color=COLOR, pts=pts, time_base=Fraction(1, 25), rotation=rotation
    )


def is_her(mask: Mask) -> bool:
    """Whether a mask of the portrait, of any size, has its person and only her."""
    fine = plane_mask(mask, (512, 512))
    face, chest, wall, above = fine[70:140, 180:250], fine[250:400, 100:250], fine[40:200, 310:340], fine[:10, 150:]
    return bool(min(face.mean(), chest.mean()) > 0.98 and max(wall.mean(), above.mean()) < 0.02)


def test_it_is_a_segmenter(segmenter: PersonSegmenter) -> None:
    mask = segmenter.segment(np.full((90, 160, 3), 128, np.uint8))
    assert (mask.shape, mask.dtype) == ((90, 160), np.float32)


@pytest.mark.parametrize("size_wh", [(512, 512), (256, 256), (640, 360), (181, 323)])
def test_a_person_is_told_from_the_wall_behind_at_any_size(
    segmenter: MediaPipePersonSegmenter, portrait: RgbImage, size_wh: tuple[int, int]
) -> None:
    mask = segmenter.segment(np.asarray(cv2.resize(portrait, size_wh, interpolation=cv2.INTER_AREA), np.uint8))
    assert mask.shape == size_wh[::-1]
    assert 0 <= mask.min() <= mask.max() <= 1
    assert is_her(mask)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("gray", [False, True])
def test_frames_are_segmented_however_they_are_stored(
    segmenter: MediaPipePersonSegmenter, portrait: RgbImage, rotation: Rotation, gray: bool
) -> None:
    stored = np.ascontiguousarray(np.rot90(portrait, rotation // 90))
    mask = PersonMasks(segmenter).next(frame_of(stored, rotation=rotation, gray=gray), cut=False)
    assert is_her(np.ascontiguousarray(np.rot90(mask, -rotation // 90)))


@pytest.mark.parametrize("shape", [(1, 1), (2, 700), (37, 23), (1080, 1920)])
@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (0, 80, 200), (225, 180, 150)])
def test_where_nobody_is_the_mask_is_empty(
    segmenter: MediaPipePersonSegmenter, shape: tuple[int, int], color: tuple[int, int, int]
) -> None:
    assert segmenter.segment(np.full((*shape, 3), color, np.uint8)).max() < 0.01


def test_a_wall_is_nobody(segmenter: MediaPipePersonSegmenter, portrait: RgbImage) -> None:
    wall = np.ascontiguousarray(portrait[:170, 270:340])
    assert segmenter.segment(np.asarray(cv2.resize(wall, (320, 180)), np.uint8)).mean() < 0.05


def test_the_same_image_gives_the_same_mask(segmenter: MediaPipePersonSegmenter, portrait: RgbImage) -> None:
    first = segmenter.segment(portrait)
    segmenter.segment(np.ascontiguousarray(portrait[::-1]))
    assert np.array_equal(segmenter.segment(portrait), first)


def test_a_view_with_gaps_is_read_as_it_looks(segmenter: MediaPipePersonSegmenter, portrait: RgbImage) -> None:
    assert np.array_equal(segmenter.segment(portrait[::2, ::2]), segmenter.segment(portrait[::2, ::2].copy()))


@pytest.mark.parametrize(
    "wrong", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32), np.zeros((8, 8, 4), np.uint8)]
)
def test_what_is_not_rgb_is_refused(segmenter: MediaPipePersonSegmenter, wrong: RgbImage) -> None:
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8"):
        segmenter.segment(wrong)


def test_a_model_that_mediapipe_cannot_use_is_an_engine_error(tmp_path: Path) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"cannot use model\.tflite"):
        open_task(model, _segmenter)


def test_nothing_is_left_on_stderr() -> None:
    script = """
import numpy as np
from engines.mediapipe.person_segmenter import MediaPipePersonSegmenter
segmenter = MediaPipePersonSegmenter()
segmenter.segment(np.zeros((90, 160, 3), np.uint8))
segmenter.close()
segmenter.close()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_outlines_of_footage_waver_less_than_the_segmenters_and_lag_no_more(
    segmenter: MediaPipePersonSegmenter, shared_clips: Path
) -> None:
    with av.open(str(shared_clips / "face_carphone_qcif.mp4")) as container:
        images = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)][:60]
    steady, single = PersonMasks(segmenter), []
    held = np.array([steady.next(frame_of(rgb, pts=n), cut=False) for n, rgb in enumerate(images)])
    single = np.array([PersonMasks(segmenter).next(frame_of(rgb), cut=False) for rgb in images])
    luma = np.array([cv2.cvtColor(cv2.resize(rgb, (256, 256)), cv2.COLOR_RGB2GRAY) for rgb in images], np.float32)
    change = np.array([cv2.blur(part, (33, 33)) for part in np.abs(np.diff(luma, axis=0))])
    still, moving = change < np.quantile(change, 0.3), change > np.quantile(change, 0.9)
    assert np.abs(np.diff(held, axis=0))[still].mean() < 0.7 * np.abs(np.diff(single, axis=0))[still].mean()
    assert np.abs(held - single)[1:][moving].mean() < 0.02
