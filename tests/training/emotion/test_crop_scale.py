"""Accuracy over the scale and height of the crop."""

import json

import numpy as np
import pytest

from emocolor.errors import SourceError
from emocolor.face_crops import FER2013
from training.emotion.crop_scale import EYES_SHIFTS, SCALES, compare, find_faces, geometry_at, main


def test_every_geometry_is_classified(portraits_file):
    shapes = []

    def predict(crops):
        shapes.append(crops.shape)
        return np.tile(np.eye(7, dtype=np.float32)[3], (len(crops), 1))

    rows = compare(find_faces(portraits_file, 6, seed=0), predict)
    assert set(shapes) == {(6, 48, 48)}
    assert len(shapes) == len(rows) == len(SCALES) + len(EYES_SHIFTS) - 1
    assert [row.accuracy for row in rows] == [1.0] * len(rows)
    assert {row.scale for row in rows} == set(SCALES)


def test_a_geometry_is_scaled_and_shifted():
    assert geometry_at(1, 0) == FER2013
    assert geometry_at(1.2, 0.04).eyes_down == pytest.approx(FER2013.scaled(1.2).eyes_down + 0.04)


def test_the_command_writes_what_the_tables_read(portraits_file, tmp_path, run_main):
    out = tmp_path / "crop_scale.json"
    code, printed, _ = run_main(main, "--data", portraits_file, "--weights", "s0", "--faces", "2", "--out", out)
    assert code == 0
    found = json.loads(out.read_text())
    assert found["faces"] == 2
    assert [row["scale"] for row in found["metrics"] if row["eyes_shift"] == 0] == list(SCALES)
    assert len(printed.splitlines()) == 2 + len(found["metrics"])


def test_images_without_faces_are_an_error(tmp_path, run_main):
    np.savez(tmp_path / "flat.npz", images=np.full((2, 64, 64), 90, np.uint8), labels=[0, 1])
    code, _, message = run_main(main, "--data", tmp_path / "flat.npz")
    assert code == SourceError.exit_code
    assert message.startswith("error: No face was found")
